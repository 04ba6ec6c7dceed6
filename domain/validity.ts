import { addDays, isDate } from './calendar.js';
import type { Stated } from './canonical.js';
import type { EntityTypeDefinition } from './entity-type.js';
import { compilePath } from './paths.js';

/** Whether something stands on a date, and the next date on which that changes. */
export interface Standing {
  readonly holds: boolean;
  readonly nextChange: string | null;
}

const always: Standing = { holds: true, nextChange: null };

/** The standing of a period (both ends included; null: open), begun `lead` days earlier and ended `lag` days later. */
export const standingOn = (from: string | null, to: string | null, asOf: string, lead = 0, lag = 0): Standing => {
  const begin = from === null ? null : addDays(from, -lead);
  const end = to === null ? null : addDays(to, lag);
  if (begin !== null && end !== null && begin > end) return { holds: false, nextChange: null };
  if (begin !== null && asOf < begin) return { holds: false, nextChange: begin };
  if (end === null) return always;
  if (asOf > end) return { holds: false, nextChange: null };
  const after = addDays(end, 1);
  // The last date of the calendar stands for "for ever".
  return after === end ? always : { holds: true, nextChange: after };
};

/** A record's period; null where what stands for its dates is no date. */
export type PeriodReader = (
  values: readonly (Stated | null)[],
) => { readonly from: string | null; readonly to: string | null } | null;

const isOpenOrDate = (text: string | null): boolean => text === null || isDate(text);

/** How the period of records of a type is read; null where the type has none (its records hold always).
 *  @throws SyncError configuration_invalid */
export const compilePeriod = (
  entityType: EntityTypeDefinition,
): { readonly read: PeriodReader; readonly groups: readonly number[] } | null => {
  if (entityType.validity === undefined) return null;
  const from = compilePath(entityType, entityType.validity.from);
  const to = compilePath(entityType, entityType.validity.to);
  return {
    groups: [from.group, to.group],
    read: (values) => {
      const period = { from: from.text(values, null), to: to.text(values, null) };
      return isOpenOrDate(period.from) && isOpenOrDate(period.to) ? period : null;
    },
  };
};

/** Whether records of a type hold on a date, by their validity. One whose dates cannot be read does not hold.
 *  @throws SyncError configuration_invalid */
export const compileStanding = (
  entityType: EntityTypeDefinition,
): ((values: readonly (Stated | null)[], asOf: string) => Standing) => {
  const period = compilePeriod(entityType);
  if (period === null) return () => always;
  return (values, asOf) => {
    const read = period.read(values);
    return read === null ? { holds: false, nextChange: null } : standingOn(read.from, read.to, asOf);
  };
};
