import { workflowInfo } from '@temporalio/workflow';
import { asApplicationFailure } from './failures.js';

/** The date as of which a run projects: the one it was given; else that of its schedule's nominal time; else today's. A run
 *  that starts late (catch-up, a worker that was down) keeps the date it was meant for. */
export function asOfDate(input: { readonly asOf: string | null; readonly timeZone?: string }): string {
  if (input.asOf !== null) return input.asOf;
  const { typedSearchAttributes, startTime } = workflowInfo();
  const nominal = typedSearchAttributes.get({ name: 'TemporalScheduledStartTime', type: 'DATETIME' });
  return dateIn(input.timeZone ?? 'UTC', nominal ?? startTime);
}

/** The calendar date of an instant in a time zone. */
export function dateIn(timeZone: string, instant: Date): string {
  try {
    const parts = new Intl.DateTimeFormat('en-US', {
      timeZone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    }).formatToParts(instant);
    const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? '';
    return `${part('year')}-${part('month')}-${part('day')}`;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw asApplicationFailure({ code: 'configuration_invalid', detail: `There is no time zone ${timeZone}.` });
  }
}
