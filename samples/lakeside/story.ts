import type { Lakeside } from './generator.js';
import { installLakeside } from './install.js';
import type { LakesideSystems } from './install.js';
import { dayFour } from './story-day-four.js';
import { dayOne, dayOneAgain, northOnly, truncated } from './story-day-one.js';
import { dayTwo } from './story-day-two.js';
import { decisions } from './story-decisions.js';
import { rollbacks } from './story-rollback.js';
import type { DemoPlatform, Narrator } from './story-platform.js';
import { Stores } from './stores.js';
import { Told } from './told.js';

/** A part of the story. Its checks are of the outcome of that number in the description of the main job. */
export interface StoryStep {
  readonly outcome: string;
  readonly title: string;
  readonly tell: (told: Told, narrator: Narrator) => Promise<void>;
}

/** The main job from the first day to the fourth. The steps build on one another: tell them in this order. */
export const lakesideStory: readonly StoryStep[] = [
  { outcome: '1', title: 'Day 1: four systems are brought together', tell: dayOne },
  { outcome: '1', title: 'Day 1 again: nothing is new', tell: dayOneAgain },
  { outcome: '5a', title: 'Evening of day 1: a file of HR that was cut off', tell: truncated },
  { outcome: '5b', title: 'Evening of day 1: a file of HR for one campus', tell: northOnly },
  { outcome: '2, 3, 4, 5c, 6, 7', title: 'Day 2: changes from everywhere, one run', tell: dayTwo },
  { outcome: '8', title: 'Day 2: the secretary decides', tell: decisions },
  { outcome: '9', title: 'Day 2 is taken back, comes again, and is taken back back', tell: rollbacks },
  { outcome: '6', title: 'Day 4: nothing changes, and somebody starts', tell: dayFour },
];

/** Sets the stage: the systems with what is in them before day 1. The configuration is applied by the caller. */
export const beginStory = async (
  systems: LakesideSystems,
  platform: DemoPlatform,
  lakeside: Lakeside,
): Promise<Told> => {
  await installLakeside(systems, lakeside);
  return new Told(systems, platform, lakeside, new Stores(systems, platform));
};

/** Tells the whole story. */
export const tellStory = async (told: Told, narrator: Narrator): Promise<void> => {
  for (const { title, tell } of lakesideStory) {
    narrator.chapter(title);
    await tell(told, narrator);
  }
};
