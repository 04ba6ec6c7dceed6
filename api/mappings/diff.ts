import { canonicalJson } from '../../platform/canonical-json.js';

/** One difference between two definitions. */
export interface Difference {
  /** JSON Pointer. */
  readonly pointer: string;
  readonly before: unknown;
  readonly after: unknown;
}

const most = 200;

/** Where two definitions differ, as deep as both are objects; the first 200. Pure. */
export const differences = (before: unknown, after: unknown): readonly Difference[] => {
  const found: Difference[] = [];
  collect(before, after, '', found);
  return found.slice(0, most);
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const collect = (before: unknown, after: unknown, pointer: string, found: Difference[]): void => {
  if (found.length >= most || textOf(before) === textOf(after)) return;
  if (!isObject(before) || !isObject(after)) {
    found.push({ pointer, before: before ?? null, after: after ?? null });
    return;
  }
  for (const name of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    collect(before[name], after[name], `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, found);
  }
};

const textOf = (value: unknown): string => (value === undefined ? '' : canonicalJson(value));
