import type { Standardizer, StepProblem, TextStep } from './standardizer-options.js';

const innerSpaces = /\s{2,}|[^\S ]/u;
const everySpaces = /\s+/gu;
const collapse = (text: string): string => (innerSpaces.test(text) ? text.replace(everySpaces, ' ') : text);

/** Removes white space at both ends; with `collapse: true` also makes each run of inner white space one plain space. */
export const trim: Standardizer = {
  options: { collapse: 'flag' },
  read: (options) => (options.flag('collapse') ? (text) => collapse(text.trim()) : (text) => text.trim()),
};

const wordStart = /(^|[\s\-'’.(/])(\p{L})/gu;
const titleCase = (text: string): string =>
  text.toLowerCase().replace(wordStart, (_, before: string, letter: string) => before + letter.toUpperCase());

/** Writes the text in `to: upper`, `lower` or `title` case (title: each word begins with a capital). */
export const letterCase: Standardizer = {
  options: { to: ['upper', 'lower', 'title'] },
  required: ['to'],
  read: (options) => {
    const to = options.text('to');
    if (to === 'upper') return (text) => text.toUpperCase();
    if (to === 'lower') return (text) => text.toLowerCase();
    return titleCase;
  },
};

const beyondAscii = /\P{ASCII}/u;
const normalize = (text: string): string => (beyondAscii.test(text) ? text.normalize('NFC') : text);

/** Unicode normalization form C: one spelling for letters with accents. */
export const nfc: Standardizer = { options: {}, read: () => normalize };

/** A person's or a place's name: typographic and repeated spaces become one plain space, the ends are trimmed, letters with
 *  accents get one spelling (NFC). Otherwise it stays as it was written: nobody's name is put right. */
export const name: Standardizer = { options: {}, read: () => (text) => normalize(collapse(text.trim())) };

// Every part is bounded and the parts cannot match the same text, so that the check is linear.
const emailForm =
  /^[^\s@"(),:;<>[\]\\]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}[\p{L}\p{N}-]{2,63}$/u;
const badDots = /^\.|\.@|\.\.[^@]*@/;
const emailProblem: StepProblem = { reason: 'email_invalid', detail: 'expected an e-mail address' };

/** Whether a text (trimmed) has the form of an e-mail address. */
export const isEmail = (text: string): boolean => text.length <= 254 && emailForm.test(text) && !badDots.test(text);

const readEmail: TextStep = (text) => {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  if (!isEmail(trimmed)) return emailProblem;
  const at = trimmed.indexOf('@');
  return trimmed.slice(0, at) + trimmed.slice(at).toLowerCase();
};

/** An e-mail address: trimmed, its form checked, the domain in lower case. The part before the @ is kept: it may differ by case. */
export const email: Standardizer = { options: {}, read: () => readEmail };

const phoneForm = /^\+?[\d\s()./\-\u2010-\u2015]+$/u;
const notDigit = /\D+/g;
const phoneProblem: StepProblem = {
  reason: 'phone_invalid',
  detail: 'expected 3 to 15 digits, with spaces, brackets, dots and dashes at most',
};

/** A telephone number: digits and a leading + only. With `country: "+49"` a leading 0 (or none) becomes that prefix, and a
 *  leading 00 a +. A number with letters (an extension) is a problem, as its digits would make another number. */
export const phone: Standardizer = {
  options: { country: 'text' },
  check: (options) =>
    /^\+\d{1,3}$/.test(options.text('country') ?? '+1') ? [] : ['country of phone must be a + and one to three digits'],
  read: (options) => {
    const country = options.text('country');
    return (text) => {
      const trimmed = text.trim();
      if (trimmed === '') return '';
      const digits = trimmed.replace(notDigit, '');
      if (!phoneForm.test(trimmed) || digits.length < 3 || digits.length > 15) return phoneProblem;
      if (trimmed.startsWith('+')) return `+${digits}`;
      if (country === undefined) return digits;
      if (digits.startsWith('00')) return `+${digits.slice(2)}`;
      return country + (digits.startsWith('0') ? digits.slice(1) : digits);
    };
  },
};

/** Keeps the digits only. */
export const digits: Standardizer = { options: {}, read: () => (text) => text.replace(notDigit, '') };

/** Words that mean "blank" in the system (`words: [N/A, none, -]`), compared without regard to case and outer spaces. */
export const replaceBlank: Standardizer = {
  options: { words: 'texts' },
  required: ['words'],
  read: (options) => {
    const words = new Set((options.texts('words') ?? []).map((word) => word.trim().toLowerCase()));
    const longest = Math.max(...[...words].map((word) => word.length));
    return (text) => {
      const trimmed = text.trim();
      return trimmed.length <= longest && words.has(trimmed.toLowerCase()) ? '' : text;
    };
  },
  // A blank is written as a blank: which of the words the system would like cannot be told.
  write: () => (text) => text,
};

/** Fills up at the left with `with` (default `0`) to `length` characters; for codes that lost their zeros. */
export const padLeft: Standardizer = {
  options: { length: 'count', with: 'text' },
  required: ['length'],
  check: (options) => ((options.text('with') ?? '0').length === 1 ? [] : ['with of pad must be one character']),
  read: (options) => {
    const length = options.count('length') ?? 0;
    const filling = options.text('with') ?? '0';
    return (text) => (text === '' ? '' : text.padStart(length, filling));
  },
};

/** Cuts the text after `length` characters: only where a target is declared to take less than we know. */
export const truncate: Standardizer = {
  options: { length: 'count' },
  required: ['length'],
  read: (options) => {
    const length = options.count('length') ?? 0;
    return (text) => (text.length <= length ? text : Array.from(text).slice(0, length).join(''));
  },
};
