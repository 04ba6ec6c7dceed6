import { addressEdits } from './cast.js';
import { applyDay } from './install.js';
import type { SampleRow } from './records.js';
import type { Narrator, RunReport } from './story-platform.js';
import type { StoredRow, StoreTable } from './stores.js';
import { amount, checkEqual, checkUnchanged, tally } from './tell.js';
import type { Told } from './told.js';

/** Outcome 1: everything is collected, cleaned, matched, merged and published. */
export const dayOne = async (told: Told, narrator: Narrator): Promise<void> => {
  const { lakeside, platform, stores } = told;
  const { facts, days } = lakeside;
  await applyDay(told.systems, days.dayOne);
  const studentsBefore = await stores.table('students');
  const run = await platform.startRun('lakeside', days.dayOne.asOf);
  const total = Object.values(facts.rows).reduce((sum, rows) => sum + rows, 0);
  narrator.say(`${amount(total)} rows were read from four systems. Details: ${run.link}`);
  narrator.check('the run ends with questions', run.state === 'completed_with_questions', run.state);
  narrator.check('every row has exactly one disposition', run.balanced);
  await checkRejected(told, narrator, run);
  await checkGolden(told, narrator);
  await checkTargets(told, narrator, studentsBefore);
};

const checkRejected = async ({ lakeside, platform }: Told, narrator: Narrator, run: RunReport): Promise<void> => {
  const { facts } = lakeside;
  const aside = await platform.rejected(run.id);
  const rejected = aside.filter(({ kind }) => kind === 'rejected');
  const waiting = aside.filter(({ kind }) => kind === 'waiting');
  narrator.say(
    `${amount(rejected.length)} rows were set aside, each with its reason; ${amount(waiting.length)} enrolments wait for their student.`,
  );
  checkEqual(narrator, 'bad rows are set aside for the known reasons', tally(rejected), facts.rejected);
  narrator.check(
    'enrolments of unknown students wait',
    waiting.length === facts.waitingEnrolments && waiting.every(({ mapping }) => mapping === 'sis.enrolments'),
    `${String(waiting.length)} wait`,
  );
};

const checkGolden = async ({ lakeside, platform }: Told, narrator: Narrator): Promise<void> => {
  const { facts } = lakeside;
  const golden = await platform.goldenCounts();
  narrator.say(
    `${amount(golden['person'] ?? 0)} people are known now; ${amount(facts.linked)} of them study and work and were found to be one person each.`,
  );
  checkEqual(narrator, 'there are as many golden records as there should be', golden, facts.golden);
  const questions = await platform.questions();
  narrator.say(
    `${amount(questions.length)} national ids stand with two different people: a question each waits for the secretary.`,
  );
  narrator.check(
    'contradictory identifiers are questions, nothing else is',
    questions.length === facts.duplicateQuestions && questions.every(({ kind }) => kind === 'duplicate'),
    `${String(questions.length)} questions`,
  );
  narrator.check('nothing is held', (await platform.heldChanges()).length === 0);
};

const inOrder = (row: StoredRow, columns: readonly string[]): SampleRow => columns.map((column) => row[column] ?? null);

const checkTargets = async (told: Told, narrator: Narrator, before: readonly StoredRow[]): Promise<void> => {
  const { lakeside, stores } = told;
  const { facts } = lakeside;
  const columns = lakeside.finance.find(({ name }) => name === 'accounts')?.columns.map(({ name }) => name) ?? [];
  const accounts = (await stores.table('accounts')).map((row) => inOrder(row, columns));
  const ours = accounts.filter(([number]) => number !== null && number !== undefined && number >= 'E2');
  narrator.say(
    `Finance: ${amount(facts.accountsCreated)} accounts opened, ${amount(facts.accountsUpdated)} put right; ${amount(facts.strangeAccounts)} of former staff left alone.`,
  );
  checkEqual(narrator, 'every employee has the right account', ours, facts.accounts);
  narrator.check('accounts that nobody claims are left alone', accounts.length - ours.length === facts.strangeAccounts);
  const people = await stores.people();
  narrator.say(`Academic: people.csv holds ${amount(people.length)} students.`);
  checkEqual(narrator, 'people.csv holds whom it should, as it should', people, facts.people);
  const payments = await stores.table('payments');
  narrator.say(`Student information: ${amount(payments.length)} payments posted.`);
  narrator.check('all good payments are posted, once', payments.length === facts.payments, String(payments.length));
  const written = await changedRows(told, 'students', before);
  narrator.say(`Student information: address or telephone of ${amount(written)} students brought up to date.`);
  narrator.check('only students with news were written', written === facts.studentRowsWritten, String(written));
};

const changedRows = async ({ stores }: Told, table: StoreTable, before: readonly StoredRow[]): Promise<number> => {
  const after = await stores.table(table);
  return after.filter((row, index) => JSON.stringify(row) !== JSON.stringify(before[index])).length;
};

/** Outcome 1: the same input again changes nothing. */
export const dayOneAgain = async (told: Told, narrator: Narrator): Promise<void> => {
  const before = await told.stores.photograph();
  const run = await told.platform.startRun('lakeside', told.lakeside.days.dayOne.asOf);
  checkUnchanged(narrator, 'no store changed', before, await told.stores.photograph());
  narrator.check('nothing was written', run.goldenWrites === 0 && run.targetWrites === 0);
  narrator.check('every row has exactly one disposition', run.balanced);
  narrator.say('Everything was read once more; nothing was to be done.');
};

/** Outcome 5a: what contradicts its manifest is refused whole. */
export const truncated = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform, stores, lakeside } = told;
  await applyDay(told.systems, lakeside.days.truncated);
  const before = await stores.photograph();
  const run = await platform.startRun('lakeside-records', lakeside.days.truncated.asOf);
  checkUnchanged(narrator, 'no store changed', before, await stores.photograph());
  const findings = await platform.findings(run.id);
  const refused = findings.some(({ kind, detail }) => `${kind} ${detail}`.includes('delivery_incomplete'));
  narrator.check('the delivery is refused by name', refused);
  narrator.check('nobody is missing', (run.rows['missing'] ?? 0) === 0);
  narrator.check('nothing is held', (await platform.heldChanges()).length === 0);
  narrator.say(
    'The file of HR ends in the middle of a line and lacks rows that its manifest promises: it was not used.',
  );
};

/** Outcome 5b: a file that is complete for North says nothing about South. Meanwhile Chiara moves, as she tells her school; and
 *  Hanno, as he tells both, differently. */
export const northOnly = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform, stores, lakeside } = told;
  const { facts, days } = lakeside;
  await applyDay(told.systems, days.northOnly);
  const before = await stores.photograph();
  const run = await platform.startRun('lakeside-records', days.northOnly.asOf);
  narrator.check('nobody is missing at South', (run.rows['missing'] ?? 0) === 0, String(run.rows['missing']));
  narrator.check('nothing is held', (await platform.heldChanges()).length === 0);
  checkUnchanged(narrator, 'of the targets only accounts changed', before, await stores.photograph(), [
    'accounts',
    'golden records',
  ]);
  const account = await stores.find('accounts', facts.keys.chiara.employee);
  narrator.check('finance has the address that Chiara gave', account?.['street'] === addressEdits.chiara.sis.street);
  const question = await told.addressQuestion('hanno');
  told.rememberSeen(question);
  const others = (await platform.questions()).length - facts.duplicateQuestions;
  narrator.check('one question arose: where Hanno lives', question !== null && others === 1, `${String(others)} arose`);
  narrator.say(
    `HR sent its ${amount(facts.employeesNorth)} people at North. The others are at South, and stay. Chiara moved: finance knows. Hanno moved too, but his school and HR differ about where: the secretary is asked.`,
  );
};
