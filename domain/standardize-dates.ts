import { addDays, isDate, toDate } from './calendar.js';
import { quickDate, quickTimestamp } from './quick-forms.js';
import type { Standardizer, StepOptions, StepProblem, TextStep } from './standardizer-options.js';

/** A date format compiled: its form, and the position of year, month and day among its three parts. */
interface DateFormat {
  readonly form: RegExp;
  readonly order: readonly ('Y' | 'M' | 'D')[];
  readonly write: (date: string) => string;
}

const formatParts = /YYYY|MM|DD|M|D|[^YMD]+/g;
const partForms: Readonly<Record<string, string>> = {
  YYYY: '(\\d{4})',
  MM: '(\\d{2})',
  DD: '(\\d{2})',
  M: '(\\d{1,2})',
  D: '(\\d{1,2})',
};
const escapeText = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');

const writePart = (part: string, date: string): string => {
  if (part === 'YYYY') return date.slice(0, 4);
  if (part === 'MM') return date.slice(5, 7);
  if (part === 'DD') return date.slice(8, 10);
  if (part === 'M') return String(Number(date.slice(5, 7)));
  if (part === 'D') return String(Number(date.slice(8, 10)));
  return part;
};

/** A declared format (`YYYY-MM-DD`, `DD.MM.YYYY`, `M/D/YYYY`, `YYYYMMDD` …), or null where it does not hold year, month and day
 *  once each. Two-digit years are not offered: they say no century. */
const compileFormat = (format: string): DateFormat | null => {
  const parts = format.match(formatParts) ?? [];
  if (parts.join('') !== format) return null;
  const order = parts.flatMap((part): ('Y' | 'M' | 'D')[] =>
    part === 'YYYY' ? ['Y'] : /^M{1,2}$/.test(part) ? ['M'] : /^D{1,2}$/.test(part) ? ['D'] : [],
  );
  if ([...order].sort().join('') !== 'DMY') return null;
  const form = new RegExp(`^${parts.map((part) => partForms[part] ?? escapeText(part)).join('')}$`);
  return { form, order, write: (date) => parts.map((part) => writePart(part, date)).join('') };
};

const readDate = (format: DateFormat, text: string): string | null | undefined => {
  const found = format.form.exec(text);
  if (found === null) return undefined;
  const part = (name: 'Y' | 'M' | 'D'): number => Number(found[format.order.indexOf(name) + 1]);
  return toDate(part('Y'), part('M'), part('D'));
};

const declaredFormats = (options: StepOptions): readonly string[] => options.texts('formats') ?? ['YYYY-MM-DD'];
const compileFormats = (formats: readonly string[]): DateFormat[] =>
  formats.map(compileFormat).filter((format): format is DateFormat => format !== null);

/** Reads a text in the first of the formats that it fits: the date; '' for a blank; a problem otherwise. */
export const dateReader = (formats: readonly string[]): TextStep => {
  const compiled = compileFormats(formats);
  const iso = formats.length === 1 && formats[0] === 'YYYY-MM-DD';
  const wrongForm: StepProblem = {
    reason: 'date_invalid',
    detail: `expected a date of the form ${formats.join(' or ')}`,
  };
  const noSuchDay: StepProblem = { reason: 'date_invalid', detail: 'the calendar has no such day' };
  return (text) => {
    if (iso && quickDate(text) !== null) return text;
    const trimmed = text.trim();
    if (trimmed === '' || (iso && isDate(trimmed))) return trimmed;
    let formFits = false;
    for (const format of compiled) {
      const date = readDate(format, trimmed);
      if (typeof date === 'string') return date;
      if (date === null) formFits = true;
    }
    return formFits ? noSuchDay : wrongForm;
  };
};

/** A date in one of the declared `formats` (default `YYYY-MM-DD`), checked against the calendar; written in the first of them. */
export const date: Standardizer = {
  options: { formats: 'texts' },
  check: (options) =>
    declaredFormats(options)
      .filter((format) => compileFormat(format) === null)
      .map((format) => `${format} is no date format: it needs YYYY, MM or M, and DD or D once each`),
  read: (options) => dateReader(declaredFormats(options)),
  write: (options) => {
    const format = compileFormats(declaredFormats(options))[0];
    return (text) => {
      if (text === '') return '';
      if (!isDate(text)) return { reason: 'date_invalid', detail: 'the canonical value is no date' };
      return format === undefined ? text : format.write(text);
    };
  },
};

const timestampForm =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s?(Z|[+-]\d{2}(?::?\d{2})?)?$/i;
const offsetForm = /^([+-])(\d{2}):?(\d{2})?$/;
const offsetMinutes = (offset: string): number | null => {
  if (offset === 'Z' || offset === 'z') return 0;
  const parts = offsetForm.exec(offset);
  if (parts === null) return null;
  const minutes = Number(parts[2]) * 60 + Number(parts[3] ?? '0');
  return minutes > 18 * 60 ? null : parts[1] === '-' ? -minutes : minutes;
};

const timestampProblem: StepProblem = {
  reason: 'timestamp_invalid',
  detail: 'expected a date and time as in RFC 3339, with its offset',
};
const two = (value: number): string => String(value).padStart(2, '0');

/** RFC 3339 in UTC, without trailing zeros of the fraction, so that equal instants are equal texts. */
const readTimestamp = (text: string, fallbackOffset: string | undefined): string | StepProblem => {
  const parts = timestampForm.exec(text);
  if (parts === null) return timestampProblem;
  const [, day = '', hour = '0', minute = '0', second = '0', fraction = '', offset = fallbackOffset] = parts;
  const shift = offset === undefined ? null : offsetMinutes(offset);
  if (shift === null || !isDate(day) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) {
    return timestampProblem;
  }
  const minutes = Number(hour) * 60 + Number(minute) - shift;
  const days = Math.floor(minutes / 1_440);
  const inDay = minutes - days * 1_440;
  const kept = fraction.replace(/0+$/, '');
  const utcDay = days === 0 ? day : addDays(day, days);
  return `${utcDay}T${two(Math.floor(inDay / 60))}:${two(inDay % 60)}:${two(Number(second))}${kept === '' ? '' : `.${kept}`}Z`;
};

/** An instant: RFC 3339 or PostgreSQL's own writing, turned to UTC. A text without offset needs the declared `offset`. */
export const timestamp: Standardizer = {
  options: { offset: 'text' },
  check: (options) =>
    offsetMinutes(options.text('offset') ?? 'Z') === null ? ['offset of timestamp must be Z or like +01:00'] : [],
  read: (options) => {
    const offset = options.text('offset');
    return (text) => {
      const quick = quickTimestamp(text);
      if (quick !== null) return quick;
      const trimmed = text.trim();
      return trimmed === '' ? '' : readTimestamp(trimmed, offset);
    };
  },
};
