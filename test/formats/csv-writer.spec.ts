import fc from 'fast-check';
import type { RawRow } from '../../domain/rows.js';
import { writeCsv } from '../../formats/csv/writer.js';
import type { CsvWriteDialect } from '../../formats/csv/writer.js';
import { readAll } from './csv-text.js';

const written = async (
  columns: readonly string[],
  rows: readonly RawRow[],
  dialect: CsvWriteDialect = {},
): Promise<Buffer> => {
  const batches = async function* (): AsyncGenerator<readonly RawRow[]> {
    yield rows;
  };
  const parts: Buffer[] = [];
  for await (const part of writeCsv(columns, batches(), dialect)) parts.push(part);
  return Buffer.concat(parts);
};

describe('writing CSV', () => {
  it('quotes what needs it, and tells no value from the empty text', async () => {
    const rows = [
      ['a,b', 'say "x"', null],
      ['line\nbreak', '', ' padded'],
      ['plain', '\ttab', 'é'],
    ];
    expect((await written(['x', 'y', 'z'], rows)).toString()).toBe(
      'x,y,z\r\n"a,b","say ""x""",\r\n"line\nbreak",""," padded"\r\nplain,"\ttab",é\r\n',
    );
    expect((await written(['x', 'y'], [['1', null]], { quoting: 'all', lineEnding: 'lf' })).toString()).toBe(
      '"x","y"\n"1",\n',
    );
  });

  it('writes a row of one column without a value as a row, not as an empty line', async () => {
    const bytes = await written(['x'], [[null], ['1']]);
    expect(bytes.toString()).toBe('x\r\n""\r\n1\r\n');
    expect((await readAll(bytes)).rows).toEqual([[null], ['1']]);
  });

  it('names row and column of a character that the encoding lacks, instead of a question mark', async () => {
    for (const encoding of ['iso-8859-1', 'windows-1252', 'iso-8859-15']) {
      const refused = written(
        ['id', 'name'],
        [
          ['1', 'é'],
          ['2', '中'],
        ],
        { encoding },
      );
      await expect(refused).rejects.toMatchObject({ code: 'configuration_invalid', row: 2, column: 'name' });
      await expect(refused).rejects.not.toThrow(/中/);
    }
    await expect(written(['id'], [['\ud800']])).rejects.toMatchObject({ row: 1, column: 'id' });
    expect(await written(['a'], [['€']], { encoding: 'windows-1252' })).toEqual(Buffer.from('a\r\n\x80\r\n', 'latin1'));
    expect(await written(['a'], [['\u0096']], { encoding: 'iso-8859-1' })).toEqual(
      Buffer.from('a\r\n\x96\r\n', 'latin1'),
    );
  });

  it('makes formulas harmless where asked, and only there', async () => {
    const rows = [
      ['=1+1', '-2'],
      ['@x', '+3'],
      ['a=b', '2'],
    ];
    expect((await written(['x', 'y'], rows, { formulaSafe: true })).toString()).toBe(
      "x,y\r\n'=1+1,'-2\r\n'@x,'+3\r\na=b,2\r\n",
    );
    expect((await written(['x', 'y'], rows)).toString()).toContain('=1+1,-2');
  });

  it('writes a byte order mark for utf-16 and where asked', async () => {
    expect((await written(['é'], [], { encoding: 'utf-16' })).subarray(0, 2)).toEqual(Buffer.from([0xff, 0xfe]));
    expect((await written(['é'], [], { byteOrderMark: true })).subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]));
    expect((await written(['é'], [], { encoding: 'utf-16be' })).subarray(0, 2)).toEqual(Buffer.from([0x00, 0xe9]));
  });

  it('refuses a row of another width as a defect', async () => {
    await expect(written(['a', 'b'], [['1']])).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('what was written is read back the same', () => {
  const cell = fc.option(
    fc
      .oneof(
        fc.string({ unit: 'binary' }),
        fc
          .array(fc.constantFrom('"', ',', ';', '\r', '\n', '\t', ' ', 'a', '\ufeff', "'", '=', '\u0096', 'é'), {
            maxLength: 8,
          })
          .map((signs) => signs.join('')),
      )
      .map((text) => text.replaceAll(/[\0\p{Surrogate}]/gu, '')),
    { nil: null },
  );
  const table = fc.integer({ min: 1, max: 5 }).chain((width) =>
    fc.record({
      columns: fc.uniqueArray(
        fc
          .string({ minLength: 1 })
          .map((name) => name.replaceAll('\0', ''))
          .filter((name) => name !== ''),
        { minLength: width, maxLength: width },
      ),
      rows: fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 20 }),
      chunk: fc.integer({ min: 1, max: 50 }),
    }),
  );
  const dialects = fc.record({
    delimiter: fc.constantFrom(',', ';', '\t', '|'),
    quote: fc.constantFrom('"', "'"),
    lineEnding: fc.constantFrom('crlf' as const, 'lf' as const, 'cr' as const),
    quoting: fc.constantFrom('minimal' as const, 'all' as const),
    quotedEmptyIs: fc.constant('text' as const),
  });

  it.each(['utf-8', 'utf-16', 'utf-16be'])('for any cells and dialect (%s)', async (encoding) => {
    await fc.assert(
      fc.asyncProperty(table, dialects, async ({ columns, rows, chunk }, dialect) => {
        const bytes = await written(columns, rows, { ...dialect, encoding });
        const read = await readAll(bytes, { ...dialect, encoding }, { chunk });
        // A lone column's null is written as "" (an empty line is no row): the one place where both are the same.
        const expected = columns.length > 1 ? rows : rows.map(([only]) => [only ?? '']);
        expect(read).toEqual({ columns, rows: expected, rejected: [] });
      }),
      { numRuns: 200 },
    );
  });

  it('for any bytes of the single-byte encodings', async () => {
    const bytes = fc.uint8Array({ min: 1, max: 255, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 20 }), async (cells) => {
        const rows = cells.map((cell) => [Buffer.from(cell).toString('latin1'), 'x']);
        const file = await written(['a', 'b'], rows, { encoding: 'iso-8859-1' });
        expect((await readAll(file, { encoding: 'iso-8859-1', quotedEmptyIs: 'text' })).rows).toEqual(rows);
      }),
    );
  });
});
