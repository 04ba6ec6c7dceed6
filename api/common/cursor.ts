import { canonicalJson } from '../../platform/canonical-json.js';
import { hash128 } from '../../platform/hash.js';
import { say } from '../languages/say.js';
import { Problem } from './problem.js';
import { Answer } from './http.js';

/** A page of a list. `nextCursor` null: there is no more. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
  readonly count?: number;
}

/** Where a page ended: the sort values of its last row, the unique one last. */
export type Position = readonly string[];

const scopeOf = (filter: unknown): string => hash128(canonicalJson(filter)).slice(0, 8);

/** An opaque cursor, bound to the filter and order it was made for. */
export const encodeCursor = (filter: unknown, position: Position): string =>
  Buffer.from(JSON.stringify([scopeOf(filter), ...position])).toString('base64url');

/** What a part of a cursor looks like. */
export const cursorShapes = {
  id: /^[1-9]\d{0,17}$/,
  moment: /^(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,6})?\+00|infinity)$/,
} as const;

/** Where the page before ended; null: there is none. @throws Problem cursor_mismatch */
export const decodeCursor = (
  filter: unknown,
  cursor: string | undefined,
  shapes: readonly RegExp[],
): Position | null => {
  if (cursor === undefined) return null;
  const [scope, ...position] = parse(cursor);
  const fits = position.length === shapes.length && shapes.every((shape, index) => shape.test(position[index] ?? ''));
  if (scope !== scopeOf(filter) || !fits) {
    throw new Problem('cursor_mismatch', say('cursor_mismatch.other'));
  }
  return position;
};

/** The same for lists in the order of ids. */
export const decodeIdCursor = (filter: unknown, cursor: string | undefined): string | null =>
  decodeCursor(filter, cursor, [cursorShapes.id])?.[0] ?? null;

const parse = (cursor: string): Position => {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(value) && value.every((part) => typeof part === 'string')) return value;
  } catch (error) {
    throw new Problem('cursor_mismatch', say('cursor_mismatch.unknown'), { cause: error });
  }
  return [];
};

/** Cuts a page from rows of which one more than `limit` was read, and links the next one. */
export const pageOf = <Row, Item>(options: {
  readonly rows: readonly Row[];
  readonly limit: number;
  readonly filter: unknown;
  readonly position: (row: Row) => Position;
  readonly toItem: (row: Row) => Item;
  /** The address of this page, with its parameters. */
  readonly url: string;
  readonly count?: number;
}): Answer<Page<Item>> => {
  const rows = options.rows.slice(0, options.limit);
  const last = options.rows.length > options.limit ? rows.at(-1) : undefined;
  const nextCursor = last === undefined ? null : encodeCursor(options.filter, options.position(last));
  const page = {
    items: rows.map(options.toItem),
    nextCursor,
    ...(options.count === undefined ? {} : { count: options.count }),
  };
  return new Answer(
    page,
    nextCursor === null ? {} : { headers: { link: `<${nextUrl(options.url, nextCursor)}>; rel="next"` } },
  );
};

const nextUrl = (url: string, cursor: string): string => {
  const [path = '', query = ''] = url.split('?', 2);
  const parameters = new URLSearchParams(query);
  parameters.set('cursor', cursor);
  return `${path}?${parameters.toString()}`;
};
