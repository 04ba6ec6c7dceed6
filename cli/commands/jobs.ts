import { dataOf } from '../../client/client.js';
import { findJob, firstOf, limitOf, limitOption, moreLine, pageOf } from '../asking.js';
import type { Call, Command, Outcome } from '../command.js';
import { factsOf, stateOf, tableOf } from '../terminal.js';

/** `concord jobs` */
export const jobs: Command = {
  name: 'jobs',
  summary: 'list the jobs: what is synchronized with what',
  options: [limitOption],
  examples: [
    { command: 'concord jobs', does: 'the jobs, how their newest runs ended and what waits' },
    { command: 'concord jobs show people', does: 'the definition of the job `people`' },
  ],
  async run(call) {
    const api = call.api();
    const most = limitOf(call);
    const { items, more } = await firstOf(most, (cursor) =>
      api.GET('/jobs', { params: { query: pageOf(cursor, most) } }),
    );
    const overview = await dataOf(api.GET('/status/overview'));
    return {
      data: { items },
      text: (paint) =>
        tableOf(
          paint,
          ['ID', 'NAME', 'SOURCES', 'TARGETS', 'NEWEST RUN', 'WAITS'],
          items.map(({ id, definition }) => {
            const status = overview.jobs.find((job) => job.id === id);
            const { activeRunId = null, lastRunId = null, lastRunState = null } = status ?? {};
            const run =
              activeRunId === null
                ? lastRunId === null
                  ? 'never run'
                  : `${lastRunId} ${stateOf(paint, lastRunState ?? '')}`
                : `${activeRunId} at work`;
            const waits = (status?.openQuestions ?? 0) + (status?.held ?? 0);
            const { name, sources, targets } = definition;
            return [id, name, sources.join(' '), targets.join(' '), run, waits === 0 ? '' : String(waits)];
          }),
          'There is no job yet. `concord apply FOLDER` makes a folder of YAML the configuration.',
        ) + moreLine(more, most),
    };
  },
  subcommands: [
    {
      name: 'show',
      summary: 'show the definition of a job',
      arguments: [{ name: 'job', description: 'its name or id' }],
      examples: [
        { command: 'concord jobs show people', does: 'what it reads, what it writes, its limits and schedule' },
      ],
      async run(call: Call): Promise<Outcome> {
        const job = await findJob(call.api(), call.argument('job'));
        const { name, sources, targets, limits = [], schedule, reading, onFailure } = job.definition;
        return {
          data: job,
          text: (paint) =>
            factsOf(paint, [
              ['job', `${name} (${job.id}, version ${String(job.version)})`],
              ['reads', sources.join(', ')],
              ['writes', targets.join(', ')],
              ['reading', reading ?? 'full'],
              ['limits', limits.map(limitText).join(', ')],
              ['schedule', schedule === undefined ? 'none' : JSON.stringify(schedule)],
              ['on failure', onFailure ?? 'roll_back'],
            ]),
        };
      },
    },
  ],
};

const limitText = (limit: {
  readonly entityType?: string;
  readonly operation: string;
  readonly absolute?: number;
  readonly percent?: number;
}): string =>
  [
    `${limit.operation}${limit.entityType === undefined ? '' : ` of ${limit.entityType}`}`,
    ...(limit.absolute === undefined ? [] : [`at most ${String(limit.absolute)}`]),
    ...(limit.percent === undefined ? [] : [`at most ${String(limit.percent)}%`]),
  ].join(' ');
