import { randomUUID } from 'node:crypto';
import { dataOf } from '../../client/client.js';
import type { Schemas } from '../../client/client.js';
import { watchRun } from '../asking.js';
import type { Command } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { Failure, wrongUsage } from '../failure.js';
import { runText } from '../showing.js';
import { tableOf } from '../terminal.js';
import type { Paint } from '../terminal.js';

type Preview = Schemas['RollbackPreviewView'];

/** `concord rollback` */
export const rollback: Command = {
  name: 'rollback',
  summary: 'take a run back, after a look at what that does',
  arguments: [{ name: 'run', description: 'the run that goes back' }],
  options: [
    { name: 'preview', description: 'only show what it would do' },
    { name: 'reason', value: 'TEXT', description: 'why, for those who ask later (needed)' },
    { name: 'yes', short: 'y', description: 'do what the preview says, without asking' },
    { name: 'seen', value: 'HASH', description: 'the preview that you saw; refused if data moved since' },
    { name: 'no-watch', description: 'return when it has begun' },
    { name: 'idempotency-key', value: 'KEY', description: 'a text of your own: the same never starts two rollbacks' },
  ],
  examples: [
    { command: 'concord rollback 17 --preview', does: 'what goes back, what stays and why; nothing is done' },
    { command: 'concord rollback 17 --reason "last month\'s file"', does: 'shows the preview, asks, does it' },
    { command: 'concord rollback 17 --reason "last month\'s file" --yes', does: 'the same for a script' },
  ],
  async run(call) {
    const api = call.api();
    const runId = call.argument('run');
    const seen = call.given('seen');
    const reason = call.given('reason');
    if (!call.flag('preview') && reason === undefined)
      throw wrongUsage('Say why: --reason TEXT; or only look: --preview.');
    const preview =
      seen === undefined || call.flag('preview')
        ? await dataOf(api.POST('/runs/{runId}/rollback/preview', { params: { path: { runId } } }))
        : null;
    if (call.flag('preview') && preview !== null)
      return { data: preview, text: (paint) => previewText(preview, runId, paint) };
    if (preview !== null && !call.flag('yes')) {
      call.progress.note(previewText(preview, runId, call.paint));
      const answer = await call.ask(`Take run ${runId} back? [y/N] `);
      if (answer === null)
        throw new Failure(exitCodes.decision, 'not_confirmed', 'Nobody is there to say yes. Nothing was done.', {
          remedy: `Look at the preview, then: concord rollback ${runId} --reason TEXT --seen ${preview.previewHash}`,
        });
      if (!/^y(es)?$/i.test(answer)) throw new Failure(exitCodes.decision, 'not_confirmed', 'Nothing was done.');
    }
    const started = await dataOf(
      api.POST('/runs/{runId}/rollback', {
        params: { path: { runId }, header: { 'Idempotency-Key': call.given('idempotency-key') ?? randomUUID() } },
        body: { previewHash: preview?.previewHash ?? seen ?? '', reason: reason ?? '' },
      }),
    );
    if (call.flag('no-watch'))
      return { data: started, text: () => `The rollback is begun (workflow ${started.workflowId}).` };
    const ended = await watchRun(call, started);
    return {
      data: ended,
      text: (paint) => runText(ended, paint),
      exitCode: ended.state === 'completed' ? exitCodes.ok : exitCodes.failed,
    };
  },
};

const previewText = (preview: Preview, runId: string, paint: Paint): string => {
  const others = preview.runs.filter((run) => run.runId !== runId);
  return [
    paint.bold(`Taking run ${runId} back would`),
    `  set back ${String(preview.reversed)} values` +
      preview.targets.map(({ mapping, rows }) => `; ${String(rows)} rows of ${mapping}`).join(''),
    ...(others.length === 0
      ? []
      : [`  take back first: ${others.map((run) => `run ${run.runId} (${run.kind})`).join(', ')}`]),
    `  withdraw ${String(preview.questionsWithdrawn)} questions that it opened, and open ${String(preview.questionsReopened)} again`,
    `  keep ${String(preview.keptCount)} values that were changed since`,
    ...(preview.kept.length === 0
      ? []
      : [
          tableOf(
            paint,
            ['RECORD', 'ABOUT', 'KEPT BECAUSE'],
            preview.kept.slice(0, 50).map((kept) => [kept.goldenId, kept.group, kept.reason]),
            '',
          ),
        ]),
    paint.dim(`preview ${preview.previewHash}`),
  ].join('\n');
};
