import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { compileSource } from '../../domain/mapping.js';
import { compileTarget } from '../../domain/projection.js';
import type { Cell } from '../../domain/rows.js';
import { readCsv } from '../../formats/csv/reader.js';
import { writeCsv } from '../../formats/csv/writer.js';
import { readSampleConfiguration } from './configuration.js';

const corpus = process.env['CONCORD_CORPUS'] ?? fileURLToPath(new URL('../../../shared/data', import.meta.url));
const folder = join(corpus, 'ipeds');
const isThere = existsSync(folder);
if (!isThere) process.stderr.write('CONCORD_CORPUS is not there: the register of institutions is NOT tested.\n');
const whereThere = isThere ? test : test.skip;

const bytesOf = (year: string): Buffer => readFileSync(join(folder, `hd${year}.csv`));

async function* inOne<T>(item: T): AsyncGenerator<T> {
  yield item;
}

async function rowsOf(year: string): Promise<Map<string, readonly Cell[]>> {
  const rows = new Map<string, readonly Cell[]>();
  for await (const batch of readCsv(inOne(bytesOf(year)), { encoding: 'iso-8859-1' })) {
    expect(batch.rejected).toEqual([]);
    for (const row of batch.rows) rows.set(row[0] ?? '', row);
  }
  return rows;
}

test('the configuration compiles', async () => {
  const { mappings, entityTypes, codeTables } = await readSampleConfiguration('ipeds');
  const [hd, register] = mappings;
  if (hd === undefined || register === undefined) throw new Error('both mappings are needed');
  const tabbed = ['240985', '\tEducational Technical College', '6', '2', '3', '-2'];
  const { records, problems } = compileSource(hd, entityTypes, codeTables).standardize(tabbed);
  expect(problems).toEqual([]);
  const target = compileTarget(register, entityTypes, codeTables);
  const { row } = target.project(records[0]?.values ?? [], {}, '2026-09-01', ['240985']);
  expect(row).toEqual(tabbed);
});

whereThere('the figures of the register: 6,857 rows; then 130 new, 230 changed, 428 missing', async () => {
  const [before, after] = [await rowsOf('2018'), await rowsOf('2019')];
  expect([before.size, after.size]).toEqual([6_857, 6_559]);
  const changedBy = (same: (left: Cell | undefined, right: Cell | undefined) => boolean): number =>
    [...after].filter(([key, row]) => before.get(key)?.some((cell, index) => !same(cell, row[index])) === true).length;
  expect([...after.keys()].filter((key) => !before.has(key))).toHaveLength(130);
  expect([...before.keys()].filter((key) => !after.has(key))).toHaveLength(428);
  expect(changedBy((left, right) => left === right)).toBe(230);
  // One name differs by a tab at its beginning alone: trimming would lose it.
  expect(changedBy((left, right) => left?.trim() === right?.trim())).toBe(229);
});

whereThere('our writing of the register is the file itself, byte for byte', async () => {
  for (const year of ['2018', '2019']) {
    const rows = [...(await rowsOf(year)).values()];
    const header = ['UNITID', 'INSTNM', 'SECTOR', 'ICLEVEL', 'CONTROL', 'CARNEGIE'];
    const parts: Buffer[] = [];
    for await (const part of writeCsv(header, inOne(rows), { encoding: 'iso-8859-1', lineEnding: 'crlf' }))
      parts.push(part);
    expect(Buffer.concat(parts).equals(bytesOf(year))).toBe(true);
  }
});
