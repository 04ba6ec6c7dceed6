import { quickDecimal, quickScaled } from './quick-forms.js';
import type { Standardizer, StepOptions, StepProblem, TextStep } from './standardizer-options.js';

interface NumberForm {
  /** The character between whole and fraction; null: whole numbers only. */
  readonly point: string | null;
  /** The character between groups of digits; '': none. */
  readonly group: string;
}

const escapeText = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');

/** Reads digits in a declared form to canonical ones: no plus, no leading zeros, no trailing zeros of the fraction, no minus
 *  before zero. Never through a float, so no digit is lost. */
const numberReader = (form: NumberForm, problem: StepProblem): TextStep => {
  const group = escapeText(form.group);
  const whole = form.group === '' ? '\\d+' : `(?:\\d{1,3}(?:${group}\\d{2,3})+|\\d+)`;
  const fraction = form.point === null ? '()' : `(?:${escapeText(form.point)}(\\d*))?`;
  const pattern = new RegExp(`^([+-]?)(${whole})${fraction}$`);
  const plain = form.point === '.' && form.group === '';
  return (text) => {
    const quick = plain ? quickDecimal(text) : null;
    if (quick !== null) return quick;
    const trimmed = text.trim();
    if (trimmed === '') return '';
    const parts = pattern.exec(trimmed);
    if (parts === null) return problem;
    const digits = form.group === '' ? (parts[2] ?? '') : (parts[2] ?? '').replaceAll(form.group, '');
    return canonicalNumber(parts[1] === '-', digits, parts[3] ?? '');
  };
};

const canonicalNumber = (negative: boolean, digits: string, decimals: string): string => {
  const whole = digits.replace(/^0+(?=\d)/, '');
  const fraction = decimals.replace(/0+$/, '');
  const magnitude = fraction === '' ? whole : `${whole}.${fraction}`;
  return negative && magnitude !== '0' ? `-${magnitude}` : magnitude;
};

const decimalForm = (options: StepOptions): NumberForm => ({
  point: options.text('point') ?? '.',
  group: options.text('group') ?? '',
});

const separatorProblems = (options: StepOptions): string[] => {
  const { point, group } = decimalForm(options);
  const problems: string[] = [];
  if (point === null || point.length !== 1 || /[\d+-]/.test(point))
    problems.push('point must be one character, no digit or sign');
  if (group.length > 1 || /[\d+-]/.test(group)) problems.push('group must be one character, no digit or sign');
  if (point === group) problems.push('point and group must differ');
  return problems;
};

const decimalProblem: StepProblem = {
  reason: 'decimal_invalid',
  detail: 'expected a decimal number in the declared form',
};
const integerProblem: StepProblem = {
  reason: 'integer_invalid',
  detail: 'expected a whole number in the declared form',
};

/** Reads a decimal number; for rules too. */
export const decimalReader = (point: string, group: string): TextStep => numberReader({ point, group }, decimalProblem);
/** Reads a whole number; for rules too. */
export const integerReader = (group: string): TextStep => numberReader({ point: null, group }, integerProblem);

const canonicalForm = /^-?\d+(?:\.\d+)?$/;
const grouped = (digits: string, group: string): string =>
  group === '' ? digits : digits.replace(/\B(?=(?:\d{3})+$)/g, group);

const writeNumber = (text: string, point: string, group: string, scale: number | undefined): string | StepProblem => {
  if (text === '') return '';
  if (!canonicalForm.test(text)) return { reason: 'decimal_invalid', detail: 'the canonical value is no number' };
  const negative = text.startsWith('-');
  const [whole = '', fraction = ''] = (negative ? text.slice(1) : text).split('.');
  if (scale !== undefined && fraction.length > scale) {
    return { reason: 'decimal_too_long', detail: `the target takes ${String(scale)} decimal places` };
  }
  const places = scale === undefined ? fraction : fraction.padEnd(scale, '0');
  return (negative ? '-' : '') + grouped(whole, group) + (places === '' ? '' : point + places);
};

/** A decimal number with declared `point` (default `.`) and `group` (default none); written with `scale` places where declared. */
export const decimal: Standardizer = {
  options: { point: 'text', group: 'text', scale: 'count' },
  check: separatorProblems,
  read: (options) => {
    const { point, group } = decimalForm(options);
    return decimalReader(point ?? '.', group);
  },
  write: (options) => {
    const { point, group } = decimalForm(options);
    const scale = options.count('scale');
    const quick = scale !== undefined && point === '.' && group === '';
    return (text) => (quick ? quickScaled(text, scale) : null) ?? writeNumber(text, point ?? '.', group, scale);
  },
};

/** A whole number, with a declared `group` (default none). Leading zeros go: a code with zeros is a text. */
export const integer: Standardizer = {
  options: { group: 'text' },
  check: separatorProblems,
  read: (options) => integerReader(options.text('group') ?? ''),
  write: (options) => {
    const group = options.text('group') ?? '';
    return (text) => writeNumber(text, '.', group, 0);
  },
};

const usualTrue = ['true', 't', 'yes', 'y', '1'];
const usualFalse = ['false', 'f', 'no', 'n', '0'];
const lowered = (words: readonly string[]): Set<string> => new Set(words.map((word) => word.trim().toLowerCase()));

/** Reads a truth value in words; for rules too. */
export const booleanReader = (trueWords?: readonly string[], falseWords?: readonly string[]): TextStep => {
  const isTrue = lowered(trueWords ?? usualTrue);
  const isFalse = lowered(falseWords ?? usualFalse);
  const problem: StepProblem = { reason: 'boolean_invalid', detail: 'none of the words declared for true and false' };
  return (text) => {
    const word = text.trim().toLowerCase();
    if (isTrue.has(word)) return 'true';
    if (isFalse.has(word)) return 'false';
    return word === '' ? '' : problem;
  };
};

/** A truth value by declared words (`true: [J]`, `false: [N]`; default true/t/yes/y/1 and their opposites), whatever their
 *  case; written as the first of the words. */
export const boolean: Standardizer = {
  options: { true: 'texts', false: 'texts' },
  check: (options) => {
    const isFalse = lowered(options.texts('false') ?? usualFalse);
    return [...lowered(options.texts('true') ?? usualTrue)].some((word) => isFalse.has(word))
      ? ['a word of boolean means both true and false']
      : [];
  },
  read: (options) => booleanReader(options.texts('true'), options.texts('false')),
  write: (options) => {
    const trueWord = options.texts('true')?.[0] ?? 'true';
    const falseWord = options.texts('false')?.[0] ?? 'false';
    return (text) => (text === 'true' ? trueWord : text === 'false' ? falseWord : '');
  },
};
