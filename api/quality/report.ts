import type { CompiledSource } from '../../domain/mapping.js';
import type { RowProblem } from '../../domain/rows.js';
import type { RuleDefinition, RuleSeverity } from '../../domain/rule-definition.js';
import type { CompiledRules, RowRule, SetRule } from '../../domain/rules.js';
import type { QualityReportView, RecordProblemView, RecordResultView, RuleResultView } from './quality.view.js';
import type { Plain } from '../common/plain-type.js';

/** A record to be checked, in the columns of the mapping. */
export interface CheckedRow {
  readonly row: string;
  readonly pointer: string;
  readonly cells: readonly (string | null)[];
}

/** A row that could not be read at all. */
export interface UnreadableRow {
  readonly pointer: string;
  readonly problem: RowProblem;
}

export interface ReportInput {
  readonly source: CompiledSource;
  readonly rules: CompiledRules;
  readonly definitions: readonly RuleDefinition[];
  readonly rows: readonly CheckedRow[];
  readonly unreadable: readonly UnreadableRow[];
  /** For each rule over many rows, the cells that break it. */
  readonly brokenCells: ReadonlyMap<string, ReadonlySet<string>>;
}

interface Broken {
  readonly rule: string;
  readonly field: string | null;
  readonly severity: RuleSeverity;
  readonly detail: string;
}

/** The report on records. Pure. All rules are told, where a run stops at the first that rejects. */
export const reportOn = (input: ReportInput): Plain<QualityReportView> => {
  const failed = new Map<string, number>();
  const counts = { accepted: 0, warned: 0, rejected: input.unreadable.length, filtered: 0 };
  const records: Plain<RecordResultView>[] = input.unreadable.map((one) => unreadable(one, failed));
  for (const row of input.rows) {
    const { key, filtered, broken } = judge(input, row);
    if (filtered) counts.filtered += 1;
    else if (broken.length === 0) counts.accepted += 1;
    else {
      const outcome = broken.some(({ severity }) => severity === 'reject') ? 'rejected' : 'warned';
      counts[outcome] += 1;
      for (const { rule } of broken) failed.set(rule, (failed.get(rule) ?? 0) + 1);
      records.push({ row: row.row, key, outcome, problems: broken.map((one) => toProblem(one, row.pointer)) });
    }
  }
  const summary = { records: input.rows.length + input.unreadable.length, ...counts };
  return { summary, byRule: byRule(input.definitions, failed, records), records };
};

const judge = (
  input: ReportInput,
  row: CheckedRow,
): { key: string | null; filtered: boolean; broken: readonly Broken[] } => {
  const read = input.source.standardize(row.cells, row.row);
  if (read.filtered) return { key: read.key, filtered: true, broken: [] };
  const rules = [
    ...input.rules.rowRules.flatMap((rule) => brokenRule(rule, row)),
    ...input.rules.setRules.flatMap((rule) => brokenSetRule(rule, row, input.brokenCells)),
  ];
  const named = new Set(input.definitions.map(({ name }) => name));
  const others: Broken[] = [
    ...(read.rejected === null ? [] : [{ problem: read.rejected, severity: 'reject' as const }]),
    ...read.problems.map((problem) => ({ problem, severity: 'blank_and_warn' as const })),
  ]
    .filter(({ problem }) => !named.has(problem.reason))
    .map(({ problem, severity }) => ({ rule: problem.reason, field: problem.field, severity, detail: problem.detail }));
  return { key: read.key, filtered: false, broken: [...rules, ...others] };
};

const brokenRule = (rule: RowRule, row: CheckedRow): readonly Broken[] => {
  const detail = rule.broken(row.cells);
  return detail === null ? [] : [{ rule: rule.name, field: rule.field, severity: rule.severity, detail }];
};

const brokenSetRule = (rule: SetRule, row: CheckedRow, broken: ReportInput['brokenCells']): readonly Broken[] => {
  const cell = cellOf(row, rule);
  if (cell === '' || broken.get(rule.name)?.has(cell) !== true) return [];
  const detail =
    rule.check === 'unique'
      ? 'the value occurs more than once'
      : `there is no such row in ${rule.mapping ?? 'the other mapping'}`;
  return [{ rule: rule.name, field: rule.field, severity: rule.severity, detail }];
};

/** What a rule over many rows compares; empty: the row is not looked at. */
export const cellOf = (row: CheckedRow, rule: SetRule): string => (row.cells[rule.column] ?? '').trim();

const unreadable = ({ pointer, problem }: UnreadableRow, failed: Map<string, number>): Plain<RecordResultView> => {
  failed.set(problem.reason, (failed.get(problem.reason) ?? 0) + 1);
  const broken = { rule: problem.reason, field: problem.field, severity: 'reject' as const, detail: problem.detail };
  return { row: problem.row, key: problem.key, outcome: 'rejected', problems: [toProblem(broken, pointer)] };
};

const suggestions: Readonly<Record<RuleSeverity, (field: string) => string>> = {
  reject: (field) => `Mend ${field} in the source; until then the record is set aside.`,
  blank_and_warn: (field) => `Mend ${field} in the source; until then it is taken as if nothing were said.`,
  warn: (field) => `Look at ${field} in the source; the value is taken as it is.`,
};

const toProblem = ({ rule, field, severity, detail }: Broken, pointer: string): Plain<RecordProblemView> => ({
  pointer: field === null ? pointer : `${pointer}/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`,
  ...{ rule, field, severity, detail },
  suggestion: suggestions[severity](field ?? 'the record'),
});

/* Every declared rule, then what else was found. */
const byRule = (
  definitions: readonly RuleDefinition[],
  failed: ReadonlyMap<string, number>,
  records: readonly Plain<RecordResultView>[],
): Plain<RuleResultView>[] => {
  const declared = definitions.map(({ name, field, severity }) => ({
    rule: name,
    field,
    severity,
    failed: failed.get(name) ?? 0,
  }));
  const names = new Set(declared.map(({ rule }) => rule));
  const others = [...failed]
    .filter(([rule]) => !names.has(rule))
    .map(([rule, count]) => {
      const example = records.flatMap(({ problems }) => problems).find((problem) => problem.rule === rule);
      return { rule, field: example?.field ?? null, severity: example?.severity ?? 'reject', failed: count };
    });
  return [...declared, ...others];
};
