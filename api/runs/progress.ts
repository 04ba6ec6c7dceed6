import { endStates, steps, type RunState, type Step } from '../../domain/run.js';
import { linkTo } from '../common/base-path.js';
import type { Plain } from '../common/plain-type.js';
import type { PartRow, PlannedSourceRow, readPartNames } from './progress.queries.js';
import type { RunRow } from './run.queries.js';
import type { PartProgressView, RunProgressView, StepProgressView } from './run.view.js';

export interface ProgressFacts {
  readonly run: RunRow;
  readonly parts: readonly PartRow[];
  readonly planned: readonly PlannedSourceRow[];
  readonly names: Awaited<ReturnType<typeof readPartNames>>;
  readonly now: Date;
}

/** How far a run is, from rows that were read at one moment. Pure. */
export const progressOf = (facts: ProgressFacts): Plain<RunProgressView> => {
  const { run, now } = facts;
  const end = run.finished_at ?? now;
  return {
    runId: run.id,
    state: run.state,
    startedAt: run.started_at.toISOString(),
    finishedAt: run.finished_at?.toISOString() ?? null,
    seconds: secondsBetween(run.started_at, end),
    steps: steps
      .filter((step) => step !== 'rollback' || run.state === 'rollback' || partsOf(facts, step).length > 0)
      .map((step) => stepOf(step, facts)),
    links: { run: linkTo(`runs/${run.id}`), events: linkTo(`events?topics=run,progress&run=${run.id}`) },
  };
};

const secondsBetween = (from: Date, to: Date): number => Math.max(0, (to.getTime() - from.getTime()) / 1000);

const partsOf = ({ parts }: ProgressFacts, step: Step): readonly PartRow[] =>
  parts.filter((part) => part.step === step);

const stepOf = (step: Step, facts: ProgressFacts): Plain<StepProgressView> => {
  const own = partsOf(facts, step);
  const state = stateOf(step, own.length > 0, facts.run);
  const began = own.flatMap(({ taken_at: at }) => (at === null ? [] : [at.getTime()]));
  const ended = own.flatMap(({ recorded_at: at }) => (at === null ? [] : [at.getTime()]));
  const startedAt = began.length === 0 ? null : new Date(Math.min(...began));
  const lastAt = ended.length === 0 ? null : new Date(Math.max(...ended));
  const until = state === 'at_work' ? facts.now : (lastAt ?? startedAt);
  const planned = step === 'extract' ? facts.planned : [];
  return {
    step,
    state,
    startedAt: startedAt?.toISOString() ?? null,
    lastAt: lastAt?.toISOString() ?? null,
    seconds: startedAt === null || until === null ? 0 : secondsBetween(startedAt, until),
    counts: summed(own),
    partsPlanned: step === 'extract' ? sum(planned.map(({ partitions }) => partitions)) : null,
    rowsEstimated: step === 'extract' ? Math.round(sum(planned.map(({ rows }) => rows))) : null,
    // The part without a name is the lease of the whole step.
    parts: own.filter(({ part }) => part !== '').map((part) => partOf(step, part, facts)),
  };
};

const stateOf = (step: Step, seen: boolean, run: RunRow): Plain<StepProgressView>['state'] => {
  const over = run.finished_at !== null || isEnd(run.state);
  const [own, current] = [steps.indexOf(step), steps.findIndex((one) => one === run.state)];
  if (over) return seen ? 'done' : 'left_out';
  if (own === current) return 'at_work';
  if (own < current) return seen ? 'done' : 'left_out';
  // Types are matched, merged and applied one after the other: a later step has begun already.
  return seen ? 'at_work' : 'waiting';
};

const isEnd = (state: RunState): boolean => (endStates as readonly string[]).includes(state);

const byType: readonly Step[] = ['match', 'merge', 'apply'];

const partOf = (step: Step, row: PartRow, { names }: ProgressFacts): Plain<PartProgressView> => {
  const id = /\d+/.exec(row.part)?.[0] ?? '';
  const name = (byType.includes(step) ? names.types : names.mappings).get(id) ?? null;
  return {
    part: row.part,
    name: step === 'rollback' ? null : name,
    attempts: row.attempts,
    chunks: row.chunks,
    chunksIntended: row.intended,
    counts: row.counts,
    startedAt: row.taken_at?.toISOString() ?? null,
    lastAt: row.recorded_at?.toISOString() ?? null,
  };
};

const summed = (parts: readonly PartRow[]): Record<string, number> => {
  const total: Record<string, number> = {};
  for (const { counts } of parts)
    for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count;
  return total;
};

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
