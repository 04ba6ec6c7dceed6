import fc from 'fast-check';
import { LineGroups } from '../../platform/line-groups.js';

/** Lines of which a few dozen fill a group. */
const line = fc.record({ key: fc.nat(), length: fc.integer({ min: 0, max: 400 }) });
const textOf = ({ key, length }: { readonly key: number; readonly length: number }): string =>
  `${String(key)}${'x'.repeat(length)}\n`;
const texts = fc.array(line.map(textOf), { maxLength: 200 });
const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 });

const groupsOf = (lines: readonly string[], batches: readonly number[]): string[] => {
  const groups = new LineGroups();
  const found: string[] = [];
  for (let at = 0, turn = 0; at < lines.length; turn += 1) {
    const next = at + (batches[turn % batches.length] ?? 1);
    for (const group of groups.of(Buffer.from(lines.slice(at, next).join('')))) found.push(group.toString());
    at = next;
  }
  return [...found, groups.rest().toString()];
};

test('groups are whole lines, all of them, and the same however the text comes', () => {
  fc.assert(
    fc.property(texts, sizes, sizes, (lines, some, others) => {
      const groups = groupsOf(lines, some);
      expect(groups.join('')).toBe(lines.join(''));
      expect(groups.slice(0, -1).every((group) => group.endsWith('\n') && group.length >= 1_200)).toBe(true);
      expect(groupsOf(lines, others)).toEqual(groups);
    }),
  );
});

test('lines that are longer than a group come, too', () => {
  const lines = ['a'.repeat(50_000), 'b', 'c'.repeat(9_000), 'd'].map((text) => `${text}\n`);
  for (const size of [1, 2, 4]) expect(groupsOf(lines, [size]).join('')).toBe(lines.join(''));
});

test('lines that are put in or taken out change the groups around them alone', () => {
  const lines = Array.from({ length: 10_000 }, (_, place) => `${String(place)}\t${'x'.repeat(150)}\tno\n`);
  const before = new Set(groupsOf(lines, [100]));
  const changed = [...lines.slice(0, 2_000), 'put in\n', ...lines.slice(2_000, 7_000), ...lines.slice(7_003)];
  const after = groupsOf(changed, [77]);
  expect(after.filter((group) => !before.has(group)).length).toBeLessThan(20);
  expect(after.length).toBeGreaterThan(500);
});
