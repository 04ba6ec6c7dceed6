import { findJob, firstOf, limitOf, limitOption, moreLine, pageOf } from '../asking.js';
import type { Command } from '../command.js';
import { wrongUsage } from '../failure.js';
import { moment, stateOf, tableOf } from '../terminal.js';

const kinds = ['sync', 'decision', 'release', 'rollback', 'due'] as const;
const states = ['completed', 'completed_with_questions', 'failed', 'cancelled', 'rolled_back', 'skipped'] as const;

/** `concord runs` */
export const runs: Command = {
  name: 'runs',
  summary: 'list runs, newest first',
  options: [
    { name: 'job', value: 'JOB', description: 'only of this job, by name or id' },
    { name: 'kind', value: 'KIND', description: 'only of this kind', choices: kinds },
    { name: 'state', value: 'STATE', description: 'only in this state', choices: states },
    { name: 'parent', value: 'RUN', description: 'only those that belong to this run' },
    limitOption,
  ],
  examples: [
    { command: 'concord runs --limit 10', does: 'the ten newest' },
    { command: 'concord runs --job people --state failed', does: 'those of a job that failed' },
    { command: 'concord runs --parent 17', does: 'the decisions, releases and rollbacks of run 17' },
  ],
  async run(call) {
    const api = call.api();
    const most = limitOf(call);
    const job = call.given('job');
    const parent = call.given('parent');
    const kind = oneOf(kinds, call.given('kind'));
    const state = oneOf(states, call.given('state'));
    const filter = {
      ...(job === undefined ? {} : { job: (await findJob(api, job)).id }),
      ...(parent === undefined ? {} : { parent }),
      ...(kind === undefined ? {} : { kind }),
      ...(state === undefined ? {} : { state }),
    };
    const { items, more } = await firstOf(most, (cursor) =>
      api.GET('/runs', { params: { query: { ...filter, ...pageOf(cursor, most) } } }),
    );
    return {
      data: { items },
      text: (paint) =>
        tableOf(
          paint,
          ['ID', 'KIND', 'JOB', 'STATE', 'BEGAN (UTC)', 'ENDED (UTC)', 'QUESTIONS', 'HELD', 'ASIDE', 'BY'],
          items.map((run) => [
            ...[run.id, run.kind, run.jobName, stateOf(paint, run.state)],
            ...[moment(run.startedAt), moment(run.finishedAt)],
            ...[run.openQuestions || '', run.held || '', run.rejected || '', run.actor],
          ]),
          'There is no such run. `concord run JOB` starts one.',
        ) + moreLine(more, most),
    };
  },
};

/** One of several words. @throws Failure usage */
export function oneOf<Word extends string>(words: readonly Word[], given: string | undefined): Word | undefined {
  if (given === undefined) return undefined;
  const found = words.find((word) => word === given);
  if (found === undefined) throw wrongUsage(`${given} is none of ${words.join(', ')}.`);
  return found;
}
