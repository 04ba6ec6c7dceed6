import type { PoolClient } from 'pg';
import { isThere, stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { InstitutionContext } from './context.js';
import { bareRows } from './bare-rows.js';
import { readSourcePlans } from './extract.js';
import { readChunks, recordChunk } from './lease.js';

/** What kinds of problems the rows of a source have, those that wait for another record included. */
const kindsOf = async (client: PoolClient, run: RunRef, mappingId: number): Promise<ReadonlySet<string>> => {
  const { problem } = stagingOf(run.runId);
  const staged = (await isThere(client, problem)) ? `select kind from ${problem} where mapping_id = $2 union` : '';
  const { rows } = await client.query<{ kind: string }>(
    `${staged} select distinct kind from rejected_records where run_id = $1 and mapping_id = $2`,
    [run.runId, mappingId],
  );
  return new Set(rows.map(({ kind }) => kind));
};

/** One disposition for each row of the delta, by precedence: rejected, filtered, waiting, else what `diff` said; a changed row
 *  of which no record changed has no effect. */
const dispositionsOf = async (client: PoolClient, run: RunRef, mappingId: number): Promise<Record<string, number>> => {
  const staging = stagingOf(run.runId);
  if (!(await isThere(client, staging.delta(mappingId)))) return {};
  // Most sources have no problems: then nothing is looked up for each row.
  const problems = await kindsOf(client, run, mappingId);
  const effects = await isThere(client, staging.effects);
  const problem = (kind: string): string =>
    problems.has(kind)
      ? `exists (select 1 from ${staging.problem} p where p.mapping_id = ${mappingId} and p.key = d.key and p.kind = '${kind}')`
      : 'false';
  const waiting = problems.has('waiting')
    ? `exists (select 1 from rejected_records w where w.run_id = ${BigInt(run.runId)} and w.mapping_id = ${mappingId} and w.kind = 'waiting' and w.source_key = d.key)`
    : 'false';
  const effect = effects
    ? `exists (select 1 from ${staging.effects} e where e.mapping_id = ${mappingId} and e.key = d.key)`
    : 'false';
  const { rows } = await client.query<{ disposition: string; count: string }>(
    `select case
       when ${problem('rejected')} then 'rejected'
       when ${problem('held')} then 'held'
       when ${problem('filtered')} then 'filtered'
       when ${waiting} then 'waiting'
       when d.class = 'n' then 'new' when d.class = 'm' then 'deleted'
       when ${effect} then 'changed' else 'no_effect' end as disposition, count(*)
     from ${staging.delta(mappingId)} d group by 1`,
  );
  const found = Object.fromEntries(rows.map(({ disposition, count }) => [disposition, Number(count)]));
  const bare = await bareRows(client, run, mappingId);
  if (bare === 0) return found;
  // Rows that are in no delta are new, or wait for another record.
  const waits = problems.has('waiting') ? await bareWaiting(client, run, mappingId) : 0;
  return { ...found, waiting: (found['waiting'] ?? 0) + waits, new: (found['new'] ?? 0) + bare - waits };
};

const bareWaiting = async (client: PoolClient, run: RunRef, mappingId: number): Promise<number> => {
  const { rows } = await client.query<{ count: string }>(
    `select count(distinct w.source_key) from rejected_records w
     where w.run_id = $1 and w.mapping_id = $2 and w.kind = 'waiting'
       and not exists (select 1 from ${stagingOf(run.runId).delta(mappingId)} d where d.key = w.source_key)`,
    [run.runId, mappingId],
  );
  return Number(rows[0]?.count ?? 0);
};

/** Keeps the dispositions of every source of the run in logged rows, before staging goes. Later calls correct earlier ones. */
export const recordDispositions = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
): Promise<void> => {
  for (const [mappingId] of await readSourcePlans(client, run.runId)) {
    if (context.isPosted(context.mapping(mappingId))) continue;
    const [diff] = await readChunks(client, run.runId, 'diff', String(mappingId));
    const counts = diff?.counts ?? {};
    const found = await dispositionsOf(client, run, mappingId);
    const gone = Object.values(found).reduce((total, count) => total + count, 0);
    const delta = Number(counts['new'] ?? 0) + Number(counts['changed'] ?? 0) + Number(counts['missing'] ?? 0);
    const dispositions = {
      ...found,
      extracted: Number(counts['extracted'] ?? 0),
      missing: Number(counts['missing'] ?? 0),
      unchanged: Number(counts['unchanged'] ?? 0),
      rejected: (found['rejected'] ?? 0) + Number(counts['rejected'] ?? 0),
      held: (found['held'] ?? 0) + delta - gone,
    };
    await recordChunk(client, { run, step: 'dispositions', part: String(mappingId) }, 0, { counts: dispositions });
  }
};
