import createFetchClient, { type Client, type ClientOptions } from 'openapi-fetch';
import type { components, paths } from './schema.js';

/* The HTTP API as functions: paths, parameters, bodies and replies have the types of docs/openapi.json, of which `schema.ts` is made
   (UPDATE_OPENAPI=1, see CONTRIBUTING.md). Like any program of others it knows nothing of ours but that document. */

/** Where every route but those of health stands. */
const base = '/api/secretary/data-sync';

/** The routes by what follows the base: `/jobs/{jobId}`. */
type Routes = {
  readonly [Path in keyof paths as Path extends `${typeof base}${infer Route}` ? Route : never]: paths[Path];
};

/** The API with one caller. `GET`, `POST`, `PUT` … give `{ data }` or `{ error }`, and `response`. */
export type ConcordClient = Client<Routes>;

/** What the API speaks of, by name: `Schemas['RunView']`. */
export type Schemas = components['schemas'];

export interface ConnectOptions {
  /** Where the API listens, without a path: `http://127.0.0.1:3210`. */
  readonly url: string;
  /** An API key, or an access token. */
  readonly token: string;
  /** In which languages problems are told, as `Accept-Language`. */
  readonly language?: string;
  readonly fetch?: ClientOptions['fetch'];
}

/** The API at a place, asked as one caller. Nothing is sent yet. */
export const connect = ({ url, token, language, fetch }: ConnectOptions): ConcordClient =>
  createFetchClient<Routes>({
    baseUrl: `${url}${base}`,
    headers: {
      authorization: `Bearer ${token}`,
      ...(language === undefined ? {} : { 'accept-language': language }),
    },
    ...(fetch === undefined ? {} : { fetch }),
  });

/** A reply that was no success where one was needed. */
export class ApiRefusal extends Error {
  constructor(
    readonly status: number,
    /** null where the reply was none of ours (a proxy's). */
    readonly problem: Schemas['ProblemView'] | null,
    what: string,
  ) {
    super(`${what} was answered with ${status}${problem === null ? '' : ` ${problem.code}: ${problem.detail}`}`);
    this.name = 'ApiRefusal';
  }
}

interface Asked<Data> {
  readonly data?: Data;
  readonly error?: unknown;
  readonly response: Response;
}

/** What was asked for. @throws ApiRefusal where it was refused */
export const dataOf = async <Data>(asking: Promise<Asked<Data>>): Promise<NonNullable<Data>> => {
  const { data, error, response } = await asking;
  if (response.ok && data !== undefined && data !== null) return data;
  throw new ApiRefusal(response.status, isProblem(error) ? error : null, new URL(response.url).pathname);
};

interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

/** Every item of a list, page after page: `itemsOf((cursor) => client.GET('/jobs', { params: { query: { cursor } } }))`.
 *  @throws ApiRefusal */
export async function* itemsOf<Item>(
  ask: (cursor: string | undefined) => Promise<Asked<Page<Item>>>,
): AsyncGenerator<Item, void, undefined> {
  let cursor: string | undefined;
  do {
    const page: Page<Item> = await dataOf(ask(cursor));
    yield* page.items;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

/** The same, all at once: for lists that are known to be short. */
export const allOf = async <Item>(
  ask: (cursor: string | undefined) => Promise<Asked<Page<Item>>>,
): Promise<readonly Item[]> => {
  const items: Item[] = [];
  for await (const item of itemsOf(ask)) items.push(item);
  return items;
};

/** Whether a reply is a problem document of ours. */
export const isProblem = (body: unknown): body is Schemas['ProblemView'] =>
  typeof body === 'object' && body !== null && 'code' in body && 'detail' in body;
