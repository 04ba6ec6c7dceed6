import { randomUUID } from 'node:crypto';
import { dataOf } from '../client/client.js';
import type { MappingTrial, TrialReading } from '../domain/mapping-trial.js';
import { answerOf, findMapping } from './asking.js';
import type { Call, Outcome } from './command.js';
import { valueOf } from './showing.js';
import { tableOf } from './terminal.js';
import type { Paint } from './terminal.js';

/** What the first rows of each source of a job would become. Nothing is stored. */
export async function tryJob(call: Call, sources: readonly string[]): Promise<Outcome> {
  const trials: { source: string; trial: MappingTrial }[] = [];
  for (const source of sources) {
    call.progress.now(`Reading some rows of ${source} …`);
    const api = call.api();
    const { id: mappingId } = await findMapping(api, source);
    const asked = await dataOf(
      api.POST('/mappings/{mappingId}/dry-run', {
        params: { path: { mappingId }, header: { 'Idempotency-Key': randomUUID() } },
        body: { limit: 20 },
      }),
    );
    trials.push({ source, trial: await answerOf<MappingTrial>(call, asked) });
  }
  return {
    data: { sources: trials },
    text: (paint) => trials.map(({ source, trial }) => trialText(source, trial, paint)).join('\n\n'),
  };
}

const trialText = (source: string, { rows, counts, byField }: MappingTrial, paint: Paint): string =>
  [
    paint.bold(
      `${source}: ${String(counts.rows)} rows, ${String(counts.read)} read, ${String(counts.rejected)} rejected, ${String(counts.filtered)} filtered`,
    ),
    tableOf(
      paint,
      ['KEY', '', 'WOULD SAY'],
      rows.map(({ sourceKey, after }) => [sourceKey, after.outcome, readingText(after)]),
      'The source has no row.',
    ),
    ...byField.map(({ field, reason, count }) => `${String(count)} × ${field ?? 'the row'}: ${reason}`),
  ].join('\n');

const readingText = ({ records, problems }: TrialReading): string =>
  [
    ...records.map(
      ({ entityType, values }) =>
        `${entityType} ${Object.entries(values)
          .map(([group, value]) => `${group}: ${valueOf(value)}`)
          .join(' | ')}`,
    ),
    ...problems.map(({ field, detail }) => `${field ?? 'row'}: ${detail}`),
  ].join('; ');
