import { expect, test } from '@jest/globals';
import { PrintedNarrator } from '../../samples/lakeside/printed-narrator.js';
import { lakesideStory } from '../../samples/lakeside/story.js';

test('the story is told as plain text, and fails when one outcome does', () => {
  const lines: string[] = [];
  const narrator = new PrintedNarrator((line) => lines.push(line));
  narrator.chapter('Day 1');
  narrator.say('Something happens.');
  narrator.check('all is well', true);
  narrator.check('all is counted', false, '3 of 4');
  expect(narrator.close()).toBe(false);
  expect(lines.join('\n')).toBe(`
Day 1
─────
Something happens.
  ✓ all is well
  ✗ all is counted: 3 of 4

Not as it should be: all is counted (3 of 4)
1 of 2 outcomes are as they should be.`);
});

test('a story without a checked outcome is no success', () => {
  expect(new PrintedNarrator(() => undefined).close()).toBe(false);
});

test('every outcome of the main job has its step', () => {
  const outcomes = lakesideStory.flatMap(({ outcome }) => outcome.split(', '));
  for (const outcome of ['1', '2', '3', '4', '5a', '5b', '5c', '6', '7', '8', '9']) expect(outcomes).toContain(outcome);
});
