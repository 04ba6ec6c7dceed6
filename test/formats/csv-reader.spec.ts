import { SyncError } from '../../domain/errors.js';
import { readCsv, readCsvHeader } from '../../formats/csv/reader.js';
import { asideOf, chunksOf, readAll } from './csv-text.js';

describe('reading well-formed CSV', () => {
  it('reads LF, CRLF and CR, with and without a last line ending, cut at every byte', async () => {
    for (const end of ['\n', '\r\n', '\r']) {
      for (const last of ['', end]) {
        const file = ['a,b', '1,"x ""y"" z"', '"multi', 'line",é', '3,'].join(end) + last;
        for (let chunk = 1; chunk < 12; chunk += 1) {
          const { columns, rows, rejected } = await readAll(file, {}, { chunk });
          expect(columns).toEqual(['a', 'b']);
          expect(rows).toEqual([
            ['1', 'x "y" z'],
            [`multi${end}line`, 'é'],
            ['3', null],
          ]);
          expect(rejected).toEqual([]);
        }
      }
    }
  });

  it('tells no value from the empty text where asked', async () => {
    const file = 'a,b\n1,\n2,""\n';
    expect((await readAll(file)).rows).toEqual([
      ['1', null],
      ['2', null],
    ]);
    expect((await readAll(file, { quotedEmptyIs: 'text' })).rows).toEqual([
      ['1', null],
      ['2', ''],
    ]);
    expect((await readAll(file, { emptyIs: 'text' })).rows).toEqual([
      ['1', ''],
      ['2', null],
    ]);
  });

  it('takes a quote inside an unquoted field as a character, and empty lines as no rows', async () => {
    expect((await readAll('a,b\n1,5" pipe\n\n2,x\n\n')).rows).toEqual([
      ['1', '5" pipe'],
      ['2', 'x'],
    ]);
  });

  it('reads other delimiters and quotes', async () => {
    expect((await readAll("a;b\n'x;y';2\n", { delimiter: ';', quote: "'" })).rows).toEqual([['x;y', '2']]);
    expect((await readAll('a\tb\n1\t2\n', { delimiter: '\t' })).rows).toEqual([['1', '2']]);
  });

  it('gives a batch without rows for a file that is only a header', async () => {
    for (const file of ['a,b', 'a,b\n', '\ufeffa,b\r\n']) {
      expect(await readAll(file)).toEqual({ columns: ['a', 'b'], rows: [], rejected: [] });
    }
  });

  it('keeps names and values as they stand, white space included', async () => {
    expect(await readAll('a ,b\n x , y\n')).toMatchObject({ columns: ['a ', 'b'], rows: [[' x ', ' y']] });
  });
});

describe('encodings', () => {
  it('reads iso-8859-1 exactly: byte 0x96 is U+0096, not a dash', async () => {
    const bytes = Buffer.from([0x61, 0x0a, 0x96, 0xed, 0x0a]);
    expect((await readAll(bytes, { encoding: 'iso-8859-1' })).rows).toEqual([['\u0096í']]);
    expect((await readAll(bytes, { encoding: 'windows-1252' })).rows).toEqual([['–í']]);
  });

  it('drops the mark of utf-8 and reads utf-16 by its mark, cut at every byte', async () => {
    const text = 'a,b\n1,ž😀\n';
    const little = Buffer.from(`\ufeff${text}`, 'utf16le');
    const big = Buffer.from(little).swap16();
    for (let chunk = 1; chunk < 9; chunk += 1) {
      for (const [bytes, encoding] of [
        [Buffer.from(`\ufeff${text}`), 'utf-8'],
        [little, 'utf-16'],
        [big, 'utf-16'],
        [big, 'utf-16be'],
      ] as const) {
        expect(await readAll(bytes, { encoding }, { chunk })).toEqual({
          columns: ['a', 'b'],
          rows: [['1', 'ž😀']],
          rejected: [],
        });
      }
    }
  });

  it('rejects only the row with bytes that are no utf-8', async () => {
    const bytes = Buffer.concat([
      Buffer.from('a,b\n1,é\n2,'),
      Buffer.from([0xe9, 0x20, 0xff]),
      Buffer.from('\n3,ü\n4,\ufffd\n'),
    ]);
    for (let chunk = 1; chunk < 20; chunk += 1) {
      const result = await readAll(bytes, {}, { chunk });
      expect(result.rows).toEqual([
        ['1', 'é'],
        ['3', 'ü'],
        ['4', '\ufffd'],
      ]);
      expect(asideOf(result)).toEqual([['3', 'invalid_encoding']]);
      expect(result.rejected[0]?.raw).toBe('2,\ufffd \ufffd');
    }
  });

  it('rejects the row with a byte that windows-1252 leaves undefined, and half a character at the end', async () => {
    const undefinedByte = Buffer.from([0x61, 0x0a, 0x81, 0x0a, 0x62, 0x0a]);
    expect(asideOf(await readAll(undefinedByte, { encoding: 'windows-1252' }))).toEqual([['2', 'invalid_encoding']]);
    const cut = Buffer.concat([Buffer.from('a\nx\n'), Buffer.from([0xc3])]);
    expect(asideOf(await readAll(cut))).toEqual([['3', 'invalid_encoding']]);
    const odd = Buffer.concat([Buffer.from('\ufeffa\nx\ny', 'utf16le'), Buffer.from([0x41])]);
    expect(asideOf(await readAll(odd, { encoding: 'utf-16' }))).toEqual([['3', 'invalid_encoding']]);
  });

  it('refuses a mark that contradicts the declaration, and an encoding that is none', async () => {
    await expect(readAll('\ufeffa\n1\n', { encoding: 'iso-8859-1' })).rejects.toMatchObject({
      code: 'delivery_unreadable',
    });
    await expect(readAll(Buffer.from('\ufeffa\n', 'utf16le'))).rejects.toMatchObject({ code: 'delivery_unreadable' });
    await expect(readAll('a\n', { encoding: 'klingon' })).rejects.toMatchObject({ code: 'configuration_invalid' });
  });
});

describe('bad input never stops the rest', () => {
  it('refuses an empty file and a doubled column name, without telling content', async () => {
    for (const file of ['', '\ufeff', '\n\n'])
      await expect(readAll(file)).rejects.toMatchObject({ code: 'delivery_unreadable' });
    const refused = readAll('Smith,1,Smith\n');
    await expect(refused).rejects.toThrow('columns 1 and 3 of the header have the same name');
    await expect(refused).rejects.not.toThrow(/Smith/);
    await expect(refused).rejects.toBeInstanceOf(SyncError);
  });

  it('rejects a row with another number of fields, with its exact line', async () => {
    const result = await readAll('a,b\n"x\ny",1\n2\n3,4,5\n6,7\n');
    expect(result.rows).toEqual([
      ['x\ny', '1'],
      ['6', '7'],
    ]);
    expect(asideOf(result)).toEqual([
      ['4', 'wrong_field_count'],
      ['5', 'wrong_field_count'],
    ]);
    expect(result.rejected[1]).toEqual({
      problem: {
        row: '5',
        key: null,
        field: null,
        reason: 'wrong_field_count',
        detail: 'the row has another number of fields than the header (3 instead of 2)',
      },
      raw: '3,4,5',
    });
  });

  it('loses only the row of a quote that is never closed', async () => {
    const result = await readAll('a,b\n1,x\n2,"y\n3,z\n4,w\n');
    expect(result.rows).toEqual([
      ['1', 'x'],
      ['3', 'z'],
      ['4', 'w'],
    ]);
    expect(asideOf(result)).toEqual([['3', 'quote_not_closed']]);
    expect(result.rejected[0]?.raw).toBe('2,"y');
  });

  it('loses only that row where a later quoted field closes the open quote', async () => {
    for (let chunk = 1; chunk < 30; chunk += 1) {
      const result = await readAll('a,b,c\r\n1,"x,k\r\n2,y,l\r\n3,"z",m\r\n4,"q\r\nr",n\r\n', {}, { chunk });
      expect(result.rows).toEqual([
        ['2', 'y', 'l'],
        ['3', 'z', 'm'],
        ['4', 'q\r\nr', 'n'],
      ]);
      expect(asideOf(result)).toEqual([['2', 'quote_not_closed']]);
    }
  });

  it('resumes behind the opening line on a wrong number of fields', async () => {
    const result = await readAll('a,b\n1,"x\n2,y\n3,",z\n4,w\n');
    expect(result.rows).toEqual([
      ['2', 'y'],
      ['4', 'w'],
    ]);
    expect(asideOf(result)).toEqual([
      ['2', 'wrong_field_count'],
      ['4', 'quote_not_closed'],
    ]);
    // What is left of a field of several lines is no row, though it has the right number of fields.
    const extra = await readAll('a,b\n1,"x\ny",extra\n2,z\n');
    expect(extra.rows).toEqual([['2', 'z']]);
    expect(asideOf(extra)).toEqual([
      ['2', 'wrong_field_count'],
      ['3', 'stray_quote'],
    ]);
  });

  it('loses only the line of a quote that opens in the last line of a good field', async () => {
    const result = await readAll('a,b\n"x\ny","z\n2,w\n');
    expect(result.rows).toEqual([['2', 'w']]);
    expect(asideOf(result)).toEqual([['2', 'quote_not_closed']]);
  });

  it('rejects a row with a NUL, which its raw text does not hold', async () => {
    const result = await readAll('a,b\n1,x\n2,\0y\n3,"\0"\n4,z\n');
    expect(result.rows).toEqual([
      ['1', 'x'],
      ['4', 'z'],
    ]);
    expect(asideOf(result)).toEqual([
      ['3', 'nul_character'],
      ['4', 'nul_character'],
    ]);
    expect(result.rejected[0]?.raw).toBe('2,␀y');
  });

  it('rejects a field of more than 1 MB, quoted or not, on one line or many', async () => {
    const large = 'x'.repeat(1_000_001);
    for (const field of [
      large,
      `"${large}"`,
      `"${'x y\n'.repeat(300_000)}"`,
      `"${'""'.repeat(1_000_001)}"`,
      'é'.repeat(500_001),
      'x'.repeat(40_000_000),
    ]) {
      const lines = field.split('\n').length;
      for (const chunk of [10_000_019, 65_536]) {
        const result = await readAll(`a,b,c\n1,2,3\n1,${field},3\n4,5,6\n7,8,\n`, {}, { chunk });
        expect(result.rows).toEqual([
          ['1', '2', '3'],
          ['4', '5', '6'],
          ['7', '8', null],
        ]);
        expect(asideOf(result)).toEqual([['3', 'field_too_long']]);
        expect(result.rejected[0]?.raw.length).toBeLessThan(100_000);
        const after = await readAll(`a,b,c\n1,${field},3\nx\n`, {}, { chunk });
        expect(after.rejected[1]?.problem.row).toBe(String(lines + 2));
      }
    }
    expect((await readAll(`a\n${'x'.repeat(1_000_000)}\n`)).rows).toHaveLength(1);
  }, 60_000);

  it('loses one row of a large file to a quote that is never closed', async () => {
    const rows = Array.from({ length: 200_000 }, (_, index) => `${String(index)},name ${String(index)},x`);
    rows[500] = '500,"name 500,x';
    const result = await readAll(['a,b,c', ...rows].join('\n'), {}, { chunk: 65_536 });
    expect(result.rows).toHaveLength(199_999);
    expect(asideOf(result)).toEqual([['502', 'quote_not_closed']]);
  });

  it('rejects the half row at the end of a cut file', async () => {
    expect(asideOf(await readAll('a,b\n1,x\n2'))).toEqual([['3', 'wrong_field_count']]);
  });
});

describe('going on', () => {
  const file = Buffer.from(
    '\ufeffid,name\r\n' +
      Array.from({ length: 3_000 }, (_, index) =>
        index % 7 === 3 ? `${String(index)},"é\r\n${String(index)}"` : index % 50 === 9 ? 'bad' : `${String(index)},ü`,
      ).join('\r\n'),
  );

  it.each([
    ['utf-8', file],
    ['utf-16', Buffer.from(file.toString(), 'utf16le')],
  ] as const)('reads the rest from the end of every batch (%s)', async (encoding, bytes) => {
    const header = await readCsvHeader(chunksOf(bytes, 1_000), { encoding });
    const all = await readAll(bytes, { encoding });
    expect(all.rows.length + all.rejected.length).toBe(3_000);
    const first = await readAll(
      bytes.subarray(header.body.byte),
      { encoding },
      { resume: { header, at: header.body } },
    );
    expect(first).toEqual(all);
    let read = 0;
    let aside = 0;
    for await (const batch of readCsv(chunksOf(bytes, 997), { encoding }, { batchRows: 100 })) {
      read += batch.rows.length;
      aside += batch.rejected.length;
      expect(batch.end.rows).toBe(read + aside);
      const rest = await readAll(bytes.subarray(batch.end.byte), { encoding }, { resume: { header, at: batch.end } });
      expect(rest.rows).toEqual(all.rows.slice(read));
      expect(rest.rejected).toEqual(all.rejected.slice(aside));
    }
  });
});
