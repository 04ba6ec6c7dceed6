import type { JobDefinition } from './job-definition.js';

type Schedule = NonNullable<JobDefinition['schedule']>;

/** The rhythm of a schedule in words: `every day at 02:00 (Europe/London)`. */
export const rhythmOf = ({ calendar, everyMinutes, timeZone }: Schedule): string => {
  if (calendar === undefined) return everyMinutes === 1 ? 'every minute' : `every ${everyMinutes ?? 0} minutes`;
  const days = calendar.daysOfWeek?.map((day) => day.charAt(0) + day.slice(1).toLowerCase()).join(', ');
  return `${days === undefined ? 'every day' : `every ${days}`} at ${two(calendar.hour)}:${two(calendar.minute)} (${timeZone})`;
};

/** The window in which a job does not run by itself on a date (YYYY-MM-DD, both ends included); null: there is none. */
export const frozenOn = (
  schedule: Schedule | undefined,
  date: string,
): NonNullable<Schedule['freeze']>[number] | null =>
  (schedule?.freeze ?? []).find(({ from, to }) => from.slice(0, 10) <= date && date <= to.slice(0, 10)) ?? null;

/** What a schedule means, for people. */
export interface ScheduleInWords {
  readonly rhythm: string;
  /** The next nominal times: the instant, and what the clock on the wall then shows (RFC 3339 with its offset). */
  readonly next: readonly { readonly at: number; readonly local: string }[];
  /** What is unusual about the times until then: the clock changes, a freeze. */
  readonly notes: readonly string[];
}

/** A schedule in words, with its next times after an instant. */
export const describeSchedule = (schedule: Schedule, after: number, most = 5): ScheduleInWords => {
  const zone = zoneClock(schedule.timeZone);
  const times = nextFireTimes(schedule, after, most);
  return {
    rhythm: rhythmOf(schedule),
    next: times.map((at) => ({ at, local: zone.textAt(at) })),
    notes: [...clockNotes(schedule, zone, after, times.at(-1) ?? after), ...freezeNotes(schedule, zone.dateAt(after))],
  };
};

/* Of a change of the clock, by how often the time of day then fires. */
const consequences = [
  ': that time of day does not occur, so there is no run.',
  '.',
  ': that time of day occurs twice, and so does the run.',
];

/* The days until then on which the clock is changed, and what becomes of a time of day that it leaves out or repeats. */
const clockNotes = ({ calendar, timeZone }: Schedule, zone: ZoneClock, after: number, until: number): string[] => {
  const notes: string[] = [];
  for (let date = Date.parse(zone.dateAt(after)); date <= Date.parse(zone.dateAt(until)); date += day) {
    const length = zone.instantOf(date + day) - zone.instantOf(date);
    if (length === day) continue;
    const on = new Date(date).toISOString().slice(0, 10);
    const change = `The clock of ${timeZone} is put ${length < day ? 'forward' : 'back'} on ${on}`;
    const local = calendar === undefined ? null : date + calendar.hour * hourLong + calendar.minute * minute;
    notes.push(change + (local === null ? '.' : (consequences[firesAt(zone, local).length] ?? '.')));
  }
  return notes;
};

const freezeNotes = ({ freeze }: Schedule, today: string): string[] =>
  (freeze ?? [])
    .filter(({ to }) => today <= to)
    .map(({ from, to, reason }) => `No run from ${from} to ${to}: ${reason}.`);

const two = (value: number): string => String(value).padStart(2, '0');
const minute = 60_000;
const hourLong = 60 * minute;
const day = 86_400_000;
const weekdays = ['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'];

/** Nominal times at which a schedule fires after an instant, in milliseconds since 1970, at most so many within two years.
 *  They are those of Temporal (service/worker/scheduler/calendar.go), which a test asks: an hour that a change of the clock leaves
 *  out does not fire; one that comes twice fires twice west of Greenwich, and once east of it. A jitter comes on top. */
export const nextFireTimes = (schedule: Schedule, after: number, most: number): readonly number[] => {
  const zone = zoneClock(schedule.timeZone);
  const found: number[] = [];
  for (const time of schedule.calendar === undefined
    ? intervals(schedule, after, zone)
    : calendarTimes(schedule, after, zone)) {
    if (time > after + 731 * day || found.length >= most) break;
    if (frozenOn(schedule, zone.dateAt(time)) === null) found.push(time);
  }
  return found;
};

/* Intervals are counted from the beginning of 1970. A freeze is stepped over at once, be it years of minutes. */
function* intervals(schedule: Schedule, after: number, zone: ZoneClock): Generator<number> {
  const every = (schedule.everyMinutes ?? 0) * minute;
  if (every <= 0) return;
  const firstAt = (instant: number): number => Math.ceil(instant / every) * every;
  for (let time = firstAt(after + 1); ;) {
    const frozen = frozenOn(schedule, zone.dateAt(time));
    if (frozen === null) yield time;
    const over = frozen === null ? 0 : zone.instantOf(Date.parse(frozen.to.slice(0, 10)) + day);
    time = over <= time ? time + every : firstAt(over);
  }
}

function* calendarTimes({ calendar }: Schedule, after: number, zone: ZoneClock): Generator<number> {
  if (calendar === undefined) return;
  const { hour, minute: minutes, daysOfWeek } = calendar;
  for (let date = Date.parse(zone.dateAt(after)) - day; ; date += day) {
    if (daysOfWeek !== undefined && !daysOfWeek.includes(weekdays[new Date(date).getUTCDay()] ?? '')) continue;
    for (const time of firesAt(zone, date + hour * hourLong + minutes * minute)) if (time > after) yield time;
  }
}

/* None where the hour is left out; two where an hour, from its beginning to that of the next, is longer than an hour. */
const firesAt = (zone: ZoneClock, local: number): readonly number[] => {
  const time = zone.instantOf(local);
  if (zone.hourAt(time) !== new Date(local).getUTCHours()) return [];
  const begins = Math.floor(local / hourLong) * hourLong;
  return zone.instantOf(begins + hourLong) - zone.instantOf(begins) > hourLong ? [time, time + hourLong] : [time];
};

interface ZoneClock {
  /** RFC 3339 with the offset of the zone. */
  readonly textAt: (instant: number) => string;
  readonly dateAt: (instant: number) => string;
  readonly hourAt: (instant: number) => number;
  /** The instant of a local time, which is given as if it were UTC, as Go's `time.Date` has it: where the zone leaves it out or
   *  has it twice, by the offset before or after the change, depending on the zone. */
  readonly instantOf: (local: number) => number;
}

const zoneClock = (timeZone: string): ZoneClock => {
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit' },
    ...{ hour: '2-digit', minute: '2-digit', second: '2-digit' },
  });
  const localAt = (instant: number): number => {
    const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
    return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  };
  const offsetAt = (instant: number): number => localAt(instant) - Math.floor(instant / 1000) * 1000;
  return {
    textAt: (instant) => {
      const minutes = Math.round(offsetAt(instant) / minute);
      const offset = `${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
      return `${new Date(localAt(instant)).toISOString().slice(0, 19)}${minutes < 0 ? '-' : '+'}${offset}`;
    },
    dateAt: (instant) => new Date(localAt(instant)).toISOString().slice(0, 10),
    hourAt: (instant) => new Date(localAt(instant)).getUTCHours(),
    instantOf: (local) => {
      // The offset at the local time read as UTC, where it still holds at what it leads to; else the one that holds there.
      const first = offsetAt(local);
      const offset = offsetAt(local - first);
      return local - (offset === first ? first : offset);
    },
  };
};
