import { expect, test } from '@jest/globals';
import { sharedBuffersFor } from './postgres.js';

const gibibyte = 1024 ** 3;

test('takes a quarter of the memory up to 4 GiB, in whole MiB, and little of a small machine', () => {
  const taken = [0.5, 3.9, 4, 6.0001, 16, 24, 512].map((memory) => sharedBuffersFor(memory * gibibyte) / gibibyte);
  expect(taken).toEqual([0.25, 0.25, 1, 1.5, 4, 4, 4]);
});
