import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { errorCodes } from '../../../domain/errors.js';
import type { ErrorCode } from '../../../domain/errors.js';
import type { RunResult } from '../../../workflows/messages.js';
import type { Campus } from '../campus.js';
import { employeeColumns } from '../campus.js';
import { resultOf } from '../worker-child.js';
import { Lane } from './lane.js';

/* Bad input, from one campus in turn. What is bad is set aside with a reason, or refused with a code that says who must act; the
   rest arrives, nothing is taken for deleted, and the next good delivery is taken as if nothing had been. */

jest.setTimeout(600_000);
let lane: Lane;
let campus: Campus;

beforeAll(async () => {
  lane = await Lane.open({ students: 1_200, employees: 300, both: 100 });
  ({ campus } = lane);
  await lane.work();
  await lane.conductor.sync(campus.institutionId, campus.job());
});
afterAll(async () => {
  await lane.close();
});

const run = async (job: 'all' | 'employees' = 'all'): Promise<RunResult> =>
  await resultOf(await lane.conductor.start(campus.institutionId, campus.job(job)));

async function expectRight(): Promise<void> {
  const { wanted, found } = await campus.compare();
  expect(found).toEqual(wanted);
  expect(await campus.stagingTables()).toEqual([]);
}

/** A change of a student, so that there is something that has to arrive though the other source is bad. */
async function changeStudent(phone: string): Promise<void> {
  const [student] = campus.students.values();
  if (student !== undefined) campus.students.set(student.id, { ...student, phone });
  await campus.storeStudents();
}

/** A source that is refused leaves the run alone, says who must act, and takes nothing with it; a good delivery follows. */
async function expectRefused(result: RunResult, source: string, code: ErrorCode): Promise<void> {
  expect(result).toMatchObject({ state: 'completed', questions: 0, held: 0 });
  const found = await campus.findings(result.runId ?? '');
  expect(found.map(({ kind }) => kind)).toEqual([code]);
  expect(found[0]?.detail).toContain(source);
  expect(errorCodes[code].actor).toBe('secretary');
  expect(await campus.countsOf(result.runId ?? '')).toMatchObject({ balanced: true, missing: 0, deleted: 0 });
  await expectRight();
  campus.addEmployee();
  campus.deliver();
  expect((await run()).state).toBe('completed');
  await expectRight();
}

interface BadFile {
  readonly what: string;
  readonly content: () => string;
  readonly manifest?: object;
  readonly code: ErrorCode;
}

const badFiles: readonly BadFile[] = [
  { what: 'an empty file', content: () => '', code: 'delivery_unreadable' },
  { what: 'a file of a header alone', content: () => `${employeeColumns.join(',')}\r\n`, code: 'source_empty' },
  {
    what: 'a file that is shorter than its manifest says',
    content: () => campus.employeesFile().slice(0, 4_000),
    manifest: { complete: true, files: { 'employees.csv': { rows: 300 } } },
    code: 'delivery_incomplete',
  },
  {
    what: 'a file that is not the one of its manifest',
    content: () => campus.employeesFile(),
    manifest: { complete: true, files: { 'employees.csv': { sha256: '0'.repeat(64) } } },
    code: 'delivery_incomplete',
  },
  {
    what: 'a file of which a column was renamed',
    content: () => campus.employeesFile().replace('email', 'mail'),
    code: 'source_schema_changed',
  },
];

test.each(badFiles)('$what', async ({ what, content, manifest, code }) => {
  await changeStudent(`beside ${what}`);
  campus.deliver(content(), manifest);
  await expectRefused(await run(), 'employees', code);
});

test('a file of which a column was renamed is not taken for read: mended, it is read', async () => {
  campus.addEmployee();
  campus.deliver(campus.employeesFile().replace('given', 'first'));
  const failed = await run('employees');
  expect(failed).toMatchObject({ state: 'failed', failure: { code: 'source_schema_changed' } });
  await campus.renameColumn('hr.employees', 'given', 'first');
  expect((await run('employees')).state).toBe('completed');
  await expectRight();
  await campus.renameColumn('hr.employees', 'first', 'given');
});

test('a manifest that cannot be read', async () => {
  await changeStudent('beside a broken manifest');
  campus.deliver(campus.employeesFile(), '{');
  await expectRefused(await run(), 'manifest', 'delivery_unreadable');
});

test('a table of which a column was renamed', async () => {
  campus.addEmployee();
  campus.deliver();
  await campus.source.query('alter table students rename phone to telephone');
  const result = await run();
  await campus.source.query('alter table students rename telephone to phone');
  await expectRefused(result, 'sis.students', 'source_schema_changed');
});

test('a table without rows where there were thousands', async () => {
  campus.addEmployee();
  campus.deliver();
  await campus.source.query('create table kept as table students');
  await campus.source.query('truncate students');
  const result = await run();
  await campus.source.query('insert into students table kept');
  await expectRefused(result, 'sis.students', 'source_empty');
});

test('rows that are none, among good ones', async () => {
  const [known] = campus.employees.values();
  const good = [1, 2, 3, 4, 5, 6, 7].map(() => campus.addEmployee());
  const line = (one: (typeof good)[number] | undefined): string =>
    employeeColumns.map((column) => one?.[column] ?? '').join(',');
  const others = [...campus.employees.values()].filter((one) => one !== known && !good.includes(one));
  const pieces: (string | Buffer)[] = [
    employeeColumns.join(','),
    ...others.map(line),
    line(good[0]),
    'nul,n-nul,With\u0000Nul,Row,nul@example.edu',
    line(good[1]),
    Buffer.from([...Buffer.from('utf,n-utf,Bad'), 0xff, 0xfe, ...Buffer.from(',Row,utf@example.edu')]),
    line(good[2]),
    `long,n-long,Long,Row,${'x'.repeat(1_000_001)}`,
    line(good[3]),
    'quote,n-quote,"Lone,Row,quote@example.edu',
    line(good[4]),
    'few,n-few',
    'twice,n-twice-1,First,Of two,one@example.edu',
    line(good[5]),
    'twice,n-twice-2,Second,Of two,two@example.edu',
    ',n-keyless,No,Key,keyless@example.edu',
    line(good[6]),
    // One that we hold: broken now, it is not taken for missing.
    `${known?.staff_no ?? ''},${known?.nid ?? ''},Too,Many,fields@example.edu,x,y`,
    '',
  ];
  const lineEnd = Buffer.from('\r\n');
  campus.deliver(Buffer.concat(pieces.flatMap((piece) => [Buffer.from(piece), lineEnd]).slice(0, -1)));
  const result = await run();
  expect(result).toMatchObject({ state: 'completed', questions: 0, held: 0 });
  const runId = result.runId ?? '';
  expect((await campus.rejected(runId)).map(({ reason }) => reason)).toEqual([
    'duplicate_key',
    'duplicate_key',
    'field_too_long',
    'invalid_encoding',
    'key_missing',
    'nul_character',
    'quote_not_closed',
    'wrong_field_count',
    'wrong_field_count',
  ]);
  const counts = await campus.countsOf(runId);
  expect(counts).toMatchObject({ balanced: true, rejected: 9, new: 7, missing: 0, deleted: 0 });
  expect(counts.extracted).toBe(campus.students.size + others.length + 7 + 9);
  expect((await campus.findings(runId)).map(({ kind }) => kind)).toEqual(['missing_unclear']);
  await expectRight();
});

test('beside a row that cannot be read, others are missing as ever', async () => {
  const [broken, gone] = [...campus.employees.values()].slice(3);
  campus.employees.delete(gone?.staff_no ?? '');
  const file = campus.employeesFile();
  campus.deliver(file.replace(`${broken?.staff_no ?? ''},`, `${broken?.staff_no ?? ''},one field too many,`));
  const result = await run();
  expect(await campus.countsOf(result.runId ?? '')).toMatchObject({
    balanced: true,
    rejected: 1,
    missing: 1,
    deleted: 1,
  });
  await expectRight();
});

test('a row that a rule rejects waits for its mending, and the rest arrives', async () => {
  const nameless = campus.addStudent({ family: '' });
  const named = campus.addStudent();
  await campus.storeStudents();
  const result = await run();
  expect(await campus.rejected(result.runId ?? '')).toEqual([{ key: nameless.id, reason: 'family_given' }]);
  expect((await campus.tableRows()).map(([nid]) => nid)).toContain(named.nid);
  expect((await campus.tableRows()).map(([nid]) => nid)).not.toContain(nameless.nid);
  campus.students.set(nameless.id, { ...nameless, family: 'Mended' });
  await campus.storeStudents();
  await run();
  await expectRight();
});
