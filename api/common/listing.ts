import { decodeCursor, cursorShapes, pageOf, type Page } from './cursor.js';
import { Choice, Text } from './fields.js';
import type { Answer } from './http.js';
import { defaultLimit, ListQuery, type ListRequest } from './list-query.js';

/** How a list of configured things is asked for. */
export interface ListingRequest extends ListRequest {
  readonly name?: string;
  readonly archived?: string;
  readonly sort?: string;
}

export const sorts = ['id', 'name', '-name', 'changedAt', '-changedAt'] as const;

/** The parameters of every list of configured things. */
export class ListingQuery extends ListQuery implements ListingRequest {
  @Text({ optional: true, min: 1, max: 200, description: 'Only those whose name holds this.', example: 'staff' })
  name?: string;

  @Choice(['false', 'true', 'all'], {
    optional: true,
    description: 'Those in use (the default), those that were archived, or all.',
    example: 'false',
  })
  archived?: string;

  @Choice(sorts, { optional: true, description: 'The order; `-` turns it round.', example: 'name' })
  sort?: string;
}

/** What lists are filtered and sorted by. */
export interface Listable {
  readonly id: number;
  readonly name: string;
  readonly archived: boolean;
  readonly changedAt: Date;
}

/** A page of things that are few enough to be held: filtered, sorted and cut. `own`: the filters of their kind. */
export const pageOfListing = <Row extends Listable, Item>(options: {
  readonly rows: readonly Row[];
  readonly query: ListingRequest;
  readonly own?: (row: Row) => boolean;
  readonly url: string;
  readonly toItem: (row: Row) => Item;
}): Answer<Page<Item>> => {
  const { rows, query, own = () => true, url, toItem } = options;
  const { limit = defaultLimit, cursor, sort = 'id', ...filters } = query;
  const filter = { ...filters, sort };
  const found = rows.filter((row) => own(row) && isWanted(row, query)).sort(orderOf(sort));
  const after = decodeCursor(filter, cursor, [/^[\s\S]{0,500}$/, cursorShapes.id]);
  const at = after === null ? -1 : found.findIndex((row) => isAfter(row, after, sort));
  const rest = after === null ? found : at < 0 ? [] : found.slice(at);
  return pageOf({
    ...{ rows: rest.slice(0, limit + 1), limit, filter, url, toItem },
    position: (row) => [valueOf(row, sort), String(row.id)],
    count: found.length,
  });
};

const isWanted = (row: Listable, { name, archived = 'false' }: ListingRequest): boolean =>
  (archived === 'all' || row.archived === (archived === 'true')) &&
  (name === undefined || row.name.toLowerCase().includes(name.toLowerCase()));

const valueOf = (row: Listable, sort: string): string => {
  if (sort.endsWith('name')) return row.name;
  return sort.endsWith('changedAt') ? row.changedAt.toISOString() : '';
};

/* By the value, and among equals by the id, so that every row has its place. */
const compare = (left: readonly [string, number], right: readonly [string, number]): number => {
  if (left[0] !== right[0]) return left[0] < right[0] ? -1 : 1;
  return left[1] - right[1];
};

const orderOf = (sort: string): ((left: Listable, right: Listable) => number) => {
  const turn = sort.startsWith('-') ? -1 : 1;
  return (left, right) => turn * compare([valueOf(left, sort), left.id], [valueOf(right, sort), right.id]);
};

const isAfter = (row: Listable, [value = '', id = '0']: readonly string[], sort: string): boolean => {
  const turn = sort.startsWith('-') ? -1 : 1;
  return turn * compare([valueOf(row, sort), row.id], [value, Number(id)]) > 0;
};
