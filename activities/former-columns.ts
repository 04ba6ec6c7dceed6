import type { RowTarget } from '../connectors/capabilities.js';
import { loadMappingVersion } from '../database/configuration-store.js';
import { SyncError } from '../domain/errors.js';
import { keySeparator } from '../domain/rows.js';
import type { RawRow } from '../domain/rows.js';
import { hashOfRow, type TargetChange } from './projecting.js';
import type { Publishing } from './publishing.js';

/** Of a row that we only write, a hash is kept, over the columns that its mapping had when the row was told. Where the mapping has
 *  others now, a row that is as it was told by those is known by what it holds in these; else every row would seem edited there.
 *  `there`: the rows of the target, by the columns of now. */
export const knownByFormerColumns = async (
  publishing: Publishing,
  rows: RowTarget,
  changes: readonly TargetChange[],
  there: ReadonlyMap<string, RawRow>,
): Promise<readonly TargetChange[]> => {
  const { judge, mapping } = publishing;
  const isFormer = ({ image, knownHash }: TargetChange): boolean =>
    image !== null && knownHash !== null && image[4] !== mapping.version;
  const versions = judge.shared ? [] : [...new Set(changes.filter(isFormer).map(({ image }) => image?.[4] ?? 0))];
  const known = new Map<string, string>();
  for (const version of versions) {
    const told = changes.filter((change) => isFormer(change) && change.image?.[4] === version);
    for (const [key, hash] of await hashesByColumnsOf(publishing, rows, version, told))
      known.set(`${version} ${key}`, hash);
  }
  return changes.map((change) => {
    const key = change.image?.[1] ?? '';
    const actual = there.get(key);
    const asTold = isFormer(change) && known.get(`${String(change.image?.[4])} ${key}`) === change.knownHash;
    return asTold && actual !== undefined ? { ...change, knownHash: hashOfRow(actual) } : change;
  });
};

/* By key. None where the columns are the same, or some of them are no longer there. */
const hashesByColumnsOf = async (
  { dependencies: { hub }, run, context, mapping, target }: Publishing,
  rows: RowTarget,
  version: number,
  changes: readonly TargetChange[],
): Promise<ReadonlyMap<string, string>> => {
  const former = await loadMappingVersion(hub, run.institutionId, mapping.id, version);
  const columns = context.targetColumns(former);
  if (columns === null || columns.join(keySeparator) === target.columns.join(keySeparator)) return new Map();
  try {
    const keys = changes.map(({ image }) => (image?.[1] ?? '').split(keySeparator));
    const there = await rows.readRows({ ...target, columns }, keys);
    return new Map([...there].map(([key, row]) => [key, hashOfRow(row)]));
  } catch (error) {
    if (error instanceof SyncError && error.code === 'target_schema_changed') return new Map();
    throw error;
  }
};
