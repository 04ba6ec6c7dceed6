import { randomUUID } from 'node:crypto';
import { dataOf } from '../../client/client.js';
import type { Schemas } from '../../client/client.js';
import { exitCodeOfRun, findJob, watchRun } from '../asking.js';
import type { Call, Command, Outcome } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { wrongUsage } from '../failure.js';
import { planText, samplesOf } from '../run-plan.js';
import { runText } from '../showing.js';

/* A run; of a dry run, its plan with some of what would change. */
const shown = async (call: Call, run: Schemas['RunView']): Promise<Outcome> => {
  const { plan } = run;
  const exitCode = exitCodeOfRun(run);
  if (plan === null) return { data: run, text: (paint) => runText(run, paint), exitCode };
  const samples = await samplesOf(call, run.id);
  return {
    data: { ...run, samples },
    text: (paint) => `${runText(run, paint)}\n\n${planText(plan, samples, paint)}`,
    exitCode,
  };
};

/** `concord run` */
export const run: Command = {
  name: 'run',
  summary: 'start a run of a job, or look at one',
  arguments: [{ name: 'job', description: 'its name or id' }],
  options: [
    {
      name: 'watch',
      short: 'w',
      description:
        'follow it to its end; the exit code tells how it ended (3: questions or held changes wait, 6: it went on without a system)',
    },
    {
      name: 'dry-run',
      description: 'work out what the run would do, follow it to its end and show the plan; nothing is changed',
    },
    { name: 'as-of', value: 'DATE', description: 'project targets as of this date (default: today)' },
    { name: 'idempotency-key', value: 'KEY', description: 'a text of your own: the same never starts two runs' },
  ],
  examples: [
    { command: 'concord run people', does: 'starts it and returns at once' },
    { command: 'concord run people --watch', does: 'starts it and follows it to its end' },
    {
      command: 'concord run people --idempotency-key 2026-11-26',
      does: 'starts it once, however often this is repeated',
    },
    { command: 'concord run people --dry-run', does: 'what it would write, ask, hold and set aside' },
    { command: 'concord run show 17', does: 'the state of run 17 in words, and its counts' },
  ],
  async run(call) {
    const api = call.api();
    const job = await findJob(api, call.argument('job'));
    const asOf = call.given('as-of');
    const dryRun = call.flag('dry-run');
    const started = await dataOf(
      api.POST('/jobs/{jobId}/runs', {
        params: {
          path: { jobId: job.id },
          header: { 'Idempotency-Key': call.given('idempotency-key') ?? randomUUID() },
        },
        body: { ...(asOf === undefined ? {} : { asOf }), ...(dryRun ? { dryRun } : {}) },
      }),
    );
    if (dryRun) return await shown(call, await watchRun(call, started));
    if (!call.flag('watch')) {
      const { runId, workflowId } = started;
      const which =
        runId === null ? `A run of ${job.definition.name} is begun` : `Run ${runId} of ${job.definition.name} is begun`;
      const look = runId === null ? `concord runs --job ${job.definition.name}` : `concord run show ${runId}`;
      return { data: started, text: (paint) => `${which}.\n${paint.dim(`${look}   (workflow ${workflowId})`)}` };
    }
    const ended = await watchRun(call, started);
    return await shown(call, ended);
  },
  subcommands: [
    {
      name: 'show',
      summary: 'show a run: its state in words, its counts, what to do next',
      arguments: [{ name: 'id', description: 'the run' }],
      options: [{ name: 'watch', short: 'w', description: 'follow it to its end' }],
      examples: [
        { command: 'concord run show 17', does: 'how it went' },
        { command: 'concord run show 17 --json | jq .counts', does: 'its counts for a script' },
      ],
      async run(call: Call): Promise<Outcome> {
        const runId = call.argument('id');
        const found = await dataOf(call.api().GET('/runs/{runId}', { params: { path: { runId } } }));
        if (!call.flag('watch')) return { ...(await shown(call, found)), exitCode: exitCodes.ok };
        const { workflowId, jobId, links } = found;
        const ended = await watchRun(call, { runId, workflowId, jobId, links });
        return await shown(call, ended);
      },
    },
    {
      name: 'cancel',
      summary: 'ask a run to end; what it has written is taken back',
      arguments: [{ name: 'id', description: 'the run' }],
      options: [{ name: 'reason', value: 'TEXT', description: 'why, for those who ask later (needed)' }],
      examples: [{ command: 'concord run cancel 17 --reason "last month\'s file"', does: 'and says what that does' }],
      async run(call: Call): Promise<Outcome> {
        const reason = call.given('reason');
        if (reason === undefined) throw wrongUsage('Say why: --reason TEXT.');
        const runId = call.argument('id');
        const cancelled = await dataOf(
          call.api().POST('/runs/{runId}/cancel', { params: { path: { runId } }, body: { reason } }),
        );
        return {
          data: cancelled,
          text: (paint) => `Run ${runId} is asked to end.\n${paint.dim(`concord run show ${runId} --watch`)}`,
        };
      },
    },
  ],
};
