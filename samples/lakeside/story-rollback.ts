import type { Narrator, RunReport } from './story-platform.js';
import { amount, checkUnchanged } from './tell.js';
import type { Told } from './told.js';

/** Outcome 9: a day is taken back; it comes again as one question; taking back is taken back. */
export const rollbacks = async (told: Told, narrator: Narrator): Promise<void> => {
  const rollback = await takeBack(told, narrator);
  await comeAgain(told, narrator);
  await takeBackBack(told, narrator, rollback);
};

/** The file as it was before day 2, without the line of somebody who must not stand in it any more. */
const withoutLine = (text: string, number: string): string =>
  text
    .split('\r\n')
    .filter((line) => !line.startsWith(`${number},`))
    .join('\r\n');

const takeBack = async (told: Told, narrator: Narrator): Promise<RunReport> => {
  const { platform, stores, lakeside } = told;
  const dayTwo = told.dayTwo();
  const preview = await platform.previewRollback(dayTwo.id);
  const kinds = preview.runs.map(({ kind }) => kind);
  narrator.say(
    `Taking day 2 back would set ${amount(preview.reversed)} values back and keep ${amount(preview.kept.length)}; it takes with it: ${kinds.join(', ')}.`,
  );
  narrator.check('9: the preview names decisions and release', kinds.includes('decision') && kinds.includes('release'));
  narrator.check('9: the run itself goes last', preview.runs.at(-1)?.id === dayTwo.id);
  // Who must not stand in the directory any more is not put back there; nothing else stays.
  const stays = preview.kept.map(({ target }) => target);
  narrator.check(
    '9: nothing has to be kept but the line that may not be sent any more',
    stays.length === 1 && stays[0] !== null,
    `${String(stays.length)} kept`,
  );
  const run = await platform.rollBack(dayTwo.id, preview, 'HR sent the file of another month');
  narrator.check('9: the rollback succeeds', run.state.startsWith('completed'), run.state);
  const after = await stores.photograph();
  checkUnchanged(narrator, '9: every store is as before day 2', told.photograph('beforeDayTwo'), after, ['people.csv']);
  const expected = withoutLine(told.peopleBefore(), lakeside.facts.keys.greta.student);
  narrator.check(
    '9: people.csv too, but for the hold on Greta, which stands',
    (await stores.peopleText()) === expected,
  );
  const open = await platform.questions();
  narrator.check('9: its questions are withdrawn', open.length === lakeside.facts.duplicateQuestions + 1);
  narrator.check('9: the older one about Hanno stands', (await told.addressQuestion('hanno')) !== null);
  return run;
};

const comeAgain = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform, stores, lakeside } = told;
  const before = await stores.photograph();
  await platform.startRun('lakeside-records', lakeside.days.dayTwo.asOf);
  const held = await platform.heldChanges();
  narrator.check(
    '9: the input of day 2, coming again, is one held question',
    held.length === 1 && held[0]?.cause === 'rolled_back_input',
    held.map(({ cause }) => cause).join(', '),
  );
  checkUnchanged(narrator, '9: and changes nothing', before, await stores.photograph());
  narrator.say(`The same files come again: ${held[0]?.reason ?? 'nothing is held'}`);
};

const takeBackBack = async (told: Told, narrator: Narrator, rollback: RunReport): Promise<void> => {
  const { platform, stores } = told;
  const preview = await platform.previewRollback(rollback.id);
  const run = await platform.rollBack(rollback.id, preview, 'It was the right file after all');
  narrator.check('9: the rollback is rolled back', run.state.startsWith('completed'), run.state);
  checkUnchanged(
    narrator,
    '9: every store is as after the decisions',
    told.photograph('decided'),
    await stores.photograph(),
  );
  narrator.check('9: the question is closed', (await platform.heldChanges()).length === 0);
  narrator.say('It was the right file after all: all is as it was decided.');
};
