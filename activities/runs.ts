import type { PoolClient } from 'pg';
import { lastWrittenBy } from '../database/golden-rows.js';
import { dropStagingTables } from '../database/staging.js';
import { SyncError, systemProblems } from '../domain/errors.js';
import { balances, type EndState, type RowCounts, type RunRef } from '../domain/run.js';
import type {
  DelayedTarget,
  OpenedRun,
  OpenRunInput,
  ReviewWork,
  RunFailure,
  RunSummary,
  TargetRef,
} from './contract.js';
import type { InstitutionContext } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { readSourcePlans } from './extract.js';
import { closeLeases, readChunks } from './lease.js';
import { postedWholly, postSteps } from './post.js';
import { rememberMapped } from './remap.js';
import { rememberContent } from './remember-content.js';
import { forgetUnkept } from './remembered-rows.js';
import { closeReplay } from './stage-replay.js';

const uniqueViolation = '23505';

const isUniqueViolation = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === uniqueViolation;

/** The rows of all sources together, by disposition. */
export const rowCounts = async (client: PoolClient, run: RunRef): Promise<RowCounts> => {
  const zero = {
    extracted: 0,
    missing: 0,
    unchanged: 0,
    new: 0,
    changed: 0,
    no_effect: 0,
    deleted: 0,
    rejected: 0,
    held: 0,
    waiting: 0,
    filtered: 0,
  };
  const chunks = await readChunks(client, run.runId, 'dispositions');
  return chunks.reduce<RowCounts>(
    (total, { counts }) =>
      Object.fromEntries(
        Object.entries(total).map(([name, count]) => [name, count + Number(counts[name] ?? 0)]),
      ) as unknown as RowCounts,
    zero,
  );
};

const count = async (client: PoolClient, sql: string, values: readonly unknown[]): Promise<number> => {
  const { rows } = await client.query<{ count: string }>(sql, [...values]);
  return Number(rows[0]?.count ?? 0);
};

/** Watermarks go on only when everything before them is applied or in a logged table: when the run completes. */
const advanceWatermarks = async (client: PoolClient, run: RunRef, context: InstitutionContext): Promise<void> => {
  for (const [mappingId, plan] of await readSourcePlans(client, run.runId)) {
    if (plan.mode !== 'watermark' || plan.upTo === null) continue;
    // A posted source that dropped out on its way is read again from where its watermark stands.
    if (context.isPosted(context.mapping(mappingId)) && !(await postedWholly(client, run.runId, mappingId))) continue;
    await client.query(
      `insert into change_set_entries (run_id, kind, mapping_id, row_id, institution_id, before, after, outcome)
       select $1, 'watermark', $2, 0, $3, (select to_jsonb(w) from watermarks w where w.mapping_id = $2 and w.kind = 'read'), to_jsonb($4::text), 'written'
       on conflict do nothing`,
      [run.runId, mappingId, run.institutionId, plan.upTo],
    );
    await client.query(
      `insert into watermarks (mapping_id, kind, institution_id, value, run_id) values ($1, 'read', $2, $3, $4)
       on conflict (mapping_id, kind) do update set value = excluded.value, run_id = excluded.run_id`,
      [mappingId, run.institutionId, plan.upTo, run.runId],
    );
  }
};

/** What a settle run carried out is settled. A batch whose run failed stays pending: the review tries it again. */
const closeBatch = async (client: PoolClient, run: RunRef, completed: boolean): Promise<void> => {
  if (!completed) return;
  await client.query(`update decision_batches set state = 'applied' where settle_run_id = $1 and state = 'pending'`, [
    run.runId,
  ]);
  await client.query(
    `update sync_conflict_resolutions c set state = 'settled', settle_run_id = $1 from decision_batches b
     where b.settle_run_id = $1 and c.batch_id = b.id and c.state = 'decided'`,
    [run.runId],
  );
  await client.query(
    `update held_changes h set state = case h.state when 'released' then 'applied' else h.state end, settle_run_id = $1 from decision_batches b
     where b.settle_run_id = $1 and h.batch_id = b.id and h.state in ('released', 'discarded')`,
    [run.runId],
  );
  await closeReplay(client, run);
};

/** Wakes the review of the job, which reminds of what waits; an id, no more, travels. */
const wakeReview = async (client: PoolClient, run: RunRef): Promise<void> => {
  if (run.jobId === null) return;
  await client.query(`insert into outbox (institution_id, topic, subject) values ($1, 'review', $2)`, [
    run.institutionId,
    String(run.jobId),
  ]);
  await client.query(`select pg_notify('concord_outbox', '')`);
};

const postedRows = (client: PoolClient, run: Pick<RunRef, 'runId'>): Promise<number> =>
  count(
    client,
    `select coalesce(sum((counts #>> '{outcome,new}')::bigint), 0) as count from run_chunks where run_id = $1 and step = $2`,
    [run.runId, postSteps.target],
  );

/** What a run did and left open, as the stores of the transaction say. */
export const summarize = async (
  client: PoolClient,
  run: Pick<RunRef, 'runId'>,
): Promise<Omit<RunSummary, 'state'>> => ({
  questions: await count(
    client,
    `select count(*) from sync_conflict_resolutions where (opened_run = $1 or changed_run = $1) and state = 'open'`,
    [run.runId],
  ),
  held: await count(client, `select count(*) from held_changes where run_id = $1 and state = 'held'`, [run.runId]),
  rejected: await count(client, `select count(*) from rejected_records where run_id = $1 and kind = 'rejected'`, [
    run.runId,
  ]),
  goldenWrites: await count(
    client,
    // The index begins with the entity type.
    `select count(*) from golden_records g where g.entity_type_id in (select id from entity_types) and ${lastWrittenBy('g', '= $1')}`,
    [run.runId],
  ),
  targetWrites:
    (await readChunks(client, run.runId, 'publish'))
      .filter(({ part }) => part.endsWith('/counts'))
      .reduce((total, { counts }) => total + Number(counts['written'] ?? 0), 0) + (await postedRows(client, run)),
});

/** The run that reads the sources of a job just now. */
const occupantOf = async (client: PoolClient, jobId: number | null): Promise<string | undefined> => {
  const { rows } = await client.query<{ id: string }>(
    `select id::text from sync_runs where job_id = $1 and kind = 'sync' and finished_at is null and subject_key is null`,
    [jobId],
  );
  return rows[0]?.id;
};

/** Has the words indexed by which the records are found that the run wrote. */
const indexWords = async (client: PoolClient, run: RunRef): Promise<void> => {
  await client.query(`insert into outbox (institution_id, topic, subject) values ($1, 'names', $2)`, [
    run.institutionId,
    run.runId,
  ]);
  await client.query(`select pg_notify('concord_outbox', '')`);
};

/** Targets that were not told stay pending; why is told once, as of sources that were not read. */
const noteDelayed = async (client: PoolClient, run: RunRef, delayed: readonly DelayedTarget[]): Promise<void> => {
  if (delayed.length === 0) return;
  await client.query(
    `insert into findings (institution_id, run_id, kind, mapping_id, system_id, detail)
     select m.institution_id, $2, d.kind, m.id, m.system_id, d.detail
     from unnest($3::text[], $4::text[], $5::text[]) as d (name, kind, detail)
       join cross_system_mappings m on m.institution_id = $1 and m.name = d.name`,
    [
      ...[run.institutionId, run.runId],
      delayed.map(({ name }) => name),
      delayed.map(({ code }) => code),
      delayed.map(({ detail }) => detail),
    ],
  );
};

/** Sources and targets that the run had to go without, each with its first reason: said with the run. */
const readUnusable = async (client: PoolClient, run: RunRef): Promise<unknown> => {
  const { rows } = await client.query<object>(
    `select m.name, f.kind as code, (array_agg(f.detail order by f.id))[1] as detail
     from findings f join cross_system_mappings m on m.id = f.mapping_id
     where f.run_id = $1 and f.kind = any ($2) group by 1, 2 order by min(f.id)`,
    [run.runId, systemProblems],
  );
  return rows;
};

export const createRuns = ({ hub, configurations }: ActivityDependencies) => ({
  /** Claims the job for this workflow, or names the run that holds it. Opening the same workflow again gives the same run. */
  async openRun(input: OpenRunInput & { readonly workflowId: string }): Promise<OpenedRun> {
    const { institutionId, jobId, kind, actor, asOf, workflowId } = input;
    const { subjectKey } = input;
    const ref = { institutionId, jobId, kind, ...(subjectKey === undefined ? {} : { subjectKey }) };
    const opened = (id: string): OpenedRun => ({ opened: { runId: id, ...ref } });
    const existing = async (client: PoolClient): Promise<string | null> => {
      const { rows } = await client.query<{ id: string }>('select id::text from sync_runs where workflow_id = $1', [
        workflowId,
      ]);
      return rows[0]?.id ?? null;
    };
    try {
      return await hub.transaction(institutionId, async (client) => {
        const known = await existing(client);
        if (known !== null) return opened(known);
        // A run that is reading whole sources reads this person too; what we read now it may have read before.
        const occupant = subjectKey === undefined ? undefined : await occupantOf(client, jobId);
        if (occupant !== undefined) return { skipped: { runId: occupant } };
        const { rows } = await client.query<{ id: string }>(
          `insert into sync_runs (institution_id, job_id, kind, parent_run_id, workflow_id, actor, as_of, state, subject_key, reason)
           select $1, $2, $3, coalesce($4::bigint, b.parent_run_id), $5, coalesce(b.actor, $6), greatest($7::date, p.as_of), 'opened', $9,
             coalesce(b.reason, q.reason)
           from (select 1) one left join decision_batches b on b.id = $8 left join sync_runs p on p.id = b.parent_run_id
           left join run_requests q on q.workflow_id = $5
           returning id::text`,
          [
            institutionId,
            jobId,
            kind,
            input.parentRunId ?? input.rollbackOf ?? null,
            workflowId,
            actor,
            asOf,
            input.batchId ?? null,
            subjectKey ?? null,
          ],
        );
        const id = rows[0]?.id ?? '';
        await client.query('delete from run_requests where workflow_id = $1', [workflowId]);
        if (input.batchId !== undefined) {
          await client.query(`update decision_batches set settle_run_id = $2 where id = $1 and state = 'pending'`, [
            input.batchId,
            id,
          ]);
        }
        if (kind === 'rollback') {
          await client.query('insert into change_sets (run_id, institution_id, preview_hash) values ($1, $2, $3)', [
            id,
            institutionId,
            input.previewHash ?? null,
          ]);
        }
        return opened(id);
      });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      return hub.read(institutionId, async (client) => {
        const known = await existing(client);
        if (known !== null) return opened(known);
        const occupant = await occupantOf(client, jobId);
        if (occupant === undefined)
          throw new SyncError('job_occupied', 'the job was just released; try again', { cause: error });
        return { skipped: { runId: occupant } };
      });
    }
  },

  /** Ends a run: its sums must balance, its deliveries are accepted or given back, its watermarks go on. Idempotent. */
  async closeRun(
    run: RunRef,
    outcome: 'completed' | 'cancelled' | 'failed' | 'rolled_back',
    failure?: RunFailure,
    delayed: readonly DelayedTarget[] = [],
  ): Promise<RunSummary> {
    const context = await configurations.of(run.institutionId);
    return hub.transaction(run.institutionId, async (client) => {
      await closeLeases(client, run);
      const { rows } = await client.query<{
        state: EndState;
        finished_at: string | null;
        counts: { summary?: RunSummary };
      }>('select state, finished_at, counts from sync_runs where id = $1 for update', [run.runId]);
      const before = rows[0];
      if (before === undefined) throw new SyncError('not_found', `run ${run.runId} is not there`);
      if (before.finished_at !== null && before.counts.summary !== undefined) return before.counts.summary;
      const counts = await rowCounts(client, run);
      const completed = outcome === 'completed';
      if (completed && !balances(counts))
        throw new SyncError('internal', `the sums of run ${run.runId} do not balance`);
      if (completed) {
        await advanceWatermarks(client, run, context);
        await rememberMapped(client, run);
        await rememberContent(client, run);
      }
      await forgetUnkept(client, run);
      await client.query(`update deliveries set state = $2 where run_id = $1 and state = 'seen'`, [
        run.runId,
        completed ? 'accepted' : 'rolled_back',
      ]);
      await closeBatch(client, run, completed);
      if (!completed)
        await client.query('delete from target_pending where run_id = $1 and $2', [
          run.runId,
          outcome === 'rolled_back',
        ]);
      await noteDelayed(client, run, delayed);
      const summary = await summarize(client, run);
      const state: EndState =
        completed && (summary.questions > 0 || summary.held > 0) ? 'completed_with_questions' : outcome;
      if (summary.questions > 0 && run.kind === 'sync') await wakeReview(client, run);
      if (summary.goldenWrites > 0) await indexWords(client, run);
      const told = { ...summary, state };
      await client.query(
        `update sync_runs set state = $2, counts = $3, error_code = $4, error_detail = $5, finished_at = clock_timestamp() where id = $1`,
        [
          run.runId,
          state,
          JSON.stringify({ rows: counts, summary: told, unusable: await readUnusable(client, run) }),
          failure?.code ?? null,
          failure?.detail ?? null,
        ],
      );
      // Who waits for the job to be free looks again.
      if (run.kind === 'sync') await client.query(`select pg_notify('concord_outbox', '')`);
      return told;
    });
  },

  /** Drops the staging tables of a run that ended. */
  async dropStaging(run: RunRef): Promise<void> {
    await hub.transaction(run.institutionId, (client) => dropStagingTables(client, run.runId));
  },

  /** Decided batches that nobody carried out yet, and when the next open question is due. */
  async pendingReview(institutionId: number, jobId: number): Promise<ReviewWork> {
    return hub.read(institutionId, async (client) => {
      const batches = await client.query<{ id: string; kind: string }>(
        `select id::text, kind from decision_batches where job_id = $1 and state = 'pending' order by id`,
        [jobId],
      );
      const open = await client.query<{ open: string; due: string | null }>(
        `select count(*) as open, to_char(min(due_at) filter (where not exists (select 1 from findings f where f.kind = 'question_overdue' and f.run_id = c.opened_run and f.golden_id = c.golden_id and f.field = c.group_name)) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as due
         from sync_conflict_resolutions c where job_id = $1 and state = 'open'`,
        [jobId],
      );
      return {
        batches: batches.rows.map(({ id, kind }) => ({
          batchId: id,
          kind: kind === 'release' || kind === 'replay' ? ('release' as const) : ('decision' as const),
        })),
        open: Number(open.rows[0]?.open ?? 0),
        nextDue: open.rows[0]?.due ?? null,
      };
    });
  },

  /** Questions that are due are named once more, as a finding of the run that opened them. */
  async remindReview(institutionId: number, jobId: number): Promise<void> {
    await hub.transaction(institutionId, async (client) => {
      await client.query(
        `insert into findings (institution_id, run_id, kind, entity_type_id, golden_id, field, detail, subject_key)
         select c.institution_id, c.opened_run, 'question_overdue', c.entity_type_id, c.golden_id, c.group_name, 'the question waits since it was due', c.subject_key
         from sync_conflict_resolutions c
         where c.job_id = $1 and c.state = 'open' and c.due_at <= now()
           and not exists (select 1 from findings f where f.kind = 'question_overdue' and f.run_id = c.opened_run and f.golden_id = c.golden_id and f.field = c.group_name)`,
        [jobId],
      );
    });
  },

  /** Targets in which something falls due on the run's date though no source changed. */
  async dueTargets(run: RunRef): Promise<readonly TargetRef[]> {
    const context = await configurations.of(run.institutionId);
    const ids = await hub.read(run.institutionId, async (client) => {
      const { rows } = await client.query<{ id: number }>(
        `select distinct d.mapping_id as id from target_due d, sync_runs r where r.id = $1 and d.due <= r.as_of`,
        [run.runId],
      );
      return rows.map(({ id }) => id);
    });
    return ids
      .map((id) => context.mapping(id))
      .map((mapping) => ({ mappingId: mapping.id, name: mapping.definition.name }));
  },
});
