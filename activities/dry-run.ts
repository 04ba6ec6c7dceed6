import { dropDryRun, hubOfDryRun, openDryRun } from '../database/dry-run.js';
import { dropStagingTables } from '../database/staging.js';
import { SyncError } from '../domain/errors.js';
import type { RunPlan } from '../domain/run-plan.js';
import type { EndState, RunRef } from '../domain/run.js';
import type { RunFailure, RunSummary, SyncActivities } from './contract.js';
import type { ActivityDependencies } from './dependencies.js';
import { withoutWriting } from './dry-targets.js';
import { fenced, takeLease } from './lease.js';
import { changesOf, keepSamples } from './run-plan.js';
import { rowCounts, summarize } from './runs.js';

/** The dependencies of every step of a dry run: its copy of the stores, and systems to which nothing is written. */
export const dependenciesOfDryRun = (dependencies: ActivityDependencies, runId: string): ActivityDependencies => ({
  ...dependencies,
  hub: hubOfDryRun(dependencies.hub, runId),
  openConnector: (system) => withoutWriting(dependencies.openConnector(system)),
});

/** A run as its steps see it in its copy: the run that it stands for. */
export const inItsCopy = (run: RunRef): RunRef => ({ ...run, kind: 'sync', dry: true });

const nothing = { questions: 0, held: 0, rejected: 0, goldenWrites: 0, targetWrites: 0 };

/** What a dry run does besides the steps of every run: it begins with a copy and ends with a plan. */
export const createDryRun = ({ hub, heartbeat }: ActivityDependencies) => ({
  /** Copies the stores, as they are at one moment. Whatever an earlier attempt did is forgotten with its copy. */
  async copyStores(run: RunRef): Promise<void> {
    const lease = await takeLease(hub, run, 'plan', 'copy');
    await fenced(hub, lease, async (client) => {
      await client.query('update run_leases set token = token + 1 where run_id = $1 and (step, part) <> ($2, $3)', [
        run.runId,
        lease.step,
        lease.part,
      ]);
      await client.query('delete from run_chunks where run_id = $1', [run.runId]);
      await dropStagingTables(client, run.runId);
    });
    await hub.bulk(run.institutionId, (client) => openDryRun(client, run.runId, heartbeat), { oneState: true });
  },

  /** Counts what the run did to its copy and keeps samples of it, with the run. */
  async notePlan(run: RunRef, leftOut: RunPlan['leftOut']): Promise<void> {
    await hubOfDryRun(hub, run.runId).bulk(run.institutionId, async (client) => {
      const plan: RunPlan = { ...(await changesOf(client, run)), leftOut };
      const summary = await summarize(client, run);
      await keepSamples(client, run);
      await client.query('update sync_runs set counts = $2 where id = $1 and finished_at is null', [
        run.runId,
        JSON.stringify({ plan, summary }),
      ]);
    });
  },
});

/** What a dry run does in another way than other runs, in the stores themselves: its end accepts, advances and wakes nothing. */
export const createDryRunEnd = ({ hub }: ActivityDependencies) => ({
  /** Ends a dry run. Idempotent. */
  async closeRun(
    run: RunRef,
    outcome: Parameters<SyncActivities['closeRun']>[1],
    failure?: RunFailure,
  ): Promise<RunSummary> {
    return hub.transaction(run.institutionId, async (client) => {
      const { rows } = await client.query<{
        state: EndState;
        finished_at: string | null;
        counts: { plan?: object; summary?: Omit<RunSummary, 'state'> };
      }>('select state, finished_at, counts from sync_runs where id = $1 for update', [run.runId]);
      const [before] = rows;
      if (before === undefined) throw new SyncError('not_found', `run ${run.runId} is not there`);
      const summary = { ...nothing, ...before.counts.summary };
      if (before.finished_at !== null) return { ...summary, state: before.state };
      const told = { ...summary, state: outcome };
      await client.query(
        `update sync_runs set state = $2, counts = $3, error_code = $4, error_detail = $5, finished_at = clock_timestamp() where id = $1`,
        [
          run.runId,
          outcome,
          JSON.stringify({ ...before.counts, rows: await rowCounts(client, run), summary: told }),
          failure?.code ?? null,
          failure?.detail ?? null,
        ],
      );
      return told;
    });
  },

  /** Drops the copy with the staging tables of the run. */
  async dropStaging(run: RunRef): Promise<void> {
    await hub.transaction(run.institutionId, async (client) => {
      await dropStagingTables(client, run.runId);
      await dropDryRun(client, run.runId);
    });
  },

  /** It begins with a new copy, and forgets then. */
  async forgetStaging(): Promise<void> {
    return Promise.resolve();
  },
});
