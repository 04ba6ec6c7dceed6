import { setTimeout as pause } from 'node:timers/promises';

/** A reply of the API, with its body read. */
export interface ApiReply {
  readonly status: number;
  readonly body: unknown;
}

/** A reply that was no success where one was needed. */
export class ApiRefusal extends Error {
  constructor(what: string, reply: ApiReply) {
    super(`${what} was answered with ${String(reply.status)}: ${JSON.stringify(reply.body)}`);
    this.name = 'ApiRefusal';
  }
}

const base = '/api/secretary/data-sync';

/** The HTTP API with one key. */
export class ApiClient {
  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {}

  /** Where a link of a reply leads. */
  linkTo(path: string): string {
    return `${this.url}${path}`;
  }

  /** @throws ApiRefusal */
  async get<T>(path: string): Promise<T> {
    const reply = await this.ask('GET', path);
    if (reply.status !== 200) throw new ApiRefusal(`GET ${path}`, reply);
    return reply.body as T;
  }

  /** Every item of a list, page after page. @throws ApiRefusal */
  async list<T>(path: string): Promise<readonly T[]> {
    const items: T[] = [];
    let cursor: string | null = null;
    do {
      const separator = path.includes('?') ? '&' : '?';
      const after: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page: Page<T> = await this.get<Page<T>>(`${path}${separator}limit=200${after}`);
      items.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== null);
    return items;
  }

  /** Sends and gives whatever is answered. */
  async send(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<ApiReply> {
    return await this.ask('POST', path, body, headers);
  }

  /** @throws ApiRefusal */
  async post<T>(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<T> {
    const reply = await this.send(path, body, headers);
    if (reply.status < 200 || reply.status > 299) throw new ApiRefusal(`POST ${path}`, reply);
    return reply.body as T;
  }

  private async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ApiReply> {
    const answer = await fetch(`${this.url}${path.startsWith('/') ? path : `${base}/${path}`}`, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: parsed(text) };
  }
}

interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
};

/** Asks again and again until the answer is not null. @throws Error after the time is over, with what was waited for */
export async function until<T>(what: string, seconds: number, ask: () => Promise<T | null>): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (Date.now() > deadline) throw new Error(`${what} was waited for ${String(seconds)} s in vain.`);
    await pause(80);
  }
}
