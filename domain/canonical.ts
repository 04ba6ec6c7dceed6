/**
 * What a system says about one attribute group of a record: *a value*, *explicitly empty*, or *nothing*.
 * A value is canonical JSON text (sorted keys), so that equality of values is equality of texts; `EMPTY` is the text `null`.
 * *Nothing* is the TypeScript `null` and never takes part in a merge.
 */
export type Stated = string;

/** Explicitly empty: the system says that there is no value. */
export const EMPTY: Stated = 'null';

/** The state of a statement: `live` (the system says so itself), `echo` (we wrote it there), `overruled` (a person or a rule
 *  decided otherwise; ends when the system changes it), `open` (in an undecided conflict). */
export type StatementState = 'live' | 'echo' | 'overruled' | 'open';

/** A statement as we hold it. `settled` is the golden version against which it was last settled; 0: not settled, not told. */
export interface Statement {
  readonly value: Stated | null;
  readonly state: StatementState;
  readonly settled: number;
}

/** The golden value of one attribute group. `version` is the record version that set it; `origin` the image it came from
 *  (null: a person, or nothing yet); `sticky`: a person's override that stands against imports. */
export interface GoldenGroup {
  readonly value: Stated | null;
  readonly version: number;
  readonly origin: string | null;
  readonly sticky: boolean;
}

/** A group about which nothing was ever said. */
export const unsaid: GoldenGroup = { value: null, version: 0, origin: null, sticky: false };

/** JSON value of canonical attributes: text, numbers as text, booleans, lists, objects. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** Canonical JSON text: keys sorted by code unit, no spaces. The text of equal values is equal. Source: RFC 8785, for the
 *  values that occur here (strings, finite numbers, booleans, null, lists, objects). */
export const toStated = (value: Json): Stated => {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item: Json) => toStated(item)).join(',')}]`;
  const record = value as { readonly [name: string]: Json };
  const members = Object.keys(record)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${toStated(record[name] ?? null)}`);
  return `{${members.join(',')}}`;
};

/** The value of a canonical text. @throws SyntaxError where the text is not JSON (a defect: only `toStated` makes them) */
export const fromStated = (text: Stated): Json => JSON.parse(text) as Json;
