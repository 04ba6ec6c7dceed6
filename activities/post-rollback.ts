import type { PoolClient } from 'pg';
import type { Connector, RowOutcome } from '../connectors/capabilities.js';
import { SyncError } from '../domain/errors.js';
import { keyOf, type RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import type { InstitutionContext, MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { fenced, readChunks, type Chunk, type Lease } from './lease.js';
import { postSteps } from './post.js';
import type { ChunkFacts } from './post-target.js';
import { addFinding } from './problems.js';

export interface PostedRollback {
  /** The rollback, under its lease, and the run that is rolled back. */
  readonly run: RunRef;
  readonly lease: Lease;
  readonly runId: string;
  readonly context: InstitutionContext;
}

export interface PostedRollbackCounts {
  readonly reversed: number;
  readonly kept: number;
  readonly failed: number;
}

const nothing: PostedRollbackCounts = { reversed: 0, kept: 0, failed: 0 };

const plus = (left: PostedRollbackCounts, right: PostedRollbackCounts): PostedRollbackCounts => ({
  reversed: left.reversed + right.reversed,
  kept: left.kept + right.kept,
  failed: left.failed + right.failed,
});

/** What a chunk's rollback found, and the keys of rows that somebody changed since. */
interface ChunkRollback {
  readonly counts: PostedRollbackCounts;
  readonly changed: readonly string[];
}

/** Takes back what a run posted, as each target declares. `restore`: exactly the rows that the run wrote and that still stand as
 *  it wrote them are deleted (they were kept with the intent of their chunk, so neither the source nor an undone write matters).
 *  `compensate` and `impossible`: the rows stand and are listed; no mapping can say yet what a reversing entry looks like.
 *  Repeatable: a chunk that was taken back is not looked at again. */
export const rollBackPosted = async (
  dependencies: ActivityDependencies,
  rolling: PostedRollback,
): Promise<PostedRollbackCounts> => {
  const { hub, openConnector } = dependencies;
  const { run, runId, context } = rolling;
  const posted = await hub.read(run.institutionId, (client) => readChunks(client, runId, postSteps.target));
  const byTarget = new Map<number, Chunk[]>();
  for (const chunk of posted) {
    const target = Number(chunk.part.split('/')[2]);
    byTarget.set(target, [...(byTarget.get(target) ?? []), chunk]);
  }
  let total = nothing;
  for (const [id, chunks] of byTarget) {
    const mapping = context.mapping(id);
    const connector = openConnector(mapping.system);
    try {
      const counts = await rollBackTarget(dependencies, rolling, { mapping, chunks, connector });
      total = plus(total, counts);
    } finally {
      await connector.close();
    }
  }
  return total;
};

interface TargetSite {
  readonly mapping: MappingRef;
  readonly chunks: readonly Chunk[];
  readonly connector: Connector;
}

const rollbackPart = (runId: string, part: string): string => `${runId}/posted/${part}`;

const rollBackTarget = async (
  { hub, heartbeat, crashPoint }: ActivityDependencies,
  rolling: PostedRollback,
  site: TargetSite,
): Promise<PostedRollbackCounts> => {
  const { run, runId, lease } = rolling;
  const isRestored = site.mapping.definition.target?.rollback === 'restore';
  let total = nothing;
  // The last entry goes first: it may refer to one before it.
  for (const chunk of [...site.chunks].reverse()) {
    const part = rollbackPart(runId, chunk.part);
    const before = await hub.read(run.institutionId, (client) => readChunks(client, run.runId, 'rollback', part));
    const known = before.find((one) => one.chunk === chunk.chunk);
    if (known !== undefined) {
      total = plus(total, known.counts as unknown as PostedRollbackCounts);
      continue;
    }
    const { counts, changed } = isRestored
      ? await restoreChunk(await readKept(rolling, hub, chunk), rolling, site)
      : await keepChunk(chunk, rolling, site);
    crashPoint('rollBackTargets');
    await fenced(hub, lease, async (client) => {
      await client.query(
        `insert into run_chunks (run_id, step, part, chunk, institution_id, counts) values ($1, 'rollback', $2, $3, $4, $5)`,
        [run.runId, part, chunk.chunk, run.institutionId, JSON.stringify(counts)],
      );
      await listKept(client, rolling, site, counts, changed);
    });
    total = plus(total, counts);
    heartbeat();
    crashPoint('rollBackTargets');
  }
  return total;
};

const readKept = async (
  { run, runId }: PostedRollback,
  hub: ActivityDependencies['hub'],
  { part, chunk }: Chunk,
): Promise<RawRow[]> =>
  hub.read(run.institutionId, async (client) => {
    const { rows } = await client.query<{ rows: RawRow[] }>(
      `select counts -> 'rows' as rows from run_chunks where run_id = $1 and step = $2 and part = $3 and chunk = $4`,
      [runId, postSteps.rows, part, chunk],
    );
    return rows[0]?.rows ?? [];
  });

const restoreChunk = async (
  rows: readonly RawRow[],
  { context }: PostedRollback,
  { mapping, connector }: TargetSite,
): Promise<ChunkRollback> => {
  if (rows.length === 0) return { counts: nothing, changed: [] };
  const { rows: target } = connector;
  if (target === undefined) throw new SyncError('configuration_invalid', `${mapping.definition.name} takes no rows`);
  const { columns, keyColumns } = context.target(mapping);
  const places = keyColumns.map((column) => columns.indexOf(column));
  const keyIn = (row: RawRow): RawRow => places.map((place) => row[place] ?? null);
  const outcomes = await target.writeRows(
    { entity: mapping.definition.entity, key: keyColumns, columns },
    rows.map((row) => ({ key: keyIn(row), before: row, after: null })),
  );
  const count = (status: RowOutcome['status']): number => outcomes.filter((one) => one.status === status).length;
  const changed = rows.filter((_, index) => outcomes[index]?.status === 'origin_differs');
  return {
    // A row that is gone is taken back as well.
    counts: { reversed: count('written') + count('already'), kept: changed.length, failed: count('refused') },
    changed: changed.map((row) => keyOf(keyIn(row)) ?? ''),
  };
};

const keepChunk = async (
  chunk: Chunk,
  { context }: PostedRollback,
  { mapping, connector }: TargetSite,
): Promise<ChunkRollback> => {
  const facts = chunk.counts as unknown as ChunkFacts;
  if (facts.outcome !== null) return { counts: { ...nothing, kept: facts.outcome.new }, changed: [] };
  // The run ended between intent and outcome: the probe tells whether the rows came to stand.
  const { columns, keyColumns } = context.target(mapping);
  const target = { entity: mapping.definition.entity, key: keyColumns, columns };
  const there = facts.probe === null ? null : await connector.rows?.readRows(target, [facts.probe]);
  return { counts: { ...nothing, kept: (there?.size ?? 0) > 0 ? facts.fresh : 0 }, changed: [] };
};

const listKept = async (
  client: PoolClient,
  { run }: PostedRollback,
  { mapping }: TargetSite,
  counts: PostedRollbackCounts,
  changed: readonly string[],
): Promise<void> => {
  const told = { kind: 'posted_kept', mappingId: mapping.id, systemId: mapping.systemId };
  if (mapping.definition.target?.rollback !== 'restore' && counts.kept > 0) {
    const detail = `${String(counts.kept)} posted rows stand: the target declares no way to take them back`;
    await addFinding(client, run, { ...told, detail });
  }
  for (const sourceKey of changed)
    await addFinding(client, run, { ...told, sourceKey, detail: 'the row was changed since it was posted' });
};
