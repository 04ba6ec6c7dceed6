/** Dates are texts `YYYY-MM-DD` of the proleptic Gregorian calendar, years 0001 to 9999; they sort as they follow in time. */

const isoDate = /^(\d{4})-(\d{2})-(\d{2})$/;
const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const firstDate = '0001-01-01';
const lastDate = '9999-12-31';

const isLeapYear = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

/** Days of a month (1 to 12) of the Gregorian calendar; 0 of what is no month. */
export const daysIn = (year: number, month: number): number =>
  month === 2 && isLeapYear(year) ? 29 : (monthDays[month - 1] ?? 0);

const pad = (value: number, length: number): string => String(value).padStart(length, '0');

/** The date of year, month (1 to 12) and day, or null where the calendar has no such day. */
export const toDate = (year: number, month: number, day: number): string | null => {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null;
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
};

/** Whether a text is a date of the calendar in the form `YYYY-MM-DD`. */
export const isDate = (text: string): boolean => {
  const parts = isoDate.exec(text);
  return parts !== null && toDate(Number(parts[1]), Number(parts[2]), Number(parts[3])) !== null;
};

/** Days since 0000-03-01. Source: Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil. */
const toDayNumber = (year: number, month: number, day: number): number => {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
};

/** The inverse of `toDayNumber`. Source: the same paper, civil_from_days. */
const ofDayNumber = (dayNumber: number): [year: number, month: number, day: number] => {
  const era = Math.floor(dayNumber / 146_097);
  const dayOfEra = dayNumber - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day];
};

/** The date so many days later (earlier, where negative). Stays at the first or last date of the calendar where it would
 *  leave it: these stand for "always" and "for ever".
 *  @throws RangeError where the text is no date */
export const addDays = (date: string, days: number): string => {
  const parts = isoDate.exec(date);
  if (parts === null || !isDate(date)) throw new RangeError('not a date of the form YYYY-MM-DD');
  const [year, month, day] = ofDayNumber(toDayNumber(Number(parts[1]), Number(parts[2]), Number(parts[3])) + days);
  if (year < 1) return firstDate;
  return toDate(year, month, day) ?? lastDate;
};
