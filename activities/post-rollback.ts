import type { PoolClient } from 'pg';
import type { Connector, RowOutcome, RowTarget, RowWrite, TargetEntity } from '../connectors/capabilities.js';
import { compileCompensation } from '../domain/compensation.js';
import { SyncError } from '../domain/errors.js';
import { keyOf, type RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import type { InstitutionContext, MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { fenced, readChunks, type Chunk, type Lease } from './lease.js';
import { postSteps } from './post.js';
import type { ChunkFacts } from './post-target.js';
import { addFinding } from './problems.js';
import { rememberTakenBack } from './taken-back.js';

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

/** What a run did with the rows of a chunk: posted them, or, being a rollback itself, took them out, put them back, or added entries
 *  that are their opposite. */
type Deed = 'posted' | 'removed' | 'created' | 'compensated';

interface DoneChunk {
  readonly part: string;
  readonly chunk: number;
  readonly target: number;
  readonly deed: Deed;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** What is done about a chunk; null: its rows stand. */
type Answer = Exclude<Deed, 'posted'> | null;

const answerTo = (deed: Deed, { definition }: MappingRef): Answer => {
  if (deed === 'removed') return 'created';
  if (deed === 'created') return 'removed';
  if (definition.target?.compensation !== undefined) return 'compensated';
  return deed === 'posted' && definition.target?.rollback === 'restore' ? 'removed' : null;
};

/** Takes back what a run posted, as each target declares. `restore`: exactly the rows that the run wrote and that still stand as
 *  it wrote them are deleted (they were kept with the intent of their chunk, so neither the source nor an undone write matters).
 *  `compensate`: for each of these an entry is added that is its opposite. `impossible`: the rows stand and are listed. What a
 *  rollback did so is taken back like anything else. Repeatable: what is about to be done is kept before it is done, and a chunk that was
 *  taken back is not looked at again. */
export const rollBackPosted = async (
  dependencies: ActivityDependencies,
  rolling: PostedRollback,
): Promise<PostedRollbackCounts> => {
  const { hub, openConnector } = dependencies;
  const { run, runId, context } = rolling;
  const chunks = await hub.read(run.institutionId, (client) => chunksOf(client, run, runId));
  const byTarget = new Map<number, DoneChunk[]>();
  for (const chunk of chunks) byTarget.set(chunk.target, [...(byTarget.get(chunk.target) ?? []), chunk]);
  let total = nothing;
  for (const [id, done] of byTarget) {
    const mapping = context.mapping(id);
    const connector = openConnector(mapping.system);
    try {
      const counts = await rollBackTarget(dependencies, rolling, { mapping, chunks: done, connector });
      total = plus(total, counts);
    } finally {
      await connector.close();
    }
  }
  return total;
};

/** Parts end with the target: mapping/partition/target, and of a rollback the run that it took back before them. */
const targetIn = (part: string): number => Number(part.slice(part.lastIndexOf('/') + 1));

const chunksOf = async (client: PoolClient, run: RunRef, runId: string): Promise<DoneChunk[]> => {
  const done = (deed: Deed, { part, chunk, counts }: Chunk): DoneChunk => ({
    ...{ part, chunk, target: targetIn(part), deed },
    facts: counts,
  });
  const posted = (await readChunks(client, runId, postSteps.target)).map((chunk) => done('posted', chunk));
  // A run that takes itself back does not take back that it does.
  if (runId === run.runId) return posted;
  const answered = (await readChunks(client, runId, 'rollback')).flatMap((chunk) => {
    const { deed } = chunk.counts as { readonly deed?: Answer };
    return deed === undefined || deed === null ? [] : [done(deed, chunk)];
  });
  return [...posted, ...answered];
};

interface TargetSite {
  readonly mapping: MappingRef;
  readonly chunks: readonly DoneChunk[];
  readonly connector: Connector;
}

const rollbackPart = (runId: string, part: string): string => `${runId}/posted/${part}`;

const rollBackTarget = async (
  dependencies: ActivityDependencies,
  rolling: PostedRollback,
  site: TargetSite,
): Promise<PostedRollbackCounts> => {
  const { hub, heartbeat, crashPoint } = dependencies;
  const { run, runId, lease } = rolling;
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
    const deed = answerTo(chunk.deed, site.mapping);
    const done =
      deed === null
        ? await keepChunk(chunk, rolling, site)
        : await answerChunk(dependencies, rolling, site, chunk, deed);
    crashPoint('rollBackTargets');
    await fenced(hub, lease, async (client) => {
      await client.query(
        `insert into run_chunks (run_id, step, part, chunk, institution_id, counts) values ($1, 'rollback', $2, $3, $4, $5)`,
        [run.runId, part, chunk.chunk, run.institutionId, JSON.stringify({ ...done.counts, deed })],
      );
      // An opposite never comes from a source.
      if (runId !== run.runId && (deed === 'removed' || (deed === 'compensated' && chunk.deed === 'posted')))
        await rememberTakenBack(client, { run, runId, mapping: site.mapping, rows: done.takenBack });
      await listKept(client, rolling, site, deed, done);
    });
    total = plus(total, done.counts);
    heartbeat();
    crashPoint('rollBackTargets');
  }
  return total;
};

/** What became of a chunk. */
interface ChunkRollback {
  readonly counts: PostedRollbackCounts;
  /** Keys of rows that somebody changed since. */
  readonly changed: readonly string[];
  /** Rows that stand for nothing any more, by their keys, as they were posted. */
  readonly takenBack: readonly (readonly [key: string, row: RawRow])[];
}

/** Exactly what a rollback is about to write for a chunk; kept before it does. */
interface Intent {
  /** Rows that it adds or takes out. */
  readonly rows: readonly RawRow[];
  /** Rows of the chunk that these take back. */
  readonly answered: readonly RawRow[];
  readonly changed: readonly string[];
  /** Rows that are as they are to be without us. */
  readonly already: number;
  /** Rows for which there is no opposite. */
  readonly impossible: number;
}

const readKept = async <T>(
  client: PoolClient,
  runId: string,
  { part, chunk }: { readonly part: string; readonly chunk: number },
): Promise<T | null> => {
  const { rows } = await client.query<{ counts: T }>(
    `select counts from run_chunks where run_id = $1 and step = $2 and part = $3 and chunk = $4`,
    [runId, postSteps.rows, part, chunk],
  );
  return rows[0]?.counts ?? null;
};

const answerChunk = async (
  { hub, crashPoint }: ActivityDependencies,
  rolling: PostedRollback,
  site: TargetSite,
  chunk: DoneChunk,
  deed: Exclude<Answer, null>,
): Promise<ChunkRollback> => {
  const { run, runId, lease, context } = rolling;
  const { mapping, connector } = site;
  const { rows: target } = connector;
  if (target === undefined) throw new SyncError('configuration_invalid', `${mapping.definition.name} takes no rows`);
  const { columns, keyColumns } = context.target(mapping);
  const entity: TargetEntity = { entity: mapping.definition.entity, key: keyColumns, columns };
  const places = keyColumns.map((column) => columns.indexOf(column));
  const keyIn = (row: RawRow): RawRow => places.map((place) => row[place] ?? null);
  const keyText = (row: RawRow): string => keyOf(keyIn(row)) ?? '';

  const at = { part: rollbackPart(runId, chunk.part), chunk: chunk.chunk };
  const known = await hub.read(run.institutionId, (client) => readKept<Intent>(client, run.runId, at));
  const intend = async (): Promise<Intent> => {
    const kept = await hub.read(run.institutionId, (client) => readKept<{ rows: RawRow[] }>(client, runId, chunk));
    const rows = kept?.rows ?? [];
    const found = await standingOf(target, entity, rows, keyIn);
    const made = intentFor(deed, rows, found, { mapping, columns, by: run.runId, keyText });
    await fenced(hub, lease, (client) =>
      client.query(
        `insert into run_chunks (run_id, step, part, chunk, institution_id, counts, state) values ($1, $2, $3, $4, $5, $6, 'intended')
         on conflict do nothing`,
        [run.runId, postSteps.rows, at.part, at.chunk, run.institutionId, JSON.stringify(made)],
      ),
    );
    crashPoint('rollBackTargets');
    return made;
  };
  const intent = known ?? (await intend());
  const writes = intent.rows.map((row): RowWrite =>
    deed === 'removed' ? { key: keyIn(row), before: row, after: null } : { key: keyIn(row), before: null, after: row },
  );
  const outcomes = writes.length === 0 ? [] : await target.writeRows(entity, writes);
  return resultOf(intent, outcomes, deed, keyText);
};

type Standing = 'stands' | 'gone' | 'changed';

/** How each row stands now, by the target's own comparison: it may spell a value otherwise. */
const standingOf = async (
  target: RowTarget,
  entity: TargetEntity,
  rows: readonly RawRow[],
  keyIn: (row: RawRow) => RawRow,
): Promise<Standing[]> => {
  if (rows.length === 0) return [];
  const outcomes = await target.writeRows(
    entity,
    rows.map((row) => ({ key: keyIn(row), before: row, after: row })),
  );
  return outcomes.map((outcome) =>
    outcome.status === 'origin_differs' ? (outcome.actual === null ? 'gone' : 'changed') : 'stands',
  );
};

const intentFor = (
  deed: Exclude<Answer, null>,
  rows: readonly RawRow[],
  standing: readonly Standing[],
  site: {
    readonly mapping: MappingRef;
    readonly columns: readonly string[];
    readonly by: string;
    readonly keyText: (row: RawRow) => string;
  },
): Intent => {
  const wanted: Standing = deed === 'created' ? 'gone' : 'stands';
  const answered = rows.filter((_, index) => standing[index] === wanted);
  const changed = rows.filter((_, index) => standing[index] === 'changed').map(site.keyText);
  const already = rows.length - answered.length - changed.length;
  const compensation = site.mapping.definition.target?.compensation;
  if (deed !== 'compensated' || compensation === undefined)
    return { rows: answered, answered, changed, already, impossible: 0 };
  const opposite = compileCompensation(compensation, site.columns);
  const pairs = answered.flatMap((row) => {
    const made = opposite(row, site.by);
    return 'row' in made ? [{ row, opposite: made.row }] : [];
  });
  return {
    rows: pairs.map((pair) => pair.opposite),
    answered: pairs.map(({ row }) => row),
    ...{ changed, already, impossible: answered.length - pairs.length },
  };
};

const resultOf = (
  intent: Intent,
  outcomes: readonly RowOutcome[],
  deed: Exclude<Answer, null>,
  keyText: (row: RawRow) => string,
): ChunkRollback => {
  const isDone = (index: number): boolean => ['written', 'already'].includes(outcomes[index]?.status ?? '');
  const reversed = intent.answered.filter((_, index) => isDone(index));
  // A key that another entry has already is no edit of the row: there can be no opposite of it.
  const edited =
    deed === 'compensated'
      ? []
      : intent.answered.filter((_, index) => outcomes[index]?.status === 'origin_differs').map(keyText);
  const changed = [...intent.changed, ...edited];
  return {
    counts: {
      // A row that is gone is taken back as well.
      reversed: reversed.length + intent.already,
      kept: changed.length,
      failed: intent.impossible + intent.answered.length - reversed.length - edited.length,
    },
    changed,
    takenBack: reversed.map((row) => [keyText(row), row]),
  };
};

const keepChunk = async (
  chunk: DoneChunk,
  { context }: PostedRollback,
  { mapping, connector }: TargetSite,
): Promise<ChunkRollback> => {
  const standing = { changed: [], takenBack: [] };
  const facts = chunk.facts as unknown as ChunkFacts & PostedRollbackCounts;
  if (chunk.deed !== 'posted') return { ...standing, counts: { ...nothing, kept: facts.reversed } };
  if (facts.outcome !== null) return { ...standing, counts: { ...nothing, kept: facts.outcome.new } };
  // The run ended between intent and outcome: the probe tells whether the rows came to stand.
  const { columns, keyColumns } = context.target(mapping);
  const target = { entity: mapping.definition.entity, key: keyColumns, columns };
  const there = facts.probe === null ? null : await connector.rows?.readRows(target, [facts.probe]);
  return { ...standing, counts: { ...nothing, kept: (there?.size ?? 0) > 0 ? facts.fresh : 0 } };
};

const listKept = async (
  client: PoolClient,
  { run }: PostedRollback,
  { mapping }: TargetSite,
  deed: Answer,
  { counts, changed }: ChunkRollback,
): Promise<void> => {
  const told = { mappingId: mapping.id, systemId: mapping.systemId };
  if (deed === null && counts.kept > 0) {
    const detail = `${String(counts.kept)} posted rows stand: the target declares no way to take them back`;
    await addFinding(client, run, { ...told, kind: 'posted_kept', detail });
  }
  if (counts.failed > 0) {
    const detail = `${String(counts.failed)} posted rows could not be taken back: the target did not take what takes them back`;
    await addFinding(client, run, { ...told, kind: 'rollback_failed', detail });
  }
  for (const sourceKey of changed)
    await addFinding(client, run, {
      ...{ ...told, kind: 'posted_kept', sourceKey },
      detail: 'the row was changed since it was posted',
    });
};
