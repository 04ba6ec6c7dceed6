import { ApiRefusal, dataOf } from '../client/client.js';
import type { Schemas } from '../client/client.js';
import type { Call } from './command.js';
import { valueOf } from './showing.js';
import { tableOf } from './terminal.js';
import type { Paint } from './terminal.js';

/* What a dry run says that a run would do. */

type Plan = NonNullable<Schemas['RunView']['plan']>;
type Change = Schemas['ChangeView'];

const samplesShown = 20;

/** Some of the changes, before and after; none where the role may not read records. */
export async function samplesOf(call: Call, runId: string): Promise<readonly Change[]> {
  try {
    const query = { limit: samplesShown };
    const page = await dataOf(call.api().GET('/runs/{runId}/changes', { params: { path: { runId }, query } }));
    return page.items;
  } catch (error) {
    if (error instanceof ApiRefusal && error.status === 403) return [];
    throw error;
  }
}

/** A plan on a terminal. */
export function planText(plan: Plan, samples: readonly Change[], paint: Paint): string {
  const { records, targets, questions, held, rejected, findings, leftOut } = plan;
  const operations = ({
    insert,
    update,
    delete: gone,
  }: (typeof records)[number] | (typeof targets)[number]): string[] => [insert, update, gone].map(String);
  const parts = [
    tableOf(
      paint,
      ['WOULD WRITE', 'NEW', 'CHANGED', 'GONE'],
      [
        ...records.map((one) => [one.entityType, ...operations(one)]),
        ...targets.map((one) => [`→ ${one.mapping}`, ...operations(one)]),
      ],
      'Nothing would be written.',
    ),
    ...section(
      'Questions that would be asked',
      questions.filter(({ opened, changed }) => opened + changed > 0),
      (one) => [`${String(one.opened + one.changed)} × ${one.kind} of ${one.entityType}`],
    ),
    ...section('Changes that would be held', held, ({ rows, operation, mapping, reason }) => [
      `${String(rows)} × ${operation} of ${mapping ?? 'several sources'}: ${reason}`,
    ]),
    ...section('Rows that would be set aside', rejected, ({ kind, mapping, reason, field, rows }) => [
      `${String(rows)} × ${mapping}${field === null ? '' : ` ${field}`}: ${reason}${kind === 'waiting' ? ' (waits)' : ''}`,
    ]),
    ...section('Findings', findings, ({ kind, count }) => [`${String(count)} × ${kind}`]),
    ...section('Could not be asked', leftOut, ({ name, code }) => [`${name}: ${code}`]),
    ...section('Some of it', samples, (change) => [changeLine(change)]),
  ];
  return parts.join('\n\n');
}

const section = <T>(title: string, items: readonly T[], lines: (item: T) => readonly string[]): readonly string[] =>
  items.length === 0 ? [] : [[`${title}:`, ...items.flatMap(lines).map((line) => `  ${line}`)].join('\n')];

const marks: Readonly<Record<string, string>> = { insert: '+', update: '~', delete: '-' };

function changeLine({ operation, entityType, mapping, sourceKey, goldenId, fields }: Change): string {
  const what =
    mapping === null
      ? `${entityType ?? ''} ${operation === 'insert' ? '' : goldenId}`
      : `→ ${mapping} ${sourceKey ?? ''}`;
  const values = fields.map(({ name, before, after, masked }) => {
    if (masked) return `${name}: •••`;
    return operation === 'update'
      ? `${name}: ${valueOf(before)} -> ${valueOf(after)}`
      : `${name}: ${valueOf(after ?? before)}`;
  });
  return [`${marks[operation] ?? ''} ${what.trim()}`, values.join(' | ')].filter((part) => part !== '').join('  ');
}
