import { addressEdits } from './cast.js';
import type { CastName } from './cast.js';
import type { Decision, Narrator, QuestionReport } from './story-platform.js';
import { amount } from './tell.js';
import type { Told } from './told.js';

const alone = 'bruno';
type Asked = keyof typeof addressEdits;
const isAsked = (name: CastName): name is Asked => name in addressEdits;

/** Outcome 8: the secretary decides; golden records and targets follow. */
export const decisions = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform } = told;
  const [questions, held] = [await platform.questions(), await platform.heldChanges()];
  narrator.say(`${amount(questions.length)} questions and ${amount(held.length)} held change wait for the secretary:`);
  for (const { kind, group, link } of questions)
    narrator.say(`   ${kind}${group === '' ? '' : ` of ${group}`}: ${link}`);
  await decideAlone(told, narrator);
  await decideTogether(told, narrator);
  await release(told, narrator);
  const left = await platform.questions();
  narrator.check(
    '8: what was not decided still waits',
    left.length === told.lakeside.facts.duplicateQuestions,
    `${String(left.length)} questions are open`,
  );
  told.remember('decided', await told.stores.photograph());
};

const decisionOf = (question: QuestionReport | null, take: string, version = question?.version ?? 0): Decision => ({
  questionId: question?.id ?? '',
  version,
  take,
  reason: 'confirmed by telephone',
});

const decideAlone = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform } = told;
  const question = await told.addressQuestion(alone);
  const outdated = await platform.decide(decisionOf(question, 'hr', (question?.version ?? 1) - 1));
  narrator.check(
    '8: a decision on an outdated version is refused with the new state',
    outdated.status === 409 && outdated.current?.version === question?.version,
    String(outdated.status),
  );
  const reply = await platform.decide(decisionOf(question, 'hr'));
  narrator.check('8: one question is decided alone', reply.status === 200, String(reply.status));
  await checkAddress(told, narrator, alone, 'hr');
  narrator.say('Bruno lives where HR says; finance and student information have it.');
};

const decideTogether = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform, lakeside } = told;
  const others = lakeside.facts.addressQuestions.filter(isAsked).filter((name) => name !== alone);
  const asked = await Promise.all(others.map((name) => told.addressQuestion(name)));
  const replies = await platform.decideBatch(asked.map((question) => decisionOf(question, 'sis')));
  narrator.check(
    '8: the others are decided as a batch',
    replies.every(({ status }) => status === 200),
  );
  for (const name of others) await checkAddress(told, narrator, name, 'sis');
  narrator.say(`${amount(others.length)} more live where their school says.`);
};

const checkAddress = async (
  { stores, lakeside }: Told,
  narrator: Narrator,
  name: Asked,
  system: 'sis' | 'hr',
): Promise<void> => {
  const keys = lakeside.facts.keys[name];
  const { street, city } = addressEdits[name][system];
  const account = await stores.find('accounts', keys.employee);
  narrator.check(`8: finance has the address of ${name}`, account?.['street'] === street && account['city'] === city);
  const student = await stores.find('students', keys.student);
  narrator.check(
    `8: student information has the address of ${name}`,
    student?.['street'] === street && student['city'] === city,
  );
};

const release = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform, stores, lakeside } = told;
  const [change] = await platform.heldChanges();
  if (change === undefined) {
    narrator.check('8: a held change is there to be released', false);
    return;
  }
  const before = (await stores.table('accounts')).length;
  await platform.release(change, 'HR confirms: the contracts of the summer have ended');
  const accounts = await stores.table('accounts');
  const numbers = new Set(accounts.map((row) => row['staff_no']));
  narrator.check(
    '8: the accounts of those who left are closed',
    lakeside.facts.leavers.every((number) => !numbers.has(number)),
  );
  narrator.check('8: and no others', before - accounts.length === lakeside.facts.leavers.length);
  narrator.check('8: nothing is held any more', (await platform.heldChanges()).length === 0);
  narrator.say(`HR confirms its ${amount(lakeside.facts.leavers.length)} removals: their accounts are closed.`);
};
