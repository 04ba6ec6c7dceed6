/** Speed of the formats on this machine, in memory: rows of 17 columns, about 150 bytes. Usage: `node dist/bench/formats.js [rows]`. */
import { readCsv } from '../formats/csv/reader.js';
import { writeCsv } from '../formats/csv/writer.js';
import { CopyEncoder, CopyLineSplitter, decodeCopyLine, encodeCopyLine } from '../platform/copy-text.js';
import { createSetDigest, hash128, sha256Hex } from '../platform/hash.js';

const count = Number(process.argv[2] ?? 300_000);
const rounds = 5;
const columns = Array.from({ length: 17 }, (_, index) => `column_${String(index)}`);

const cellOf = (row: number, column: number): string | null => {
  if (column === 0) return String(1_000_000 + row);
  if (column % 6 === 5) return null;
  return column % 3 === 0 ? `name ${String(row * 7 + column)}` : `v${String((row * column) % 99_991)}`;
};
const rowsOf = (amount: number): (string | null)[][] =>
  Array.from({ length: amount }, (_, row) => columns.map((_name, column) => cellOf(row, column)));

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

async function* batchesOf<T>(rows: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let at = 0; at < rows.length; at += 5_000) yield rows.slice(at, at + 5_000);
}

const measure = async (name: string, bytes: number, work: () => number | Promise<number>): Promise<void> => {
  const seconds: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const start = performance.now();
    const done = await work();
    if (done !== count) throw new Error(`${name}: ${String(done)} rows instead of ${String(count)}`);
    // The first round warms up.
    if (round > 0) seconds.push((performance.now() - start) / 1_000);
  }
  seconds.sort((left, right) => left - right);
  const show = (at: number): string => `${String(Math.round(count / (seconds[at] ?? 1) / 1_000))}k`;
  const rate = (bytes / 1e6 / (seconds[rounds >> 1] ?? 1)).toFixed(0);
  console.log(`${name.padEnd(44)} ${show(rounds - 1)} / ${show(rounds >> 1)} / ${show(0)} rows/s  ${rate} MB/s`);
};

const joined = async (parts: AsyncIterable<Buffer>): Promise<Buffer> => {
  const all: Buffer[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
};

const readCount = async (bytes: Buffer, encoding: string): Promise<number> => {
  let rows = 0;
  for await (const batch of readCsv(chunksOf(bytes), { encoding })) rows += batch.rows.length;
  return rows;
};

const rows = rowsOf(count);
const copyText = Buffer.from(rows.map(encodeCopyLine).join(''));
const csv = await joined(writeCsv(columns, batchesOf(rows)));
const quoted = await joined(writeCsv(columns, batchesOf(rows), { quoting: 'all' }));
const accented = await joined(
  writeCsv(columns, batchesOf(rows.map((row) => row.map((cell, at) => (at === 3 ? `é${cell ?? ''}` : cell))))),
);
console.log(
  `${String(count)} rows × 17 columns, ${String(Math.round(copyText.length / count))} bytes a row; slowest / median / fastest of ${String(rounds)}`,
);

await measure('COPY text: lines → cells', copyText.length, () => {
  const splitter = new CopyLineSplitter();
  let done = 0;
  for (let at = 0; at < copyText.length; at += 65_536) {
    for (const line of splitter.push(copyText.subarray(at, at + 65_536)))
      if (decodeCopyLine(line).length === 17) done += 1;
  }
  return done;
});
await measure('COPY text: cells → bytes (CopyEncoder)', copyText.length, () => {
  const encoder = new CopyEncoder();
  let bytes = 0;
  for (const row of rows) {
    encoder.add(row);
    if (encoder.size > 65_536) bytes += encoder.take().length;
  }
  return bytes + encoder.take().length === copyText.length ? count : 0;
});
await measure('COPY text: cells → lines (encodeCopyLine)', copyText.length, () => {
  let text = '';
  let bytes = 0;
  for (const row of rows) {
    text += encodeCopyLine(row);
    if (text.length > 65_536) {
      bytes += Buffer.from(text).length;
      text = '';
    }
  }
  return bytes + text.length === copyText.length ? count : 0;
});
await measure('CSV: read utf-8', csv.length, () => readCount(csv, 'utf-8'));
await measure('CSV: read utf-8, every row with an accent', accented.length, () => readCount(accented, 'utf-8'));
await measure('CSV: read iso-8859-1', csv.length, () => readCount(csv, 'iso-8859-1'));
await measure('CSV: read utf-8, every value quoted', quoted.length, () => readCount(quoted, 'utf-8'));
await measure('CSV: write utf-8', csv.length, async () =>
  (await joined(writeCsv(columns, batchesOf(rows)))).length === csv.length ? count : 0,
);
await measure('CSV: write utf-8, every value quoted', quoted.length, async () =>
  (await joined(writeCsv(columns, batchesOf(rows), { quoting: 'all' }))).length === quoted.length ? count : 0,
);
const lines = copyText.toString().split('\n').slice(0, -1);
await measure(
  'hash128 of a COPY line',
  copyText.length,
  () => lines.filter((line) => hash128(line).length === 36).length,
);
await measure('set digest of COPY lines', copyText.length, () => {
  const digest = createSetDigest();
  for (const line of lines) digest.add(sha256Hex(line));
  return digest.hex().length === 32 ? lines.length : 0;
});
