import type { PoolClient } from 'pg';
import type { RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import type { InstitutionContext, MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { fenced, readChunks, type Lease } from './lease.js';
import { addExceptions, recordPosted, recordSums, keepRows, postSteps } from './post.js';
import { encodeRows } from './post-reading.js';
import { PostTarget, type ChunkFacts, type StoredChunk } from './post-target.js';

/* Rows of a posted type that were held because a rollback had taken them out: released, they are posted as they were held. */

const pageRows = 10_000;

/** The targets that a release posts to: of mappings that write a posted type, not of those that read one. */
export const heldTargets = async (
  client: PoolClient,
  context: InstitutionContext,
  batchId: string,
): Promise<MappingRef[]> => {
  const { rows } = await client.query<{ id: number }>(
    `select distinct r.mapping_id as id from held_rows r join held_changes h on h.id = r.held_id
     where h.batch_id = $1 and h.state = 'released' order by 1`,
    [batchId],
  );
  return rows
    .map(({ id }) => context.mapping(id))
    .filter((mapping) => mapping.definition.target !== undefined && context.isPosted(mapping));
};

interface HeldRow {
  readonly key: string;
  readonly raw: string;
}

const readPage = async (
  client: PoolClient,
  batchId: string,
  mapping: MappingRef,
  after: string,
): Promise<HeldRow[]> => {
  const { rows } = await client.query<HeldRow>(
    `select r.source_key as key, r.raw from held_rows r join held_changes h on h.id = r.held_id
     where h.batch_id = $1 and h.state = 'released' and r.mapping_id = $2 and r.source_key > $3 and r.raw is not null
     order by r.source_key limit $4`,
    [batchId, mapping.id, after, pageRows],
  );
  return rows;
};

/** Posts the released rows of one target in pages, each with its intent and its outcome, as a run over the source would. What is
 *  posted does not count as taken back any more. Repeatable. */
export const postHeld = async (
  dependencies: ActivityDependencies,
  site: {
    readonly run: RunRef;
    readonly lease: Lease;
    readonly context: InstitutionContext;
    readonly batchId: string;
    readonly mapping: MappingRef;
  },
): Promise<void> => {
  const { hub, openConnector, heartbeat, crashPoint } = dependencies;
  const { run, lease, context, batchId, mapping } = site;
  const part = `${String(mapping.id)}/held`;
  const targetPart = `${part}/${String(mapping.id)}`;
  const connector = openConnector(mapping.system);
  const target = new PostTarget(mapping, context.target(mapping), connector, () => {
    crashPoint('post');
  });
  try {
    await fenced(hub, lease, (client) =>
      client.query('update sync_runs set apply_started = true where id = $1 and not apply_started', [run.runId]),
    );
    const done = await hub.read(run.institutionId, (client) =>
      readChunks(client, run.runId, postSteps.target, targetPart),
    );
    for (let [chunk, after] = [0, '']; ; chunk += 1) {
      const page = await hub.read(run.institutionId, (client) => readPage(client, batchId, mapping, after));
      const rows = encodeRows(page.map(({ raw }) => JSON.parse(raw) as RawRow));
      if (rows === null) return;
      after = page.at(-1)?.key ?? '';
      const before = done.find((one) => one.chunk === chunk);
      if (before?.state === 'done') continue;
      const known: StoredChunk | null =
        before === undefined ? null : { digest: before.digest, facts: before.counts as unknown as ChunkFacts };
      const at = { step: postSteps.target, part: targetPart, chunk };
      const write = await target.prepare(rows, known, new Map(), {
        intend: (facts, digest, kept) =>
          fenced(hub, lease, async (client) => {
            await recordPosted(client, run, { ...at, state: 'intended', counts: facts, digest });
            if (kept !== null) await keepRows(client, run, { part: targetPart, chunk }, kept);
          }),
      });
      const { facts, exceptions } = await target.settle(await write());
      const { outcome } = facts;
      await fenced(hub, lease, async (client) => {
        await recordPosted(client, run, { ...at, state: 'done', counts: facts, digest: rows.digest });
        await addExceptions(client, run, mapping, exceptions);
        const counts = {
          ...{ extracted: rows.count, new: outcome?.new ?? 0, unchanged: outcome?.unchanged ?? 0 },
          ...{ no_effect: outcome?.differs ?? 0, rejected: outcome?.refused ?? 0 },
        };
        await recordPosted(client, run, { step: postSteps.read, part, chunk, state: 'done', counts });
        await recordSums(client, run, mapping.id);
        await client.query(
          `delete from rolled_back_inputs b using held_rows r join held_changes h on h.id = r.held_id
           where h.batch_id = $1 and r.mapping_id = $2 and r.source_key = any ($3::text[])
             and b.mapping_id = r.mapping_id and b.source_key = r.source_key and b.raw_hash = r.raw_hash`,
          [batchId, mapping.id, page.map(({ key }) => key)],
        );
      });
      heartbeat();
    }
  } finally {
    await connector.close();
  }
};
