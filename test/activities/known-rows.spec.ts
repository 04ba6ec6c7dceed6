import fc from 'fast-check';
import { KnownRows } from '../../activities/known-rows.js';
import { hash128 } from '../../platform/hash.js';

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
      for (const one of read) expect(known.see(Buffer.from(one))).toBe(rows.includes(one));
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
  expect(rows.filter((row) => known.see(Buffer.from(row)))).toHaveLength(70_000);
  expect(known.see(Buffer.from('row 70000'))).toBe(false);
  expect(known.see(Buffer.from('row 65536'))).toBe(true);
  expect([...known.unseen()]).toEqual([]);
});
