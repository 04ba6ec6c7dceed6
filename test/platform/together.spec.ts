import { expect, test } from '@jest/globals';
import { together } from '../../platform/together.js';

interface Pending {
  readonly key: string;
  readonly answer: (value: string) => void;
  readonly fail: (error: Error) => void;
}

const asked: Pending[] = [];
const ask = together(
  (key: string) =>
    new Promise<string>((answer, fail) => {
      asked.push({ key, answer, fail });
    }),
);
const settled = async (): Promise<void> => {
  for (let turns = 0; turns < 5; turns += 1) await Promise.resolve();
};

test('those who come while one is under way are answered together, by what was asked after they came', async () => {
  asked.length = 0;
  const first = ask('a');
  const [second, third, other] = [ask('a'), ask('a'), ask('b')];
  expect(asked.map(({ key }) => key)).toEqual(['a', 'b']);
  asked[0]?.answer('old');
  expect(await first).toBe('old');
  await settled();
  expect(asked.map(({ key }) => key)).toEqual(['a', 'b', 'a']);
  // Comes while the one of the others is under way.
  const fourth = ask('a');
  asked[2]?.answer('new');
  expect(await Promise.all([second, third])).toEqual(['new', 'new']);
  await settled();
  asked[3]?.answer('newest');
  expect(await fourth).toBe('newest');
  asked[1]?.answer('of b');
  expect(await other).toBe('of b');
});

test('a failure is that of those who asked, and the next are asked for all the same', async () => {
  asked.length = 0;
  const [first, second] = [ask('a'), ask('a')];
  asked[0]?.fail(new Error('gone'));
  await expect(first).rejects.toThrow('gone');
  await settled();
  asked[1]?.answer('back');
  expect(await second).toBe('back');
  await settled();
  const third = ask('a');
  expect(asked).toHaveLength(3);
  asked[2]?.answer('again');
  expect(await third).toBe('again');
});
