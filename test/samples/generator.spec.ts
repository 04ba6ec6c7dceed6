import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Configuration } from '../../domain/job-definition.js';
import { compileSource } from '../../domain/mapping.js';
import type { CompiledSource, StandardizedRow } from '../../domain/mapping.js';
import { compileTarget } from '../../domain/projection.js';
import type { Cell } from '../../domain/rows.js';
import { readCsv } from '../../formats/csv/reader.js';
import { castNames, elifNames, farid } from '../../samples/lakeside/cast.js';
import type { DayInput } from '../../samples/lakeside/days.js';
import { sha256 } from '../../samples/lakeside/csv-text.js';
import { generateLakeside } from '../../samples/lakeside/generator.js';
import type { Lakeside } from '../../samples/lakeside/generator.js';
import { readSampleConfiguration } from './configuration.js';

let lakeside: Lakeside;
let configuration: Configuration;
beforeAll(async () => {
  lakeside = generateLakeside();
  configuration = await readSampleConfiguration('lakeside');
});

const sourceOf = (name: string): CompiledSource => {
  const mapping = configuration.mappings.find((one) => one.name === name);
  if (mapping === undefined) throw new Error(`no mapping ${name}`);
  return compileSource(mapping, configuration.entityTypes, configuration.codeTables);
};

const tableRows = (table: string): readonly (readonly Cell[])[] =>
  [...lakeside.sis, ...lakeside.finance.filter(({ name }) => name === 'payments')].findLast(
    ({ name }) => name === table,
  )?.rows ?? [];

interface ReadFile {
  readonly rows: readonly (readonly Cell[])[];
  readonly rejected: readonly string[];
}

async function readFile(day: DayInput, system: string, file: string): Promise<ReadFile> {
  const content = day.deliveries.find((delivery) => delivery.system === system)?.files[file] ?? '';
  async function* bytes(): AsyncGenerator<Buffer> {
    yield Buffer.from(content, 'utf8');
  }
  const rows: (readonly Cell[])[] = [];
  const rejected: string[] = [];
  for await (const batch of readCsv(bytes(), { delimiter: system === 'hr' ? ';' : ',' })) {
    rows.push(...batch.rows);
    rejected.push(...batch.rejected.map(({ problem }) => problem.reason));
  }
  return { rows, rejected };
}

function tally(reasons: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const reason of reasons) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

function read(mapping: string, rows: readonly (readonly Cell[])[]): StandardizedRow[] {
  const source = sourceOf(mapping);
  return rows.map((row, index) => source.standardize(row, String(index + 1)));
}

const rejections = (rows: readonly StandardizedRow[]): string[] =>
  rows.flatMap(({ rejected }) => (rejected === null ? [] : [rejected.reason]));
const warnings = (rows: readonly StandardizedRow[]): string[] =>
  rows.flatMap(({ rejected, problems }) => (rejected === null ? problems.map(({ reason }) => reason) : []));

test('the same seed makes the same bytes, another seed others', () => {
  const text = (seed?: number): string => JSON.stringify(generateLakeside(seed === undefined ? {} : { seed }));
  expect(text()).toBe(JSON.stringify(lakeside));
  expect(text(7)).not.toBe(text(8));
});

test('another day keeps the counts too', () => {
  const { facts, days } = generateLakeside({ dayOne: '2031-02-27' });
  expect([days.dayTwo.asOf, days.dayFour.asOf]).toEqual(['2031-02-28', '2031-03-02']);
  const { accountsCreated, people, golden } = lakeside.facts;
  expect([facts.accountsCreated, facts.people.length, facts.golden]).toEqual([accountsCreated, people.length, golden]);
});

test('every seed keeps the counts', () => {
  for (const seed of [1, 2, 3]) {
    const { facts } = generateLakeside({ seed });
    expect(facts.golden['person']).toBe(4_960);
    expect(facts.linked).toBe(140);
    expect(facts.leavers).toHaveLength(212);
  }
});

describe('what the configuration makes of the rows', () => {
  test('student information', () => {
    const { facts } = lakeside;
    const students = read('sis.students', tableRows('students'));
    expect(students).toHaveLength(facts.rows['sis.students'] ?? 0);
    expect(tally(rejections(students))).toEqual(facts.rejected['sis.students']);
    expect(tally(warnings(students))).toEqual(facts.warnings['sis.students']);
    const records = students.flatMap((row) => row.records);
    expect(tally(records.map(({ entityType }) => entityType))).toEqual({
      person: 2_200 + (facts.golden['relationship'] ?? 0),
      affiliation: 2_200,
      relationship: facts.golden['relationship'],
    });
    expect(students.flatMap((row) => row.restrictions)).toHaveLength(11);
  });

  test('enrolments', () => {
    const { facts } = lakeside;
    const enrolments = read('sis.enrolments', tableRows('enrolments'));
    expect(enrolments).toHaveLength(facts.rows['sis.enrolments'] ?? 0);
    expect(tally(rejections(enrolments))).toEqual(facts.rejected['sis.enrolments']);
    expect(enrolments.filter(({ rejected }) => rejected === null)).toHaveLength(
      (facts.golden['enrolment'] ?? 0) + facts.waitingEnrolments,
    );
  });

  test('human resources', async () => {
    const { facts, days } = lakeside;
    const file = await readFile(days.dayOne, 'hr', 'employees.csv');
    const employees = read('hr.employees', file.rows);
    expect(file.rows.length + file.rejected.length).toBe(facts.rows['hr.employees']);
    expect(tally([...file.rejected, ...rejections(employees)])).toEqual(facts.rejected['hr.employees']);
    expect(tally(warnings(employees))).toEqual(facts.warnings['hr.employees']);
    expect(employees.filter(({ rejected }) => rejected === null)).toHaveLength(1_900);
  });

  test('payments, but for those of students that nobody knows', () => {
    const { facts } = lakeside;
    const payments = read('finance.payments', tableRows('payments'));
    const { student_exists: unknown = 0, ...others } = facts.rejected['finance.payments'] ?? {};
    expect(tally(rejections(payments))).toEqual(others);
    const students = new Set(tableRows('students').map(([number]) => number));
    expect(tableRows('payments').filter((row) => !students.has(row[1] ?? ''))).toHaveLength(unknown);
    expect(payments.length - unknown - rejections(payments).length).toBe(facts.payments);
  });

  test('preferred names', async () => {
    const { facts, days } = lakeside;
    const file = await readFile(days.dayOne, 'academic', 'preferred_names.csv');
    const names = read('academic.preferred_names', file.rows);
    expect(names).toHaveLength(facts.rows['academic.preferred_names'] ?? 0);
    expect(rejections(names)).toEqual([]);
    const students = new Set(tableRows('students').map(([number]) => number));
    expect(file.rows.filter(([number]) => !students.has(number ?? ''))).toHaveLength(2);
  });

  test('every target can be compiled', () => {
    for (const mapping of configuration.mappings.filter(({ target }) => target !== undefined)) {
      const target = compileTarget(mapping, configuration.entityTypes, configuration.codeTables);
      expect(target.columns.length).toBeGreaterThan(3);
    }
  });
});

test('nobody is there twice by accident', async () => {
  const students = tableRows('students').filter(([number]) => (number ?? '') < 'S19');
  const unique = (values: readonly Cell[]): void => {
    const present = values.filter((value) => value !== null);
    expect(new Set(present).size).toBe(present.length);
  };
  const placeholders = ['000000000', '999999999', '123456789'];
  unique(students.map(([number]) => number ?? null));
  unique(students.map((row) => (placeholders.includes(row[1] ?? '') ? null : (row[1] ?? null))));
  unique(students.map((row) => `${row[2] ?? ''}|${row[3] ?? ''}|${row[4] ?? ''}`));
  unique(students.map((row) => row[10] ?? null));
  const { rows } = await readFile(lakeside.days.dayOne, 'hr', 'employees.csv');
  const employees = rows.filter(([number]) => number !== null && number !== undefined && number < 'E9');
  unique(employees.map(([number]) => number ?? null));
  unique(
    employees
      .map((row) => (placeholders.includes((row[1] ?? '').replaceAll('-', '')) ? null : (row[1] ?? null)))
      .filter((id) => id !== 'applied for'),
  );
  unique(employees.map((row) => row[10] ?? null));
  // One national id in both systems: those who are the same, and three whom somebody typed.
  const ofStudents = new Set(
    students.map((row) => row[1]).filter((id) => id !== null && !placeholders.includes(id ?? '')),
  );
  const shared = employees.filter((row) => ofStudents.has((row[1] ?? '').replaceAll('-', '')));
  expect(shared).toHaveLength(lakeside.facts.linked + lakeside.facts.duplicateQuestions);
});

describe('what arrives', () => {
  const manifestOf = (
    day: DayInput,
  ): { complete: boolean; scope: Record<string, string>; files: Record<string, { rows: number; sha256: string }> } =>
    JSON.parse(day.deliveries[0]?.files['manifest.json'] ?? '{}') as never;

  test('the manifest of the truncated file does not fit it; those of the others do', async () => {
    const { days } = lakeside;
    for (const day of [days.dayOne, days.northOnly, days.dayTwo]) {
      const { rows, rejected } = await readFile(day, 'hr', 'employees.csv');
      const declared = manifestOf(day).files['employees.csv'];
      expect(declared?.rows).toBe(rows.length + rejected.length);
      expect(declared?.sha256).toBe(sha256(day.deliveries[0]?.files['employees.csv'] ?? ''));
    }
    const { rows } = await readFile(days.truncated, 'hr', 'employees.csv');
    expect(rows.length).toBeLessThan((manifestOf(days.truncated).files['employees.csv']?.rows ?? 0) - 500);
  });

  test('the file of the North campus holds it whole and nothing else', async () => {
    const { days, facts } = lakeside;
    expect(manifestOf(days.northOnly).scope).toEqual({ campus: 'North' });
    const { rows } = await readFile(days.northOnly, 'hr', 'employees.csv');
    expect(new Set(rows.map((row) => row[11]))).toEqual(new Set(['North']));
    expect(rows.filter(([number]) => (number ?? '') < 'E9')).toHaveLength(facts.employeesNorth);
    expect(facts.employeesNorth).toBe(1_100);
  });

  test('on day 2 HR names 212 fewer, one more, and writes nine others differently', async () => {
    const { days, facts } = lakeside;
    const before = await readFile(days.dayOne, 'hr', 'employees.csv');
    const after = await readFile(days.dayTwo, 'hr', 'employees.csv');
    const byNumber = new Map(before.rows.map((row) => [row[0], JSON.stringify(row)]));
    const now = new Map(after.rows.map((row) => [row[0], JSON.stringify(row)]));
    const gone = [...byNumber.keys()].filter((number) => !now.has(number));
    expect(gone.sort()).toEqual(facts.leavers);
    expect([...now.keys()].filter((number) => !byNumber.has(number))).toEqual([farid.number]);
    const changed = [...now].filter(([number, row]) => byNumber.has(number) && byNumber.get(number) !== row);
    const expected = castNames.filter((name) => name !== 'elif').map((name) => facts.keys[name].employee);
    expect(changed.map(([number]) => number).sort()).toEqual(expected.sort());
  });

  test('edits of student information name one row each', () => {
    const { days } = lakeside;
    expect(days.northOnly.edits).toHaveLength(2);
    expect(days.dayTwo.edits).toHaveLength(7);
    for (const { sql } of days.dayTwo.edits) expect(sql).toContain('where student_no = $1');
  });
});

test('what is expected of the targets', () => {
  const { facts } = lakeside;
  const { rows } = facts;
  expect(rows).toMatchInlineSnapshot(`
    {
      "academic.preferred_names": 152,
      "finance.payments": 2383,
      "hr.employees": 1910,
      "sis.enrolments": 5378,
      "sis.students": 2213,
      "sis.unit_names": 2,
      "sis.units": 3,
    }
  `);
  expect({
    golden: facts.golden,
    payments: facts.payments,
    created: facts.accountsCreated,
    updated: facts.accountsUpdated,
    accounts: facts.accounts.length,
    people: facts.people.length,
  }).toMatchInlineSnapshot(`
    {
      "accounts": 1870,
      "created": 670,
      "golden": {
        "affiliation": 4100,
        "enrolment": 5369,
        "organisation": 3,
        "person": 4960,
        "relationship": 1000,
      },
      "payments": 2378,
      "people": 2119,
      "updated": 40,
    }
  `);
  const elif = facts.people.find(([number]) => number === facts.keys.elif.student);
  expect(elif?.[1]).toBe(`${elifNames.previous.given} ${elifNames.previous.family}`);
  expect(facts.people.map(([number]) => number)).toEqual(facts.people.map(([number]) => number).sort());
});
