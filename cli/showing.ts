import type { Schemas } from '../client/client.js';
import { factsOf, moment, stateOf } from './terminal.js';
import type { Paint } from './terminal.js';

/* How what the API speaks of looks on a terminal. */

/** A value of a record on one line. */
export const valueOf = (value: unknown): string => {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(valueOf).join('; ');
  if (typeof value === 'object')
    return Object.values(value)
      .filter((part) => part !== null)
      .map(valueOf)
      .join(', ');
  return JSON.stringify(value);
};

const dispositions = [
  'extracted',
  'missing',
  'unchanged',
  'new',
  'changed',
  'no_effect',
  'deleted',
  'rejected',
] as const;

/** A run: its state in words, its counts, what to do next. */
export function runText(run: Schemas['RunView'], paint: Paint): string {
  const { words, counts } = run;
  const rows = numbersIn(counts['rows']);
  const summary = numbersIn(counts['summary']);
  const shown = [...dispositions, 'held', 'waiting', 'filtered'].filter((name) => (rows[name] ?? 0) > 0);
  return [
    `${paint.bold(`Run ${run.id}`)} ${stateOf(paint, run.state)}: ${words.happened}`,
    `${words.means} ${words.next}`,
    '',
    factsOf(paint, [
      ['kind', run.kind],
      ['job', run.jobName],
      ['by', run.actor],
      ['as of', run.asOf],
      ['began', moment(run.startedAt)],
      ['ended', moment(run.finishedAt)],
      ['belongs to run', run.parentRunId],
      ['rolled back by run', run.rolledBackBy],
      ['rows', shown.map((name) => `${String(rows[name])} ${name.replace('_', ' ')}`).join(', ')],
      ['golden records written', run.kind === 'dry_run' ? null : (summary['goldenWrites'] ?? null)],
      // A rollback tells rows of targets in its preview; it does not count them again.
      ['target rows written', ['rollback', 'dry_run'].includes(run.kind) ? null : (summary['targetWrites'] ?? null)],
      ['sums balance', run.balance === null ? null : run.balance.balances ? 'yes' : paint.red('no')],
      ['questions', run.openQuestions === 0 ? null : `${String(run.openQuestions)}: concord conflicts --run ${run.id}`],
      ['held', run.held === 0 ? null : `${String(run.held)}: concord held --run ${run.id}`],
      ['held before', run.heldBefore === 0 ? null : `${String(run.heldBefore)}: concord held`],
      ['set aside', run.rejected === 0 ? null : `${String(run.rejected)}: concord rejected ${run.id}`],
      [
        'error',
        run.error === null ? null : `${run.error.code}${run.error.detail === null ? '' : `: ${run.error.detail}`}`,
      ],
      ['workflow', run.workflowId],
    ]),
  ].join('\n');
}

const numbersIn = (value: unknown): Readonly<Record<string, number | undefined>> => {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
};
