import fc from 'fast-check';
import { KnownRows } from '../../activities/known-rows.js';
import { RowsOfText } from '../../activities/rows-of-text.js';
import { hash128 } from '../../platform/hash.js';
import { LineGroups } from '../../platform/line-groups.js';

const linesOf = (rows: readonly string[], others: readonly number[] = []): Buffer =>
  Buffer.from(
    [
      ...rows.map((row, place) => `${String(place + 1)}\t${hash128(row)}\n`),
      ...others.map((id) => `${String(id)}\t\\N\n`),
    ].join(''),
  );

test('tells rows that were there from others, in whatever order they come, and which did not come', () => {
  const row = fc.string({ maxLength: 4 });
  fc.assert(
    fc.property(fc.uniqueArray(row, { maxLength: 40 }), fc.array(row, { maxLength: 60 }), (rows, come) => {
      const known = new KnownRows();
      known.addText(linesOf(rows, [1_000]));
      expect(known.size).toBe(rows.length + 1);
      // Most come in the order in which they are known.
      const read = [...rows.filter((one) => !come.includes(one)).slice(0, rows.length / 2), ...come];
      for (const one of read) expect(known.see(Buffer.from(one))).toBe(rows.indexOf(one) + 1);
      const unseen = rows.flatMap((one, place) => (read.includes(one) ? [] : [place + 1]));
      expect([...known.unseen()]).toEqual([...unseen, 1_000]);
    }),
  );
});

test('knows more rows than fit in one block', () => {
  const rows = Array.from({ length: 70_000 }, (_, place) => `row ${String(place)}`);
  const known = new KnownRows();
  const text = linesOf(rows);
  const half = text.indexOf('\n', text.length / 2) + 1;
  known.addText(text.subarray(0, half));
  known.addText(text.subarray(half));
  expect(rows.filter((row) => known.see(Buffer.from(row)) > 0)).toHaveLength(70_000);
  expect(known.see(Buffer.from('row 70000'))).toBe(0);
  expect(known.see(Buffer.from('row 65536'))).toBe(65_537);
  expect([...known.unseen()]).toEqual([]);
});

/** Reads lines as a run does. @returns those that are to be staged, and what the next run knows */
const read = (
  known: KnownRows,
  lines: readonly string[],
  batches: readonly number[],
  remembers = true,
): { readonly staged: readonly string[]; readonly blocks: readonly Buffer[] } => {
  const text = new RowsOfText();
  const staged: string[] = [];
  const groups = new LineGroups();
  const add = (group: Buffer): void => {
    if (known.seeGroup(group, remembers ? text : null) > 0) return;
    for (const line of group.toString().split('\n').slice(0, -1)) {
      const id = known.see(Buffer.from(line));
      text.addFrom(known.sought, 0, id);
      if (id === 0) staged.push(line);
    }
    text.endGroup(known.soughtGroup);
  };
  for (let at = 0, turn = 0; at < lines.length; turn += 1) {
    const next = at + (batches[turn % batches.length] ?? 1);
    const batch = lines.slice(at, next).map((line) => `${line}\n`);
    for (const group of groups.of(Buffer.from(batch.join('')))) add(group);
    at = next;
  }
  add(groups.rest());
  known.addUnseen(text);
  text.endBlock();
  return { staged, blocks: text.takeBlocks() };
};

/** What is there: each row has its image, by a number of its own; null: it is to be looked at. */
type Images = ReadonlyMap<number, string | null>;

const imageLines = (images: Iterable<readonly [number, string | null | undefined]>): Buffer =>
  Buffer.from(
    [...images]
      .map(([id, row]) => `${String(id)}\t${row === undefined ? '-' : row === null ? '\\N' : hash128(row)}\n`)
      .join(''),
  );

const rememberedOf = (blocks: readonly Buffer[], touched: readonly number[], images: Images): KnownRows => {
  const known = new KnownRows();
  for (const block of blocks) expect(known.addBlock(block)).toBe(true);
  known.correct([imageLines([...new Set(touched)].map((id) => [id, images.get(id)]))]);
  return known;
};

const rowText = (row: number): string => `${String(row)} ${'x'.repeat(row % 300)}`;

/** What may happen between two reads: to the source, and to images by other runs. */
const step = fc.record({
  removed: fc.array(fc.nat(80), { maxLength: 6 }),
  added: fc.array(fc.record({ at: fc.nat(90), row: fc.nat(200) }), { maxLength: 6 }),
  moved: fc.option(fc.record({ from: fc.nat(80), to: fc.nat(80), count: fc.nat(20) })),
  others: fc.array(fc.record({ id: fc.nat(60), row: fc.option(fc.nat(200)), gone: fc.boolean() }), { maxLength: 6 }),
  held: fc.nat(4),
  batches: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
  remembers: fc.boolean(),
});

test('says what a comparison of row by row says, whatever came and went since it was remembered', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(200), { minLength: 40, maxLength: 80 }),
      fc.array(step, { maxLength: 5 }),
      (rows, steps) => {
        let lines = rows.map(rowText);
        const images = new Map<number, string | null>(lines.map((line, place) => [place + 1, line]));
        let [blocks, touched, last] = [null as readonly Buffer[] | null, [] as number[], lines.length];
        for (const { removed, added, moved, others, held, batches, remembers } of steps) {
          lines = lines.filter((_, place) => !removed.includes(place));
          for (const { at, row } of added) if (!lines.includes(rowText(row))) lines.splice(at, 0, rowText(row));
          if (moved !== null) lines.splice(moved.to, 0, ...lines.splice(moved.from, moved.count));
          // No two images are of one row, and no image that is gone comes back as another's.
          const taken = (row: string): boolean => [...images.values()].includes(row);
          for (const { id, row, gone } of others) {
            if (!images.has(id)) continue;
            const now = row === null ? null : rowText(row);
            if (gone) images.delete(id);
            else if (now === null || !taken(now)) images.set(id, now);
            touched.push(id);
          }
          const expected = new KnownRows();
          expected.addText(imageLines(images));
          const stagedThen = lines.filter((line) => expected.see(Buffer.from(line)) === 0);
          const known = blocks === null ? new KnownRows() : rememberedOf(blocks, touched, images);
          if (blocks === null) known.addText(imageLines(images));
          const found = read(known, lines, batches, remembers);
          expect(found.staged).toEqual(stagedThen);
          const unseen = [...expected.unseen()].sort((left, right) => left - right);
          expect([...known.unseen()].sort((left, right) => left - right)).toEqual(unseen);
          // The run applies what was staged, but for what it holds back, and takes away what was not seen.
          // Or what was remembered before stays in force.
          if (remembers) ({ blocks, touched } = { blocks: found.blocks, touched: [] });
          for (const id of unseen.slice(held)) {
            images.delete(id);
            touched.push(id);
          }
          for (const line of found.staged.slice(held)) {
            last += 1;
            images.set(last, line);
            touched.push(last);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('finds groups of more rows than a block has, and moved ones', () => {
  const lines = Array.from({ length: 40_000 }, (_, place) => `row ${String(place)}`);
  const known = new KnownRows();
  known.addText(linesOf(lines));
  const { blocks, staged } = read(known, lines, [5_000]);
  expect([staged, blocks.length]).toEqual([[], 3]);
  const again = rememberedOf(blocks, [7], new Map([[7, 'another row']]));
  const moved = [...lines.slice(20_000), ...lines.slice(0, 20_000)];
  const text = new RowsOfText();
  const groups = new LineGroups();
  let seen = 0;
  for (const group of groups.of(Buffer.from(moved.map((line) => `${line}\n`).join(''))))
    seen += again.seeGroup(group, text);
  expect(seen).toBeGreaterThan(38_000);
  expect(seen).toBeLessThan(40_000);
  expect([...again.unseen()].length).toBe(40_000 - seen);
});

test('does not read what was made on another kind of machine', () => {
  const text = new RowsOfText();
  text.addFrom(Uint32Array.of(1, 2, 3), 0, 4);
  text.endBlock();
  const [bytes] = text.takeBlocks();
  expect(bytes).toBeDefined();
  expect(new KnownRows().addBlock(Buffer.from(bytes ?? []).swap32())).toBe(false);
});
