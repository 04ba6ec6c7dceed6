import type { PoolClient } from 'pg';
import type { Connector, Partition } from '../connectors/capabilities.js';
import { loadConfiguration } from '../database/configuration-store.js';
import type { Hub } from '../database/hub.js';
import { SyncError } from '../domain/errors.js';
import { compilePosting } from '../domain/posting.js';
import type { RowProblem } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import type { PartitionRef, StepCounts } from './contract.js';
import { readRun, type InstitutionContext, type MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { readBatches, readerOf, readSourcePlan, requestOf, type SourcePlan } from './extract.js';
import { fenced, readChunks, takeLease, type Lease } from './lease.js';
import { ahead, readPosted, type PostedChunk, type TargetRows } from './post-reading.js';
import {
  PostTarget,
  readStanding,
  type ChunkFacts,
  type Exceptions,
  type StoredChunk,
  type Write,
  type WrittenChunk,
} from './post-target.js';
import { brokenValues } from './post-set-rules.js';
import { addRejected } from './problems.js';
import { divideTakenBack, hasTakenBack, holdTakenBack, tellTakenBack, type Divided } from './taken-back.js';

/** Steps under which `run_chunks` keeps what was posted. `post`: a chunk at one target (part mapping/partition/target);
 *  `post_read`: a chunk that every target has (part mapping/partition), with the cursor from which a retry goes on;
 *  `post_rows`: the rows of a chunk, where the target says that they can be taken back. */
export const postSteps = { target: 'post', read: 'post_read', rows: 'post_rows' } as const;

export interface PostOptions {
  /** Rows of one transaction of a target. */
  readonly chunkRows?: number;
}

/** Two chunks are in memory at a time, encoded; where rows are kept so that they can be taken back, one of them is also decoded. */
const defaultChunkRows = 25_000;

/** One disposition a source row, told by the first target; what other targets took is in their own chunks. */
interface ReadCounts {
  readonly extracted: number;
  readonly new: number;
  readonly unchanged: number;
  readonly no_effect: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly held: number;
}

interface TargetAtWork {
  readonly target: PostTarget;
  /** Whether a rollback took rows back there: what comes again is looked at. */
  readonly looksBack: boolean;
  /** What an earlier run left there, by the digest of what it wrote. */
  readonly standing: ReadonlyMap<string, ChunkFacts>;
  readonly intended: ReadonlyMap<number, StoredChunk>;
}

interface Posting {
  readonly run: RunRef;
  readonly lease: Lease;
  readonly mapping: MappingRef;
  readonly part: string;
  readonly targets: readonly TargetAtWork[];
}

const targetPart = (part: string, target: PostTarget): string => `${part}/${String(target.mapping.id)}`;

/** Target mappings of the run's job that are rooted in the posted type of the source. */
const targetsOf = (context: InstitutionContext, run: RunRef, source: MappingRef): MappingRef[] =>
  context
    .job(run.jobId ?? 0)
    .definition.targets.map((name) => context.mappingNamed(name))
    .filter(({ definition }) => definition.target?.root === context.mainType(source).definition.name);

/** Writes a chunk row of one of `postSteps`, in the transaction of its lease. */
export const recordPosted = async (
  client: PoolClient,
  run: RunRef,
  row: {
    readonly step: (typeof postSteps)[keyof typeof postSteps];
    readonly part: string;
    readonly chunk: number;
    readonly state: 'intended' | 'done';
    readonly cursor?: string | null;
    readonly counts: object;
    readonly digest?: string | null;
  },
): Promise<void> => {
  await client.query(
    `insert into run_chunks (run_id, step, part, chunk, institution_id, cursor, counts, digest, state)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (run_id, step, part, chunk) do update
       set cursor = excluded.cursor, counts = excluded.counts, digest = excluded.digest, state = excluded.state`,
    [
      run.runId,
      row.step,
      row.part,
      row.chunk,
      run.institutionId,
      row.cursor ?? null,
      JSON.stringify(row.counts),
      row.digest ?? null,
      row.state,
    ],
  );
};

/** Keeps the rows that are about to be written; `more`: besides those of an earlier attempt that took place. */
export const keepRows = async (
  client: PoolClient,
  run: RunRef,
  at: { readonly part: string; readonly chunk: number },
  kept: { readonly more: boolean; readonly rows: readonly (readonly (string | null)[])[] },
): Promise<void> => {
  await client.query(
    `insert into run_chunks as c (run_id, step, part, chunk, institution_id, counts) values ($1, $2, $3, $4, $5, $6)
     on conflict (run_id, step, part, chunk) do update set counts =
       case when $7 then jsonb_build_object('rows', (c.counts -> 'rows') || (excluded.counts -> 'rows')) else excluded.counts end`,
    [run.runId, postSteps.rows, at.part, at.chunk, run.institutionId, JSON.stringify({ rows: kept.rows }), kept.more],
  );
};

const addProblems = async (
  client: PoolClient,
  run: RunRef,
  mappingId: number,
  problems: readonly RowProblem[],
): Promise<void> => {
  if (problems.length === 0) return;
  await client.query(
    `insert into findings (institution_id, run_id, kind, mapping_id, source_key, field, detail)
     select $1, $2, p.kind, $3, p.key, p.field, p.detail
     from unnest($4::text[], $5::text[], $6::text[], $7::text[]) as p (kind, key, field, detail)`,
    [
      run.institutionId,
      run.runId,
      mappingId,
      problems.map(({ reason }) => reason),
      problems.map(({ key }) => key),
      problems.map(({ field }) => field),
      problems.map(({ detail }) => detail),
    ],
  );
};

/** A key of the target with another content is told and left alone; a row that the target refuses is set aside. */
export const addExceptions = async (
  client: PoolClient,
  run: RunRef,
  target: MappingRef,
  { differing, refused }: Exceptions,
): Promise<void> => {
  const told = 'the target holds this key with another content; a correction is a new entry';
  const differs = differing.map((key) => ({ row: '', key, field: null, reason: 'posted_differs', detail: told }));
  await addProblems(client, run, target.id, differs);
  const rejected = refused.map(({ row, key, reason }) => ({
    problem: { row: '', key, field: null, reason: 'target_refused', detail: reason },
    raw: JSON.stringify(row),
  }));
  await addRejected(client, run, target.id, rejected);
};

const sumReads = (chunks: readonly { readonly counts: Readonly<Record<string, unknown>> }[]): ReadCounts => {
  const sum = (name: keyof ReadCounts): number =>
    chunks.reduce((total, { counts }) => total + Number(counts[name] ?? 0), 0);
  return {
    extracted: sum('extracted'),
    new: sum('new'),
    unchanged: sum('unchanged'),
    no_effect: sum('no_effect'),
    rejected: sum('rejected'),
    filtered: sum('filtered'),
    held: sum('held'),
  };
};

/** The dispositions of the mapping's rows so far. One partition after the other: the plan's row is held. */
export const recordSums = async (client: PoolClient, run: RunRef, mappingId: number): Promise<void> => {
  await client.query(`select 1 from run_chunks where run_id = $1 and step = 'plan' and part = $2 for update`, [
    run.runId,
    String(mappingId),
  ]);
  await client.query(
    `insert into run_chunks (run_id, step, part, chunk, institution_id, counts)
     select $1, 'dispositions', $2, 0, $3, jsonb_object_agg(name, total) from (
       select n.name, coalesce(sum((c.counts ->> n.name)::bigint), 0) as total
       from unnest(array['extracted', 'new', 'unchanged', 'no_effect', 'rejected', 'filtered', 'held']) as n (name)
       left join run_chunks c on c.run_id = $1 and c.step = 'post_read' and split_part(c.part, '/', 1) = $2
       group by n.name) sums
     on conflict (run_id, step, part, chunk) do update set counts = excluded.counts`,
    [run.runId, String(mappingId), run.institutionId],
  );
};

/** Whether every planned partition of a posted source was posted to its end: only then may its watermark go on. */
export const postedWholly = async (client: PoolClient, runId: string, mappingId: number): Promise<boolean> => {
  const { rows } = await client.query<{ whole: boolean }>(
    `select jsonb_array_length(p.counts -> 'partitions') = (
       select count(*) from run_chunks c
       where c.run_id = p.run_id and c.step = 'post_read' and split_part(c.part, '/', 1) = p.part
         and (c.counts ->> 'last')::boolean) as whole
     from run_chunks p where p.run_id = $1 and p.step = 'plan' and p.part = $2 and p.chunk = 0`,
    [runId, String(mappingId)],
  );
  return rows[0]?.whole ?? false;
};

/** What an earlier attempt of this run intended and did not record as done. */
const intendedChunks = async (
  hub: Hub,
  run: RunRef,
  part: string,
  target: PostTarget,
): Promise<Map<number, StoredChunk>> => {
  const chunks = await hub.read(run.institutionId, (client) =>
    readChunks(client, run.runId, postSteps.target, targetPart(part, target)),
  );
  const open = chunks.filter(({ state }) => state === 'intended');
  return new Map(open.map(({ chunk, digest, counts }) => [chunk, { digest, facts: counts as unknown as ChunkFacts }]));
};

interface PreparedChunk {
  readonly posted: PostedChunk;
  readonly chunk: number;
  readonly writes: readonly (Omit<WrittenAt, 'written'> & { readonly write: Write })[];
  readonly again: readonly ComeAgain[];
}

/** Rows of a chunk that a rollback took back at a target. */
interface ComeAgain {
  readonly place: number;
  readonly target: PostTarget;
  readonly rows: Divided['again'];
}

interface WrittenAt {
  readonly place: number;
  readonly target: PostTarget;
  readonly digest: string;
  readonly written: WrittenChunk;
}

/** What stands with its opposite is compared as ever; what was taken out is held. */
const isHeld = ({ target }: ComeAgain): boolean => !target.compensates;

const countsOf = (posted: PostedChunk, outcome: ChunkFacts['outcome'], again: readonly ComeAgain[]): ReadCounts => ({
  extracted: posted.extracted,
  held: again.filter((one) => one.place === 0 && isHeld(one)).reduce((total, { rows }) => total + rows.length, 0),
  new: outcome?.new ?? 0,
  unchanged: outcome?.unchanged ?? 0,
  no_effect: outcome?.differs ?? 0,
  rejected: posted.rejected.length + (outcome?.refused ?? 0),
  filtered: posted.filtered,
});

export const createPost = (dependencies: ActivityDependencies, options: PostOptions = {}) => {
  const { hub, configurations, openConnector, heartbeat, cancelled, crashPoint } = dependencies;
  const chunkRows = options.chunkRows ?? defaultChunkRows;
  const crash = (): void => {
    crashPoint('post');
  };

  const prepareAt = async (
    { run, lease, ...posting }: Posting,
    { target, standing, intended }: TargetAtWork,
    rows: TargetRows,
    chunk: number,
  ): Promise<Write> => {
    const part = targetPart(posting.part, target);
    return target.prepare(rows, intended.get(chunk) ?? null, standing, {
      intend: (facts, digest, kept) =>
        fenced(hub, lease, async (client) => {
          const at = { step: postSteps.target, part, chunk, state: 'intended' } as const;
          await recordPosted(client, run, { ...at, counts: facts, digest });
          if (kept !== null) await keepRows(client, run, { part, chunk }, kept);
        }),
    });
  };

  /** What is to be written of a chunk, and what of it came again. */
  const divide = async ({ run }: Posting, { target, looksBack }: TargetAtWork, rows: TargetRows): Promise<Divided> => {
    if (!looksBack) return { rest: rows, again: [] };
    const divided = await hub.read(run.institutionId, (client) =>
      divideTakenBack(client, target.mapping, rows, (row) => target.keyIn(row)),
    );
    return target.compensates ? { rest: rows, again: divided.again } : divided;
  };

  /** Logs for every target what is about to be written; what an earlier attempt wrote is found out and not written again. */
  async function* prepareAll(
    posting: Posting,
    chunks: AsyncIterable<PostedChunk>,
    from: number,
  ): AsyncGenerator<PreparedChunk, void, undefined> {
    let chunk = from;
    for await (const posted of chunks) {
      const writes: PreparedChunk['writes'][number][] = [];
      const again: ComeAgain[] = [];
      for (const [place, site] of posting.targets.entries()) {
        const rows = posted.targets[place] ?? null;
        if (rows === null) continue;
        const divided = await divide(posting, site, rows);
        if (divided.again.length > 0) again.push({ place, target: site.target, rows: divided.again });
        if (divided.rest === null) continue;
        const write = await prepareAt(posting, site, divided.rest, chunk);
        writes.push({ place, target: site.target, digest: divided.rest.digest, write });
      }
      yield { posted, chunk, writes, again };
      chunk += 1;
    }
  }

  const writeToAll = async ({ writes }: PreparedChunk): Promise<WrittenAt[]> => {
    const written: WrittenAt[] = [];
    for (const { write, ...at } of writes) {
      written.push({ ...at, written: await write() });
      heartbeat();
    }
    return written;
  };

  /** Records what became of a chunk: from here on it is not read again. */
  const settle = async (
    { run, lease, mapping, part }: Posting,
    { posted, chunk, again }: PreparedChunk,
    writtenAt: readonly WrittenAt[],
  ): Promise<ReadCounts> => {
    const settled: WrittenAt[] = [];
    for (const at of writtenAt) settled.push({ ...at, written: await at.target.settle(at.written) });
    const counts = countsOf(posted, settled.find(({ place }) => place === 0)?.written.facts.outcome ?? null, again);
    await fenced(hub, lease, async (client) => {
      for (const { target, digest, written } of settled) {
        const at = { step: postSteps.target, part: targetPart(part, target), chunk, state: 'done' } as const;
        await recordPosted(client, run, { ...at, counts: written.facts, digest });
        await addExceptions(client, run, target.mapping, written.exceptions);
      }
      for (const one of again) {
        if (isHeld(one)) await holdTakenBack(client, run, one.target.mapping, one.rows);
        else await tellTakenBack(client, run, one.target.mapping, one.rows.length);
      }
      await addRejected(client, run, mapping.id, posted.rejected);
      await addProblems(client, run, mapping.id, posted.problems);
      const at = { step: postSteps.read, part, chunk, state: 'done' } as const;
      await recordPosted(client, run, { ...at, cursor: posted.cursor, counts: { ...counts, last: posted.last } });
      await recordSums(client, run, mapping.id);
    });
    crash();
    return counts;
  };

  /** Three things at a time: a chunk is settled, the next one written, and the one after it read and prepared. */
  const postAll = async (
    posting: Posting,
    chunks: AsyncGenerator<PostedChunk, void, undefined>,
    from: number,
  ): Promise<ReadCounts[]> => {
    const counts: ReadCounts[] = [];
    let settling: Promise<unknown> = Promise.resolve();
    try {
      for await (const prepared of ahead(prepareAll(posting, chunks, from), 1)) {
        const written = await writeToAll(prepared);
        for (const rows of prepared.posted.targets) rows?.release();
        await settling;
        settling = settle(posting, prepared, written).then((told) => counts.push(told));
        // Told where it is awaited; until then it is no unhandled rejection.
        settling.catch(() => undefined);
      }
      await settling;
    } finally {
      await Promise.allSettled([settling]);
    }
    return counts;
  };

  const postPartition = async (
    posting: Posting,
    source: { readonly context: InstitutionContext; readonly plan: SourcePlan; readonly partition: Partition },
    connector: Connector,
  ): Promise<ReadCounts> => {
    const { run, mapping, part, targets } = posting;
    const { context, plan, partition } = source;
    const done = await hub.read(run.institutionId, (client) => readChunks(client, run.runId, postSteps.read, part));
    await fenced(hub, posting.lease, (client) =>
      client.query(
        "update sync_runs set apply_started = true where id = $1 and kind <> 'dry_run' and not apply_started",
        [run.runId],
      ),
    );
    const last = done.at(-1);
    if (last?.counts['last'] === true) return sumReads(done);
    const reader = await readerOf(connector, plan);
    const signal = cancelled() ?? new AbortController().signal;
    const compiled = context.source(mapping);
    const { asOf } = await readRun(hub, run);
    const { codeTables } = await loadConfiguration(hub, run.institutionId);
    const tables = codeTables.map(({ definition }) => definition);
    const compiledTargets = targets.map(({ target }) => context.target(target.mapping));
    const [request, after] = [requestOf(mapping, plan), last?.cursor ?? null];
    const batches = readBatches(reader, request, partition, after, signal);
    const chunks = readPosted(batches, {
      posting: compilePosting(compiled, compiledTargets, context.definitions, tables, asOf),
      targets: targets.length,
      setRules: compiled.setRules,
      broken: brokenValues({ hub, run, context, mapping, reader, plan, signal, alive: heartbeat }),
      chunkRows,
      alive: heartbeat,
    });
    const counts = await postAll(posting, chunks, (last?.chunk ?? -1) + 1);
    return sumReads([...done, ...counts.map((told) => ({ counts: { ...told } }))]);
  };

  return {
    /** Reads one partition of a posted type, checks it and writes it to the targets, chunk by chunk, each one transaction of the
     *  target. Intent is logged before and outcome after it, so that a retry neither doubles nor loses a row. */
    async post(run: RunRef, ref: PartitionRef): Promise<StepCounts> {
      const context = await configurations.of(run.institutionId);
      const mapping = context.mapping(ref.mappingId);
      const part = `${String(mapping.id)}/${String(ref.ordinal)}`;
      const lease = await takeLease(hub, run, 'publish', `post/${part}`);
      const plan = await hub.read(run.institutionId, (client) => readSourcePlan(client, run.runId, mapping.id));
      const partition = plan.partitions.find(({ ordinal }) => ordinal === ref.ordinal);
      if (partition === undefined) throw new SyncError('internal', `partition ${part} was not planned`);
      const connectors: Connector[] = [];
      const opened = (system: MappingRef['system']): Connector => {
        const connector = openConnector(system);
        connectors.push(connector);
        return connector;
      };
      try {
        const source = opened(mapping.system);
        const targets: TargetAtWork[] = [];
        for (const known of targetsOf(context, run, mapping)) {
          const target = new PostTarget(known, context.target(known), opened(known.system), crash);
          const [standing, looksBack] = await hub.read(run.institutionId, async (client) => [
            await readStanding(client, run, mapping.id, known.id),
            await hasTakenBack(client, known),
          ]);
          targets.push({ target, standing, looksBack, intended: await intendedChunks(hub, run, part, target) });
        }
        return {
          ...(await postPartition({ run, lease, mapping, part, targets }, { context, plan, partition }, source)),
        };
      } finally {
        await Promise.all(connectors.map((connector) => connector.close()));
      }
    },
  };
};
