import { applyDay } from './install.js';
import type { Narrator } from './story-platform.js';
import { checkUnchanged } from './tell.js';
import type { Told } from './told.js';

/** Outcome 6: what begins on a date is published on that date, though no source changed, and once. */
export const dayFour = async (told: Told, narrator: Narrator): Promise<void> => {
  const { platform, stores, lakeside } = told;
  const number = lakeside.facts.faridNumber;
  const { asOf } = lakeside.days.dayFour;
  await applyDay(told.systems, lakeside.days.dayFour);
  const before = await stores.photograph();
  const accounts = (await stores.table('accounts')).length;
  narrator.check('6: Farid has no account before he starts', (await stores.find('accounts', number)) === null);
  await platform.runDue(asOf);
  narrator.check('6: Farid has an account on his first day', (await stores.find('accounts', number)) !== null);
  narrator.check('6: and nobody else', (await stores.table('accounts')).length === accounts + 1);
  const after = await stores.photograph();
  checkUnchanged(narrator, '6: nothing else changed', before, after, ['accounts', 'golden records']);
  const run = await platform.startRun('lakeside-records', asOf);
  checkUnchanged(narrator, '6: a run on that day adds nothing', after, await stores.photograph());
  narrator.check('6: nothing is written twice', run.targetWrites === 0);
  narrator.say('Farid starts today: his account was opened, once, though no system said anything new.');
};
