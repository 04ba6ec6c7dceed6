import { addressEdits, amaraEmail, brunoPhone, elifNames, gretaEmail } from './cast.js';
import type { CastName } from './cast.js';
import { applyDay } from './install.js';
import type { Narrator } from './story-platform.js';
import { amount } from './tell.js';
import type { Told } from './told.js';

/** Outcomes 2, 3, 4, 5c, 6 and 7: one run, and each change goes where it should. */
export const dayTwo = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform, stores, lakeside } = told;
  await applyDay(told.systems, lakeside.days.dayTwo);
  told.remember('beforeDayTwo', await stores.photograph());
  told.rememberPeople(await stores.peopleText());
  const run = await platform.startRun('lakeside-records', lakeside.days.dayTwo.asOf);
  told.rememberDayTwo(run);
  narrator.say(`Details: ${run.link}`);
  narrator.check('the run ends with questions', run.state === 'completed_with_questions', run.state);
  narrator.check('every row has exactly one disposition', run.balanced);
  await amara(told, narrator);
  await addresses(told, narrator);
  await elif(told, narrator);
  await leavers(told, narrator);
  await farid(told, narrator);
  await greta(told, narrator);
};

const amara = async ({ platform, stores, lakeside }: Told, narrator: Narrator): Promise<void> => {
  const keys = lakeside.facts.keys.amara;
  narrator.say('2. Amara studies and works in the library. HR has a new work e-mail.');
  const asStudent = await platform.findRecord('person', 'sis.students', keys.student);
  const asEmployee = await platform.findRecord('person', 'hr.employees', keys.employee);
  narrator.check('2: Amara is one person', asStudent !== null && asStudent.id === asEmployee?.id);
  const studies = await platform.findRecord('affiliation', 'sis.students', keys.student);
  const works = await platform.findRecord('affiliation', 'hr.employees', keys.employee);
  narrator.check(
    '2: with two affiliations',
    studies !== null &&
      works !== null &&
      studies.id !== works.id &&
      studies.values['person'] === works.values['person'],
  );
  const account = await stores.find('accounts', keys.employee);
  narrator.check('2: finance has the new work e-mail', account?.['email'] === amaraEmail);
  const [, , , email] = (await stores.person(keys.student)) ?? [];
  narrator.check('2: her student e-mail stands', email === `${keys.student.toLowerCase()}@students.lakeside.example`);
  const questions = await platform.questions();
  narrator.check('2: nobody is asked', !questions.some(({ goldenId }) => goldenId === asStudent?.id));
};

const addresses = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform, stores, lakeside } = told;
  const { facts } = lakeside;
  narrator.say(
    '3. Bruno’s address was changed by his school and by HR, differently; his school also has a new telephone.',
  );
  const bruno = await told.personId('bruno');
  const ofBruno = (await platform.questions()).filter(({ goldenId }) => goldenId === bruno);
  narrator.check('3: one question, of the address as a whole', ofBruno.length === 1 && ofBruno[0]?.group === 'address');
  const sides = (ofBruno[0]?.candidates ?? []).flatMap(({ systems }) => systems);
  narrator.check('3: both sides are named', sides.includes('sis') && sides.includes('hr'), sides.join(', '));
  const [, , phone] = (await stores.person(facts.keys.bruno.student)) ?? [];
  narrator.check('3: the telephone is published meanwhile', phone === brunoPhone, phone ?? 'none');
  for (const name of facts.addressQuestions) {
    const question = await told.addressQuestion(name);
    narrator.check(`3: a question waits about the address of ${titled(name)}`, question !== null);
    await checkOwnAddress(told, narrator, name);
  }
  narrator.say('   Chiara’s school changed her address yesterday, HR today: a question too, not “the last one wins”.');
  const values = (await platform.questions()).filter(({ kind }) => kind === 'value');
  const expected = facts.addressQuestions.length + 1;
  narrator.check('3: there is no other such question, but yesterday’s about Hanno', values.length === expected);
};

/** While a question is open, student information keeps what it says itself. */
const checkOwnAddress = async ({ stores, lakeside }: Told, narrator: Narrator, name: CastName): Promise<void> => {
  if (!(name in addressEdits)) return;
  const { sis } = addressEdits[name as keyof typeof addressEdits];
  const row = await stores.find('students', lakeside.facts.keys[name].student);
  narrator.check(`3: the edit of ${titled(name)} is not overwritten`, row?.['street'] === sis.street);
};

const titled = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

const elif = async ({ stores, lakeside }: Told, narrator: Narrator): Promise<void> => {
  const { keys } = lakeside.facts;
  narrator.say('4. Elif sets another preferred name; the legal one stays.');
  const [, shown] = (await stores.person(keys.elif.student)) ?? [];
  narrator.check(
    '4: academic shows the preferred name',
    shown === `${elifNames.now.given} ${elifNames.now.family}`,
    shown ?? 'none',
  );
  const account = await stores.find('accounts', keys.elif.employee);
  narrator.check(
    '4: finance has the legal name',
    account?.['given_name'] === 'Elif' && account['family_name'] === 'Yıldıray',
  );
  const people = await stores.peopleText();
  const targets = people + JSON.stringify([await stores.table('accounts'), await stores.table('students')]);
  narrator.check('4: the former preferred name stands in no target', !targets.includes(elifNames.previous.family));
  narrator.check(
    '4: the legal name stands in no cell of academic',
    !people.includes('Yıldıray') && !people.includes('Elif'),
  );
};

const leavers = async ({ platform, stores, lakeside }: Told, narrator: Narrator): Promise<void> => {
  const { facts } = lakeside;
  const held = await platform.heldChanges();
  const [change] = held;
  narrator.say(
    `5. HR’s complete file lacks ${amount(facts.leavers.length)} of its 1,900 people. Held: ${change?.reason ?? 'nothing'}`,
  );
  narrator.check('5c: the removals are one held change', held.length === 1 && change?.rows === facts.leavers.length);
  narrator.check(
    '5c: of HR, over the limit',
    change?.mapping === 'hr.employees' && change.operation === 'delete' && change.cause === 'limit',
  );
  const accounts = new Set((await stores.table('accounts')).map((row) => row['staff_no']));
  narrator.check(
    '5c: nobody lost an account',
    facts.leavers.every((number) => accounts.has(number)),
  );
};

const farid = async ({ platform, stores, lakeside }: Told, narrator: Narrator): Promise<void> => {
  const number = lakeside.facts.faridNumber;
  narrator.say('6. Farid is hired and starts in two days.');
  const works = await platform.findRecord('affiliation', 'hr.employees', number);
  narrator.check('6: Farid is known', works?.status === 'active');
  narrator.check('6: but has no account yet', (await stores.find('accounts', number)) === null);
};

const greta = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform, stores, lakeside } = told;
  const keys = lakeside.facts.keys.greta;
  narrator.say('7. Greta asks her school to keep her out of directories.');
  narrator.check('7: Greta stands in no line of people.csv', !(await stores.peopleText()).includes(keys.student));
  const lines = told.peopleBefore().split('\r\n').length - (await stores.peopleText()).split('\r\n').length;
  narrator.check('7: nobody else left people.csv', lines === 1, String(lines));
  const account = await stores.find('accounts', keys.employee);
  narrator.check('7: finance goes on: it has her new e-mail', account?.['email'] === gretaEmail);
  const studies = await platform.findRecord('affiliation', 'sis.students', keys.student);
  narrator.check('7: she still studies', studies?.status === 'active');
};
