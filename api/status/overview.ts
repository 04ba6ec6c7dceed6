import type { LoadedConfiguration } from '../../database/configuration-store.js';
import { errorCodes, type ErrorCode } from '../../domain/errors.js';
import type { JobDefinition } from '../../domain/job-definition.js';
import { rhythmOf } from '../../domain/schedule-times.js';
import { linkTo } from '../common/base-path.js';
import type { JobRow, SystemProblemRow, WaitingRow } from './overview.queries.js';
import type { AlertView, JobStatusView, NextRunView, OverviewView, SystemStatusView } from './status.view.js';
import type { Plain } from '../common/plain-type.js';

/** What the overview is made of. */
export interface OverviewFacts {
  readonly asOf: Date;
  readonly configuration: LoadedConfiguration;
  readonly jobs: readonly JobRow[];
  readonly problems: readonly SystemProblemRow[];
  readonly waiting: readonly WaitingRow[];
  readonly waitingRecords: number;
}

type Health = 'ok' | 'attention' | 'failing' | 'never_run';

/** The state of everything, from rows that were read at one moment. Pure. */
export const overviewOf = (facts: OverviewFacts): Plain<OverviewView> => {
  const systems = facts.configuration.systems.map((system) => systemOf(system, facts));
  const jobs = facts.jobs.map((job) => jobOf(job, facts));
  const open = sum(facts.waiting.map((row) => row.open));
  const held = sum(facts.jobs.map((job) => job.held));
  const states = [...systems, ...jobs].map(({ state }) => state);
  return {
    asOf: facts.asOf.toISOString(),
    overall: worstOf(states),
    words: sentence(systems, open, held),
    systems,
    jobs,
    conflicts: {
      open,
      byType: Object.fromEntries(
        ['value', 'duplicate', 'identity'].map((kind) => [
          kind,
          sum(facts.waiting.filter((row) => row.kind === kind).map((row) => row.open)),
        ]),
      ),
      oldest: facts.waiting.map((row) => row.oldest.toISOString()).sort()[0] ?? null,
      overdue: sum(facts.waiting.map((row) => row.overdue)),
      held,
    },
    quality: {
      rejected: sum(facts.jobs.map((job) => job.rejected)),
      waiting: facts.waitingRecords,
      findings: sum(facts.jobs.map((job) => job.findings)),
    },
    alerts: [...systemAlerts(facts), ...jobAlerts(facts)],
    next: facts.configuration.jobs.flatMap(({ id, definition }) => nextOf(id, definition)),
  };
};

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

const order = ['failing', 'attention', 'ok', 'never_run'] as const;

const worstOf = (states: readonly string[]): Health => order.find((state) => states.includes(state)) ?? 'never_run';

const sentence = (systems: readonly Plain<SystemStatusView>[], open: number, held: number): string => {
  const failing = systems.filter(({ state }) => state === 'failing').map(({ name }) => name);
  const usable =
    failing.length === 0
      ? `All ${systems.length} systems were usable when last asked`
      : `${failing.join(', ')} could not be used`;
  const waits =
    open + held === 0
      ? 'nothing waits'
      : `${open} question${open === 1 ? '' : 's'} and ${held} held change${held === 1 ? '' : 's'} wait`;
  return `${usable}; ${waits}.`;
};

const jobsOf = (systemName: string, facts: OverviewFacts): readonly JobRow[] => {
  const named = facts.configuration.jobs.filter(({ definition }) =>
    [...definition.sources, ...definition.targets].some((mapping) => mapping.startsWith(`${systemName}.`)),
  );
  return facts.jobs.filter((job) => named.some(({ id }) => id === job.job_id));
};

const systemOf = (system: LoadedConfiguration['systems'][number], facts: OverviewFacts): Plain<SystemStatusView> => {
  const { id, definition } = system;
  const jobs = jobsOf(definition.name, facts).filter((job) => job.last_run !== null);
  const problem =
    facts.problems.find((row) => row.system_id === id && jobs.some((job) => job.last_run === row.run_id)) ?? null;
  return {
    id: String(id),
    name: definition.name,
    kind: definition.kind,
    owner: definition.owner ?? null,
    state: problem !== null ? 'failing' : jobs.length > 0 ? 'ok' : 'never_run',
    lastRunAt:
      jobs
        .map((job) => job.last_at?.toISOString() ?? '')
        .sort()
        .at(-1) ?? null,
    problem: problem?.kind ?? null,
  };
};

const jobOf = (job: JobRow, facts: OverviewFacts): Plain<JobStatusView> => {
  const name = facts.configuration.jobs.find(({ id }) => id === job.job_id)?.definition.name ?? '';
  return {
    id: String(job.job_id),
    name,
    state: healthOf(job, facts),
    activeRunId: job.active_run,
    lastRunId: job.last_run,
    lastRunState: job.last_state,
    lastRunAt: job.last_at?.toISOString() ?? null,
    openQuestions: questionsOf(job, facts),
    held: job.held,
    links: {
      self: linkTo(`jobs/${job.job_id}`),
      runs: linkTo(`runs?job=${job.job_id}`),
      questions: linkTo(`conflicts/pending?job=${job.job_id}`),
      ...(job.last_run === null ? {} : { lastRun: linkTo(`runs/${job.last_run}`) }),
    },
  };
};

const questionsOf = (job: JobRow, { waiting }: OverviewFacts): number =>
  sum(waiting.filter((row) => row.job_id === job.job_id).map((row) => row.open));

const healthOf = (job: JobRow, facts: OverviewFacts): Health => {
  if (job.last_state === null) return 'never_run';
  if (job.last_state === 'failed' || job.last_error !== null) return 'failing';
  return questionsOf(job, facts) + job.held > 0 ? 'attention' : 'ok';
};

const actorOf = (code: string): Plain<AlertView>['actor'] =>
  code in errorCodes ? errorCodes[code as ErrorCode].actor : 'operator';

const systemAlerts = (facts: OverviewFacts): readonly Plain<AlertView>[] =>
  facts.problems.map(({ system_id: systemId, run_id: runId, kind }) => {
    const name = facts.configuration.systems.find(({ id }) => id === systemId)?.definition.name ?? 'A system';
    const links = { run: linkTo(`runs/${runId}`), findings: linkTo(`runs/${runId}/findings`) };
    return { code: kind, words: `${name} could not be used by run ${runId} (${kind}).`, actor: actorOf(kind), links };
  });

const jobAlerts = (facts: OverviewFacts): readonly Plain<AlertView>[] =>
  facts.jobs.flatMap(({ last_run: runId, last_error: code, job_id: jobId }) => {
    if (runId === null || code === null) return [];
    const name = facts.configuration.jobs.find(({ id }) => id === jobId)?.definition.name ?? String(jobId);
    return [
      {
        code,
        words: `The newest run of ${name} failed (${code}).`,
        actor: actorOf(code),
        links: { run: linkTo(`runs/${runId}`) },
      },
    ];
  });

const nextOf = (id: number, job: JobDefinition): readonly Plain<NextRunView>[] => {
  const { schedule } = job;
  if (schedule === undefined) return [];
  return [{ jobId: String(id), jobName: job.name, rhythm: rhythmOf(schedule) }];
};
