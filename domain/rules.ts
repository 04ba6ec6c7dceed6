import { ruleForm, type ByteCheck } from './byte-forms.js';
import { isDate } from './calendar.js';
import { compareDecimals } from './decimals.js';
import { SyncError } from './errors.js';
import { compilePattern, patternProblem } from './patterns.js';
import { quickNumber } from './quick-forms.js';
import type { RawRow } from './rows.js';
import type { RuleCheck, RuleDefinition, RuleSeverity } from './rule-definition.js';
import { dateReader } from './standardize-dates.js';
import { booleanReader, decimalReader, integerReader } from './standardize-numbers.js';
import { isEmail } from './standardize-text.js';
import type { StepContext, TextStep } from './standardizer-options.js';
import { isProblem, reading } from './standardizers.js';

/** A rule over one row: what is wrong, in words without the value; null where nothing is. */
export interface RowRule {
  readonly name: string;
  readonly field: string;
  /** The position of the field among the columns. */
  readonly column: number;
  readonly severity: RuleSeverity;
  readonly check: RuleCheck['check'];
  readonly broken: (row: RawRow) => string | null;
  /** Tells of a cell's bytes that the rule is kept; null: only its text tells. */
  readonly kept: ByteCheck | null;
}

/** A rule over many rows, which the caller runs in SQL: the values of the column occur once; or each is the key of a row of
 *  the other mapping. Blank cells are not looked at. */
export interface SetRule {
  readonly name: string;
  readonly field: string;
  readonly column: number;
  readonly severity: RuleSeverity;
  readonly check: 'unique' | 'reference_exists';
  /** For `reference_exists`. */
  readonly mapping: string | null;
}

/** Says what is wrong with a text that is not blank; null: nothing. */
type TextCheck = (text: string) => string | null;

const unless =
  (holds: (text: string) => boolean, detail: string): TextCheck =>
  (text) =>
    holds(text) ? null : detail;

const readable =
  (reader: TextStep): TextCheck =>
  (text) => {
    const result = reader(text, reading);
    return isProblem(result) ? result.detail : null;
  };

const typeCheck = (check: Extract<RuleCheck, { check: 'type' }>): TextCheck => {
  if (check.type === 'email') return unless((text) => isEmail(text.trim()), 'expected an e-mail address');
  if (check.type === 'integer') return readable(integerReader(''));
  if (check.type === 'decimal') return readable(decimalReader('.', ''));
  if (check.type === 'boolean') return readable(booleanReader());
  return readable(dateReader(check.formats ?? ['YYYY-MM-DD']));
};

/** The values that bounds are made of, and how two of them compare. */
interface Scale {
  readonly read: (text: string) => string | null;
  readonly compare: (left: string, right: string) => number;
}

const dates: Scale = {
  read: (text) => (isDate(text.trim()) ? text.trim() : null),
  compare: (left, right) => (left < right ? -1 : left > right ? 1 : 0),
};
const readDecimal = decimalReader('.', '');
const numbers: Scale = {
  read: (text) => {
    const result = readDecimal(text, reading);
    return isProblem(result) || result === '' ? null : result;
  },
  compare: compareDecimals,
};

const rangeProblems = (check: Extract<RuleCheck, { check: 'range' }>): string[] => {
  const bounds = [check.min, check.max].filter((bound): bound is string => bound !== undefined);
  if (bounds.length === 0) return ['range needs min or max'];
  const scale = bounds.some(isDate) ? dates : numbers;
  return bounds
    .filter((bound) => scale.read(bound) === null)
    .map((bound) => `the bound ${bound} is neither a number nor a date (YYYY-MM-DD) like the other`);
};

/** Whether a text is a number within the bounds, where comparing numbers is exact; false where that is not known. */
const quickRange = ({ min, max }: Extract<RuleCheck, { check: 'range' }>): ((text: string) => boolean) => {
  const least = min === undefined ? -Infinity : quickNumber(min);
  const most = max === undefined ? Infinity : quickNumber(max);
  if (least === null || most === null) return () => false;
  return (text) => {
    const value = quickNumber(text);
    return value !== null && value >= least && value <= most;
  };
};

const rangeCheck = (check: Extract<RuleCheck, { check: 'range' }>): TextCheck => {
  const scale = [check.min, check.max].some((bound) => bound !== undefined && isDate(bound)) ? dates : numbers;
  const boundOf = (bound: string | undefined): string | null => (bound === undefined ? null : scale.read(bound));
  const [min, max] = [boundOf(check.min), boundOf(check.max)];
  const isWithin = quickRange(check);
  const detail = `expected ${scale === dates ? 'a date' : 'a number'} from ${check.min ?? 'any'} to ${check.max ?? 'any'}`;
  return unless((text) => {
    if (isWithin(text)) return true;
    const value = scale.read(text);
    if (value === null) return false;
    return (min === null || scale.compare(value, min) >= 0) && (max === null || scale.compare(value, max) <= 0);
  }, detail);
};

const lengthCheck = (check: Extract<RuleCheck, { check: 'length' }>): TextCheck => {
  const [min, max] = [check.min ?? 0, check.max ?? Infinity];
  const detail = `expected ${check.min === undefined ? '' : `at least ${String(min)} `}${check.max === undefined ? '' : `at most ${String(max)} `}characters`;
  return unless((text) => {
    // A text has at most as many characters as UTF-16 units: the exact count is only needed near the bounds.
    if (text.length >= min * 2 && text.length <= max) return true;
    const length = Array.from(text).length;
    return length >= min && length <= max;
  }, detail);
};

const acceptedValues = (check: Extract<RuleCheck, { check: 'in_set' }>, context: StepContext): readonly string[] => {
  const table = check.codeTable === undefined ? undefined : context.codeTables.get(check.codeTable);
  return [...(check.values ?? []), ...(table?.entries.flatMap((entry) => entry.codes[context.system] ?? []) ?? [])];
};

const setCheck = (check: Extract<RuleCheck, { check: 'in_set' }>, context: StepContext): TextCheck => {
  const accepted = new Set(acceptedValues(check, context));
  return unless((text) => accepted.has(text.trim()), 'none of the values declared for this field');
};

const textCheck = (check: RuleCheck, context: StepContext): TextCheck | null => {
  switch (check.check) {
    case 'type':
      return typeCheck(check);
    case 'range':
      return rangeCheck(check);
    case 'length':
      return lengthCheck(check);
    case 'pattern':
      return unless(compilePattern(check.pattern), 'the value does not have the declared form');
    case 'in_set':
      return setCheck(check, context);
    case 'required':
    case 'unique':
    case 'reference_exists':
      return null;
  }
};

/** What is wrong with a rule, in words; nothing where it can be compiled. */
export const ruleProblems = (rule: RuleDefinition, columns: readonly string[], context: StepContext): string[] => {
  const problems = columns.includes(rule.field)
    ? []
    : [`rule ${rule.name} reads the column ${rule.field}, which is not there`];
  if (rule.check === 'range') problems.push(...rangeProblems(rule));
  if (rule.check === 'pattern') {
    const problem = patternProblem(rule.pattern);
    if (problem !== null) problems.push(`pattern of rule ${rule.name}: ${problem}`);
  }
  if (rule.check === 'length' && rule.min === undefined && rule.max === undefined)
    problems.push('length needs min or max');
  if (rule.check === 'in_set' && rule.codeTable !== undefined && !context.codeTables.has(rule.codeTable)) {
    problems.push(`there is no code table ${rule.codeTable}`);
  }
  if (rule.check === 'in_set' && acceptedValues(rule, context).length === 0)
    problems.push('in_set needs values or a codeTable');
  return problems;
};

const isBlank = (text: string): boolean => text === '' || text.trim() === '';

const compileRule = (rule: RuleDefinition, columns: readonly string[], context: StepContext): RowRule => {
  const column = columns.indexOf(rule.field);
  const check = textCheck(rule, context);
  const required = rule.check === 'required';
  const accepted = rule.check === 'in_set' ? acceptedValues(rule, context) : [];
  return {
    name: rule.name,
    field: rule.field,
    column,
    severity: rule.severity,
    check: rule.check,
    broken: (row) => {
      const text = row[column] ?? '';
      if (isBlank(text)) return required ? 'a value is required' : null;
      return check === null ? null : check(text);
    },
    kept: ruleForm(rule, accepted),
  };
};

export interface CompiledRules {
  readonly rowRules: readonly RowRule[];
  readonly setRules: readonly SetRule[];
}

/** Compiles the rules of a mapping. @throws SyncError configuration_invalid */
export const compileRules = (
  rules: readonly RuleDefinition[],
  columns: readonly string[],
  context: StepContext,
): CompiledRules => {
  const problems = rules.flatMap((rule) => ruleProblems(rule, columns, context));
  if (problems.length > 0) throw new SyncError('configuration_invalid', problems.join('; '));
  const setRules: SetRule[] = [];
  const rowRules: RowRule[] = [];
  for (const rule of rules) {
    if (rule.check === 'unique' || rule.check === 'reference_exists') {
      const { name, field, severity, check } = rule;
      const mapping = rule.check === 'reference_exists' ? rule.mapping : null;
      setRules.push({ name, field, column: columns.indexOf(field), severity, check, mapping });
    } else {
      rowRules.push(compileRule(rule, columns, context));
    }
  }
  return { rowRules, setRules };
};
