import type { PoolClient } from 'pg';
import type { Connector, RowOutcome, RowTarget, RowWrite, TargetEntity } from '../connectors/capabilities.js';
import { SyncError } from '../domain/errors.js';
import type { CompiledTarget } from '../domain/projection.js';
import { keyOf, type RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import type { MappingRef } from './context.js';
import { decodeRows, type TargetRows } from './post-reading.js';

/** How the rows of a chunk are written. `insert`: none of them was there (the probe was not), so they come all or not at all.
 *  `compare`: some may be there: each is compared with what stands there. */
type Mode = 'insert' | 'compare';

/** What is known of a chunk at one target; kept in `run_chunks` (step `post`, part mapping/partition/target). */
export interface ChunkFacts {
  readonly mode: Mode;
  readonly count: number;
  /** Keys of the first and the last row, as the target takes them. */
  readonly first: RawRow;
  readonly last: RawRow;
  /** A key that was not there when the write was intended: there now, the write took place. */
  readonly probe: RawRow | null;
  /** Rows whose key was not there when the write was intended. */
  readonly fresh: number;
  readonly outcome: ChunkOutcome | null;
  /** The target's own digest of its rows from `first` up to, not including, `last`; null where these bounds enclose others. */
  readonly standing: string | null;
}

export interface ChunkOutcome {
  /** Rows that this run wrote. */
  readonly new: number;
  /** Rows that stood there already, equal. */
  readonly unchanged: number;
  /** Keys that stood there with another content: left alone. */
  readonly differs: number;
  /** Rows that the target's own constraints refused. */
  readonly refused: number;
}

/** Rows that did not come to stand as they are. */
export interface Exceptions {
  readonly differing: readonly string[];
  readonly refused: readonly { readonly row: RawRow; readonly key: string; readonly reason: string }[];
}

const noExceptions: Exceptions = { differing: [], refused: [] };

/** A write that was intended by an earlier attempt, which did not come to record its outcome. */
export interface StoredChunk {
  readonly digest: string | null;
  readonly facts: ChunkFacts;
}

/** Keeps what is known of a chunk before its target is written. `rows`: exactly what is about to be written, where it may have
 *  to be taken out again; `more`: besides what an earlier attempt did write. */
export interface ChunkStore {
  intend(
    facts: ChunkFacts,
    digest: string,
    rows: { readonly more: boolean; readonly rows: readonly RawRow[] } | null,
  ): Promise<void>;
}

/** The end of a chunk at one target: to be recorded with its exceptions in one transaction. */
export interface WrittenChunk {
  readonly facts: ChunkFacts;
  readonly exceptions: Exceptions;
}

/** Writes a chunk that was prepared. */
export type Write = () => Promise<WrittenChunk>;

/** Writes chunks of a posted type to one target. A chunk is one transaction there: a crash leaves all of it or nothing, and the
 *  probe of its intent tells which. */
export class PostTarget {
  private readonly rows: RowTarget;
  private readonly entity: TargetEntity;
  private readonly keyPlaces: readonly number[];
  private keyIsUnique: boolean | null = null;

  constructor(
    readonly mapping: MappingRef,
    target: CompiledTarget,
    private readonly connector: Connector,
    private readonly crashPoint: () => void,
  ) {
    if (connector.rows === undefined) {
      throw new SyncError('configuration_invalid', `${mapping.definition.name}: a posted type is written row by row`);
    }
    this.rows = connector.rows;
    this.entity = { entity: mapping.definition.entity, key: target.keyColumns, columns: target.columns };
    this.keyPlaces = target.keyColumns.map((column) => target.columns.indexOf(column));
  }

  /** Whether a run's rows are to be kept so that they can be taken back. */
  get isReversible(): boolean {
    return (this.mapping.definition.target?.rollback ?? 'impossible') !== 'impossible';
  }

  /** Whether an entry is taken back by another one. */
  get compensates(): boolean {
    return this.mapping.definition.target?.compensation !== undefined;
  }

  /** Finds out how the chunk is to be written, and logs that it will be, so that the next chunk is ready when the target is.
   *  What it returns is done when the target has the rows.
   *  @param known what an earlier attempt of this run intended
   *  @param standing what an earlier run left, by the digest of what it wrote: skipped where it still stands */
  async prepare(
    chunk: TargetRows,
    known: StoredChunk | null,
    standing: ReadonlyMap<string, ChunkFacts>,
    store: ChunkStore,
  ): Promise<Write> {
    const bounds = { count: chunk.count, first: this.keyIn(chunk.first), last: this.keyIn(chunk.last) };
    const before = known?.facts.fresh ?? null;
    if (known !== null && (await this.tookPlace(known))) {
      if (known.digest === chunk.digest && known.facts.mode === 'insert') return already(wholly(known.facts));
      return () => this.compare(chunk, bounds, before, store);
    }
    if ((await this.hasUniqueKey()) && !(await this.isThere(bounds.first))) {
      const intended = await this.intendInsert(chunk, bounds, store);
      // A key that is there after all may be the late commit of the earlier attempt.
      return async () => (await this.insert(chunk, intended)) ?? (await this.compare(chunk, bounds, before, store));
    }
    const earlier = standing.get(chunk.digest);
    if (earlier !== undefined && (await this.stillStands(earlier, chunk.last))) {
      const outcome = { new: 0, unchanged: bounds.count, differs: 0, refused: 0 };
      return already({ ...earlier, mode: 'compare', probe: null, fresh: 0, outcome });
    }
    return () => this.compare(chunk, bounds, null, store);
  }

  keyIn(row: RawRow): RawRow {
    return this.keyPlaces.map((place) => row[place] ?? null);
  }

  /** Without a key of the target's own, a bulk insert could double a row. */
  private async hasUniqueKey(): Promise<boolean> {
    if (this.keyIsUnique === null) {
      const { key } = await this.connector.catalogue.describeEntity(this.entity.entity);
      this.keyIsUnique = key.length > 0 && key.every((column) => this.entity.key.includes(column));
    }
    return this.keyIsUnique;
  }

  private async isThere(key: RawRow): Promise<boolean> {
    return (await this.rows.readRows(this.entity, [key])).size > 0;
  }

  private async tookPlace({ facts }: StoredChunk): Promise<boolean> {
    return facts.probe !== null && (await this.isThere(facts.probe));
  }

  private async intendInsert(
    chunk: TargetRows,
    bounds: Pick<ChunkFacts, 'count' | 'first' | 'last'>,
    store: ChunkStore,
  ): Promise<ChunkFacts> {
    const intended: ChunkFacts = {
      ...bounds,
      mode: 'insert',
      probe: bounds.first,
      fresh: bounds.count,
      outcome: null,
      standing: null,
    };
    const kept = this.isReversible ? { more: false, rows: [...decodeRows(chunk.text)].flat() } : null;
    await store.intend(intended, chunk.digest, kept);
    this.crashPoint();
    return intended;
  }

  /** All or nothing; null where a key was there after all. */
  private async insert(chunk: TargetRows, intended: ChunkFacts): Promise<WrittenChunk | null> {
    try {
      const count = await this.connector.copy?.insertText(this.entity, partsOf(chunk.text));
      if (count === null || count === undefined)
        await this.rows.insertRows(this.entity, partsOf(decodeRows(chunk.text)));
    } catch (error) {
      if (error instanceof SyncError && error.code === 'target_row_exists') return null;
      throw error;
    }
    this.crashPoint();
    return written(wholly(intended));
  }

  /** Compare-and-set of what is not there, equal, already. `before`: how many rows an earlier attempt of this run wrote, of
   *  those that are found now; null: this is the first attempt that comes so far. */
  private async compare(
    chunk: TargetRows,
    bounds: Pick<ChunkFacts, 'count' | 'first' | 'last'>,
    before: number | null,
    store: ChunkStore,
  ): Promise<WrittenChunk> {
    const { todo, equal, absent } = await this.unlikeTarget(chunk);
    const [probe] = absent;
    const intended: ChunkFacts = {
      ...bounds,
      mode: 'compare',
      probe: probe === undefined ? null : this.keyIn(probe),
      fresh: absent.length + (before ?? 0),
      outcome: null,
      standing: null,
    };
    await store.intend(intended, chunk.digest, this.isReversible ? { more: before !== null, rows: absent } : null);
    this.crashPoint();
    const writes = todo.map((row) => this.creation(row));
    const outcomes = writes.length === 0 ? [] : await this.rows.writeRows(this.entity, writes);
    this.crashPoint();
    const { outcome, exceptions } = tally(todo, outcomes, (row) => keyOf(this.keyIn(row)) ?? '');
    const ours = Math.min(before ?? 0, equal + outcome.unchanged);
    const told = { ...outcome, new: outcome.new + ours, unchanged: outcome.unchanged + equal - ours };
    return { facts: { ...intended, outcome: told }, exceptions };
  }

  private creation(row: RawRow): RowWrite {
    return { key: this.keyIn(row), before: null, after: row };
  }

  /** Rows that are not there in these very texts: `absent` ones, and some that may differ by their spelling only. */
  private async unlikeTarget(
    chunk: TargetRows,
  ): Promise<{ readonly todo: RawRow[]; readonly absent: RawRow[]; readonly equal: number }> {
    const todo: RawRow[] = [];
    const absent: RawRow[] = [];
    for (const rows of inBatches(decodeRows(chunk.text), readAtOnce)) {
      const keys = rows.map((row) => this.keyIn(row));
      const there = await this.rows.readRows(this.entity, keys);
      for (const [index, row] of rows.entries()) {
        const found = there.get(keyOf(keys[index] ?? []) ?? '');
        if (found === undefined) absent.push(row);
        if (found === undefined || !sameCells(found, row)) todo.push(row);
      }
    }
    return { todo, absent, equal: chunk.count - todo.length };
  }

  private async stillStands(earlier: ChunkFacts, last: RawRow): Promise<boolean> {
    if (earlier.standing === null) return false;
    const { digest } = await this.rows.digestRange(this.entity, earlier.first, earlier.last);
    if (digest !== earlier.standing) return false;
    // The last row lies outside the half-open range; its spelling at the target is not ours to know, so it is asked of the target.
    const [outcome] = await this.rows.writeRows(this.entity, [{ key: earlier.last, before: last, after: last }]);
    return outcome?.status === 'already';
  }

  /** What a written chunk leaves there, where every row stands as it was given: a later run need not compare them again.
   *  Known already where the chunk was skipped. */
  async settle(written: WrittenChunk): Promise<WrittenChunk> {
    const { facts, exceptions } = written;
    const { outcome, standing, first, last, count } = facts;
    if (standing !== null || outcome === null || outcome.differs + outcome.refused > 0) return written;
    const found = await this.rows.digestRange(this.entity, first, last);
    return { facts: { ...facts, standing: found.count === count - 1 ? found.digest : null }, exceptions };
  }
}

const already =
  (facts: ChunkFacts): Write =>
  () =>
    Promise.resolve(written(facts));

const written = (facts: ChunkFacts): WrittenChunk => ({ facts, exceptions: noExceptions });

/** An insert that took place wrote every row. */
const wholly = (facts: ChunkFacts): ChunkFacts => ({
  ...facts,
  outcome: { new: facts.count, unchanged: 0, differs: 0, refused: 0 },
});

const sameCells = (left: RawRow, right: RawRow): boolean =>
  left.length === right.length && left.every((cell, index) => cell === right[index]);

const readAtOnce = 5_000;

function* inBatches(parts: Iterable<readonly RawRow[]>, size: number): Generator<RawRow[], void, undefined> {
  let batch: RawRow[] = [];
  for (const rows of parts) {
    batch.push(...rows);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function* partsOf<T>(parts: Iterable<T>): AsyncGenerator<T, void, undefined> {
  yield* parts;
}

const tally = (
  rows: readonly RawRow[],
  outcomes: readonly RowOutcome[],
  keyText: (row: RawRow) => string,
): { readonly outcome: ChunkOutcome; readonly exceptions: Exceptions } => {
  const counts = { new: 0, unchanged: 0, differs: 0, refused: 0 };
  const differing: string[] = [];
  const refused: { row: RawRow; key: string; reason: string }[] = [];
  for (const [index, row] of rows.entries()) {
    const outcome = outcomes[index];
    if (outcome === undefined) throw new SyncError('internal', 'a target gave no outcome for a row');
    if (outcome.status === 'written') counts.new += 1;
    else if (outcome.status === 'already') counts.unchanged += 1;
    else if (outcome.status === 'refused') {
      counts.refused += 1;
      refused.push({ row, key: keyText(row), reason: outcome.reason });
    } else {
      counts.differs += 1;
      differing.push(keyText(row));
    }
  }
  return { outcome: counts, exceptions: { differing, refused } };
};

/** The chunks of earlier runs by the digest of their content: `part` is mapping/partition/target of any partition. */
export const readStanding = async (
  client: PoolClient,
  run: RunRef,
  mappingId: number,
  targetId: number,
): Promise<Map<string, ChunkFacts>> => {
  const { rows } = await client.query<{ digest: string; facts: ChunkFacts }>(
    `select c.digest, c.counts as facts from run_chunks c
     where c.step = 'post' and c.state = 'done' and c.part like $3 and c.run_id = (
       select max(r.id) from sync_runs r
       where r.job_id = $2 and r.id < $1 and r.kind <> 'dry_run' and exists (
         select 1 from run_chunks o where o.run_id = r.id and o.step = 'post' and o.state = 'done' and o.part like $3))`,
    [run.runId, run.jobId, `${String(mappingId)}/%/${String(targetId)}`],
  );
  return new Map(rows.map(({ digest, facts }) => [digest, facts]));
};
