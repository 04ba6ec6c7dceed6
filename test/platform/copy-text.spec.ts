import fc from 'fast-check';
import { decodeTextArray, encodeTextArray } from '../../platform/copy-sink.js';
import { copyCell, CopyEncoder, CopyLineSplitter, decodeCopyLine, encodeCopyLine } from '../../platform/copy-text.js';

const cell = fc.option(
  fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom('\\', '\t', '\n', '\r', 'N', 'n', '\b', 'é', '😀', 'a'), { maxLength: 6 })
      .map((signs) => signs.join('')),
  ),
  { nil: null },
);
const rows = fc.array(fc.array(cell, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 30 });

describe('COPY text', () => {
  it('reads what it wrote, cut anywhere', () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 40 }), (table, size) => {
        const bytes = Buffer.from(table.map(encodeCopyLine).join(''));
        const splitter = new CopyLineSplitter();
        const lines: string[] = [];
        for (let at = 0; at < bytes.length; at += size) lines.push(...splitter.push(bytes.subarray(at, at + size)));
        expect(lines.map(decodeCopyLine)).toEqual(table);
      }),
    );
  });

  it('encodes bytes as it encodes lines, whatever the length', () => {
    fc.assert(
      fc.property(rows, (table) => {
        const encoder = new CopyEncoder();
        for (const row of table) encoder.add(row);
        expect(encoder.take().toString()).toBe(table.map(encodeCopyLine).join(''));
        expect(encoder.size).toBe(0);
      }),
    );
    const long = ['é\t'.repeat(300_000), null, 'x'.repeat(300_000)];
    const encoder = new CopyEncoder();
    encoder.add(long);
    expect(decodeCopyLine(encoder.take().toString().slice(0, -1))).toEqual(long);
  });

  it('reads lists of texts as it wrote them, and escapes them for a line at once', () => {
    const item = fc.option(
      fc.oneof(
        cell.map((text) => text ?? ''),
        cell.map((text) => JSON.stringify(text)),
        fc.constantFrom('"', '""', '', 'null', 'NULL', '{}', ',', '"a"b"'),
      ),
      { nil: null },
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 8 }), (items) => {
        expect(decodeTextArray(encodeTextArray(items))).toEqual(items);
        const encoder = new CopyEncoder();
        encoder.addList(items);
        expect(encoder.take().toString()).toBe(Buffer.from(copyCell(encodeTextArray(items))).toString());
      }),
    );
  });

  it('writes a row as JSON would be written', () => {
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 6 }), (row) => {
        const encoder = new CopyEncoder();
        encoder.addJsonRow(row);
        expect(encoder.take().toString()).toBe(JSON.stringify(row));
      }),
    );
  });

  it('spells null, an empty text and a backslash N differently', () => {
    expect(encodeCopyLine([null, '', '\\N'])).toBe('\\N\t\t\\\\N\n');
    expect(decodeCopyLine('\\N\t\t\\\\N')).toEqual([null, '', '\\N']);
  });
});
