import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly resolved?: string; readonly optionalDependencies?: Readonly<Record<string, string>> }>
  >;
}

const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as Lock;

test('package-lock.json names the packages of every platform, or `npm ci` would refuse it', () => {
  const names = new Set(Object.keys(lock.packages).map((path) => path.slice(path.lastIndexOf('node_modules/') + 13)));
  const wanted = Object.values(lock.packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
  // Mended by `node scripts/complete-lock.mjs`.
  expect(wanted.filter((name) => !names.has(name))).toEqual([]);
});

test('package-lock.json binds nobody to one registry', () => {
  const bound = Object.entries(lock.packages).flatMap(([path, entry]) => (entry.resolved === undefined ? [] : [path]));
  expect(bound).toEqual([]);
});
