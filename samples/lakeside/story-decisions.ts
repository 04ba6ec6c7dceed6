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
  await decideTooLate(told, narrator);
  await decideAlone(told, narrator);
  await decideTogether(told, narrator);
  await release(told, narrator);
  const left = await platform.questions();
  narrator.check(
    '8: what was not decided still waits',
    left.length === told.lakeside.facts.duplicateQuestions + 1,
    `${String(left.length)} questions are open`,
  );
  told.remember('decided', await told.stores.photograph());
};

const decisionOf = (question: QuestionReport | null, take: string): Decision => ({
  questionId: question?.id ?? '',
  version: question?.version ?? 0,
  take,
  reason: 'confirmed by telephone',
});

/** She saw the question about Hanno last evening; his school changed the address again since. */
const decideTooLate = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform } = told;
  const seen = told.seenQuestion();
  const now = await told.addressQuestion('hanno');
  narrator.check(
    '8: the question about Hanno is another than last evening',
    now?.id === seen.id && now.version > seen.version,
  );
  const reply = await platform.decide(decisionOf(seen, 'sis'));
  narrator.check(
    '8: a decision on an outdated version is refused with the new state',
    reply.status === 409 && reply.current?.id === seen.id && reply.current.version === now?.version,
    String(reply.status),
  );
  narrator.check('8: and decides nothing', (await told.addressQuestion('hanno')) !== null);
  narrator.say(
    'Hanno’s school changed his address again since she saw the question: she is shown the new one, and will ask him.',
  );
};

const decideAlone = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform } = told;
  const question = await told.addressQuestion(alone);
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
