import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { checkConnectorSettings } from '../../connectors/settings.js';
import { standardizers } from '../../domain/standardizers.js';

/* The page that refusals refer to names everything that may be written. */

const rowsOf = new Map(
  readFileSync('docs/guide/settings-and-steps.md', 'utf8')
    .split('\n')
    .flatMap((line): [string, string][] => {
      const name = /^\| `(\w+)`/.exec(line)?.[1];
      return name === undefined ? [] : [[name, line]];
    }),
);

/* A wrong name is answered with those that there are. */
const namesIn = (kind: string, settings: Readonly<Record<string, unknown>>): string[] =>
  checkConnectorSettings(kind, settings).flatMap(
    (problem) => /\(there are (.*)\)/.exec(problem)?.[1]?.split(', ') ?? [],
  );

test('every setting of every kind of system stands there', () => {
  const names = [...namesIn('postgresql', { wrong: 1 }), ...namesIn('csv', { wrong: 1, files: { a: { wrong: 1 } } })];
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => !rowsOf.has(name))).toEqual([]);
});

test('every step stands there with its options', () => {
  const missing = [...standardizers].flatMap(([name, { options }]) =>
    Object.keys(options)
      .map((option) => `\`${option}`)
      .filter((option) => rowsOf.get(name)?.includes(option) !== true)
      .map((option) => `${name} ${option}`),
  );
  expect(missing).toEqual([]);
  expect([...standardizers.keys()].filter((name) => !rowsOf.has(name))).toEqual([]);
});
