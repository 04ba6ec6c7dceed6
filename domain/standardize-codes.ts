import type { CodeTableDefinition } from './job-definition.js';
import type { Standardizer, StepContext, StepOptions, StepProblem } from './standardizer-options.js';

type CodeEntry = CodeTableDefinition['entries'][number];

const holdsOn = (entry: CodeEntry, date: string | null): boolean =>
  date === null ||
  ((entry.validFrom === undefined || entry.validFrom <= date) &&
    (entry.validTo === undefined || date <= entry.validTo));

/** The newest entries first, so that a code that changed its meaning is read as it is meant now. */
const newestFirst = (entries: readonly CodeEntry[]): CodeEntry[] =>
  [...entries].sort((left, right) => {
    const [earlier, later] = [left.validFrom ?? '', right.validFrom ?? ''];
    return earlier < later ? 1 : earlier > later ? -1 : 0;
  });

interface SystemCodes {
  readonly conceptOf: ReadonlyMap<string, string>;
  readonly entriesOf: ReadonlyMap<string, readonly CodeEntry[]>;
}

const codesOf = (table: CodeTableDefinition, system: string): SystemCodes => {
  const conceptOf = new Map<string, string>();
  const entriesOf = new Map<string, CodeEntry[]>();
  for (const entry of newestFirst(table.entries)) {
    for (const code of entry.codes[system] ?? []) if (!conceptOf.has(code)) conceptOf.set(code, entry.concept);
    entriesOf.set(entry.concept, [...(entriesOf.get(entry.concept) ?? []), entry]);
  }
  return { conceptOf, entriesOf };
};

const tableName = (options: StepOptions, context: StepContext): string =>
  options.text('table') ?? context.codeTable ?? '';
const systemName = (options: StepOptions, context: StepContext): string => options.text('system') ?? context.system;
const noTable: CodeTableDefinition = { name: '', entries: [] };

const tableOf = (options: StepOptions, context: StepContext): CodeTableDefinition =>
  context.codeTables.get(tableName(options, context)) ?? noTable;

/** A code of a system ↔ the concept of a code table (`table`: default the attribute's own; `system`: default the mapping's).
 *  Reading: code → concept. Writing: concept → the system's first code that holds on the date; where the target already has
 *  a code of the same concept, that one stays. A code that the table does not know is a problem, never passed through. */
export const code: Standardizer = {
  options: { table: 'text', system: 'text' },
  check: (options, context) => {
    const name = tableName(options, context);
    if (name === '') return ['code needs a table: name it, or give the attribute a codeTable'];
    const table = context.codeTables.get(name);
    if (table === undefined) return [`there is no code table ${name}`];
    const system = systemName(options, context);
    return table.entries.some((entry) => (entry.codes[system] ?? []).length > 0)
      ? []
      : [`code table ${name} has no codes of the system ${system}`];
  },
  read: (options, context) => {
    const { conceptOf } = codesOf(tableOf(options, context), systemName(options, context));
    const problem: StepProblem = {
      reason: 'code_unknown',
      detail: `no such code in table ${tableName(options, context)}`,
    };
    return (text) => {
      const trimmed = text.trim();
      return trimmed === '' ? '' : (conceptOf.get(trimmed) ?? problem);
    };
  },
  write: (options, context) => {
    const system = systemName(options, context);
    const { conceptOf, entriesOf } = codesOf(tableOf(options, context), system);
    const table = tableName(options, context);
    const problem: StepProblem = {
      reason: 'concept_without_code',
      detail: `no code of ${system} in table ${table} on this date`,
    };
    return (text, { asOf, own }) => {
      if (text === '') return '';
      const entries = (entriesOf.get(text) ?? []).filter((entry) => holdsOn(entry, asOf));
      const codes = entries.flatMap((entry) => entry.codes[system] ?? []);
      if (own !== null && conceptOf.get(own.trim()) === text && codes.includes(own.trim())) return own;
      return codes[0] ?? problem;
    };
  },
};
