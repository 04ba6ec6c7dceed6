import type {
  Connector,
  RowOutcome,
  RowTarget,
  RowWrite,
  TargetEntity,
  WholeFileTarget,
} from '../connectors/capabilities.js';
import { SyncError } from '../domain/errors.js';
import { keyOf, type RawRow } from '../domain/rows.js';
import { spelledRow } from '../domain/spelling.js';
import { hash128 } from '../platform/hash.js';

/* Targets of a dry run: asked what stands there, told what would be written, and never written to. What the target's own
   constraints would refuse shows only when it is written. */

/** The connector, with targets that only look. It takes no encoded rows and no deliveries. */
export const withoutWriting = (connector: Connector): Connector => {
  const { rows, file } = connector;
  return {
    checker: connector.checker,
    catalogue: connector.catalogue,
    ...(connector.snapshots === undefined ? {} : { snapshots: connector.snapshots }),
    ...(connector.keyed === undefined ? {} : { keyed: connector.keyed }),
    ...(connector.watermarks === undefined ? {} : { watermarks: connector.watermarks }),
    ...(connector.deliveries === undefined ? {} : { deliveries: connector.deliveries }),
    ...(rows === undefined ? {} : { rows: new DryRows(rows) }),
    ...(file === undefined ? {} : { file: dryFile(file) }),
    close: () => connector.close(),
  };
};

/** Rows that would have been written are remembered so long: they are read back at once, and a later page may move a key. */
const mostRemembered = 20_000;

class DryRows implements RowTarget {
  /** By entity and key text; null: it would be gone. */
  private readonly written = new Map<string, RawRow | null>();

  constructor(private readonly rows: RowTarget) {}

  async readRows(target: TargetEntity, keys: readonly RawRow[]): Promise<Map<string, RawRow>> {
    const there = await this.rows.readRows(target, keys);
    for (const key of keys) {
      const text = keyOf(key);
      const row = text === null ? undefined : this.written.get(placeOf(target, text));
      if (text === null || row === undefined) continue;
      if (row === null) there.delete(text);
      else there.set(text, row);
    }
    return there;
  }

  async writeRows(target: TargetEntity, writes: readonly RowWrite[]): Promise<RowOutcome[]> {
    const spelling = await this.rows.spelling(target);
    const spelled = (row: RawRow | null): RawRow | null => (row === null ? null : (spelledRow(spelling, row) ?? row));
    const there = await this.readRows(
      target,
      writes.map(({ key }) => key),
    );
    return writes.map(({ key, before, after }): RowOutcome => {
      const text = keyOf(key) ?? '';
      const actual = there.get(text) ?? null;
      const wanted = spelled(after);
      if (sameRow(actual, wanted)) return { status: 'already' };
      if (!sameRow(actual, spelled(before))) return { status: 'origin_differs', actual };
      this.remember(placeOf(target, text), wanted);
      if (wanted === null) there.delete(text);
      else there.set(text, wanted);
      return { status: 'written' };
    });
  }

  async insertRows(target: TargetEntity, rows: AsyncIterable<readonly RawRow[]>): Promise<number> {
    const columns = target.key.map((column) => target.columns.indexOf(column));
    const keys = (row: RawRow): RawRow => columns.map((at) => row[at] ?? null);
    let count = 0;
    for await (const batch of rows) {
      if ((await this.readRows(target, batch.map(keys))).size > 0)
        throw new SyncError('target_row_exists', `a row of ${target.entity} is there already`);
      for (const row of batch) this.remember(placeOf(target, keyOf(keys(row)) ?? ''), row);
      count += batch.length;
    }
    return count;
  }

  spelling(target: TargetEntity): ReturnType<RowTarget['spelling']> {
    return this.rows.spelling(target);
  }

  digestRange(target: TargetEntity, from: RawRow | null, to: RawRow | null): ReturnType<RowTarget['digestRange']> {
    return this.rows.digestRange(target, from, to);
  }

  private remember(place: string, row: RawRow | null): void {
    this.written.delete(place);
    this.written.set(place, row);
    if (this.written.size <= mostRemembered) return;
    const [oldest] = this.written.keys();
    if (oldest !== undefined) this.written.delete(oldest);
  }
}

const placeOf = (target: TargetEntity, key: string): string => `${target.entity}\u0000${key}`;

const sameRow = (left: RawRow | null, right: RawRow | null): boolean =>
  left === null || right === null
    ? left === right
    : left.length === right.length && left.every((cell, index) => cell === right[index]);

/** The rows are read to their end, for what they are found to be on the way. */
const dryFile = (file: WholeFileTarget): WholeFileTarget => ({
  currentDigest: (target) => file.currentDigest(target),
  readWhole: (target) => file.readWhole(target),
  async replaceWhole(target, rows, expected) {
    let count = 0;
    let digest = '';
    for await (const batch of rows) {
      count += batch.length;
      digest = hash128(digest + JSON.stringify(batch));
    }
    const differs = await file.currentDigest(target);
    return differs === expected ? { digest: `dry run ${digest}`, rows: count } : { differs };
  },
});
