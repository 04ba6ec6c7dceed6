import fc from 'fast-check';
import { readPosted, type PostedChunk } from '../../activities/post-reading.js';
import type { CopyTextBatch, RawBatch } from '../../connectors/capabilities.js';
import type { AttributeDefinition } from '../../domain/entity-type.js';
import type { MappingDefinition, SourceMapping, TargetMapping } from '../../domain/mapping-definition.js';
import { compileSource } from '../../domain/mapping.js';
import { compilePosting, type CompiledPosting } from '../../domain/posting.js';
import { compileTarget } from '../../domain/projection.js';
import type { Cell, RawRow } from '../../domain/rows.js';
import { decodeCopyLine, encodeCopyLine } from '../../platform/copy-text.js';
import { paymentOf, purposes } from '../domain/payments.js';

const attributes: readonly AttributeDefinition[] = [
  { name: 'number', type: 'text' },
  { name: 'payer', type: 'text' },
  { name: 'amount', type: 'decimal' },
  { name: 'fee', type: 'decimal' },
  { name: 'booked_on', type: 'date' },
  { name: 'due_on', type: 'date' },
  { name: 'entered_at', type: 'timestamp' },
  { name: 'settled', type: 'boolean' },
  { name: 'purpose', type: 'code', codeTable: 'purposes' },
  { name: 'channel', type: 'code' },
  { name: 'note', type: 'text' },
  { name: 'full_name', type: 'text' },
  { name: 'unsaid', type: 'text' },
];

const payment = paymentOf(attributes);

const columns = [
  ...['no', 'payer', 'amount', 'fee', 'booked', 'due', 'entered', 'settled', 'purpose', 'channel', 'note', 'first'],
  'last',
];

const sourceOf = (more: Partial<SourceMapping> = {}): MappingDefinition => ({
  name: 'bursar.payments',
  system: 'bursar',
  entity: 'payments',
  source: {
    columns,
    key: ['no'],
    records: [
      {
        entityType: 'payment',
        groups: {
          number: { from: 'no' },
          payer: { from: 'payer', steps: [{ use: 'trim' }] },
          amount: { from: 'amount' },
          fee: { from: 'fee', steps: [{ use: 'decimal' }] },
          booked_on: { from: 'booked' },
          due_on: { from: 'due' },
          entered_at: { from: 'entered' },
          settled: { from: 'settled' },
          purpose: { from: 'purpose' },
          channel: { from: 'channel' },
          note: { from: 'note', blank: 'empty' },
          full_name: { fromAll: ['first', 'last'] },
        },
      },
    ],
    rules: [
      { name: 'fee_in_range', field: 'fee', check: 'range', min: '-500', max: '1000.50', severity: 'reject' },
      { name: 'booked_given', field: 'booked', check: 'required', severity: 'warn' },
      { name: 'booked_late', field: 'booked', check: 'range', min: '2001-01-31', severity: 'blank_and_warn' },
      { name: 'note_fits', field: 'note', check: 'length', min: 2, max: 8, severity: 'blank_and_warn' },
      { name: 'channel_known', field: 'channel', check: 'in_set', values: ['web', 'desk'], severity: 'reject' },
      { name: 'payer_form', field: 'payer', check: 'pattern', pattern: '[^0-9]*', severity: 'warn' },
      { name: 'due_is_date', field: 'due', check: 'type', type: 'date', severity: 'warn' },
      { name: 'amount_is_number', field: 'amount', check: 'type', type: 'decimal', severity: 'warn' },
    ],
    ...more,
  },
});

const targetOf = (more: Partial<TargetMapping> = {}): MappingDefinition => ({
  name: 'archive.entries',
  system: 'archive',
  entity: 'entries',
  target: {
    root: 'payment',
    key: [{ column: 'number', from: 'number' }],
    columns: [
      { column: 'payer', from: 'payer' },
      { column: 'amount', from: 'amount' },
      { column: 'fee', from: 'fee', steps: [{ use: 'decimal', scale: 2 }] },
      { column: 'booked_on', from: 'booked_on' },
      { column: 'entered_at', from: 'entered_at' },
      { column: 'settled', from: 'settled' },
      { column: 'purpose', from: 'purpose' },
      { column: 'channel', from: 'channel', maxLength: 4 },
      { column: 'note', from: 'note' },
      { column: 'called', firstOf: ['note', 'full_name'], maxLength: 12 },
      { column: 'origin', constant: 'bursar' },
      { column: 'unsaid', from: 'unsaid' },
    ],
    recipientClass: 'internal',
    ...more,
  },
});

const odd = fc.constantFrom<Cell>(
  ...[null, '', ' ', '\ud800', 'a\\b"c', 'é', '🎓', '\t', 'x\u001fy', '\\N', '\u0001', '\u00a0x', 'a\nb', '"'],
);
const cellOf = (...usual: fc.Arbitrary<string>[]): fc.Arbitrary<Cell> =>
  fc.oneof({ weight: 40, arbitrary: fc.oneof(...usual) }, { weight: 1, arbitrary: odd }, fc.string({ maxLength: 3 }));

const decimalText = fc
  .tuple(
    fc.constantFrom('', '', '-', '+'),
    fc.nat({ max: 1_500 }),
    fc.constantFrom('', '.50', '.05', '.5', '.125', '.'),
  )
  .map(([sign, whole, fraction]) => `${sign}${String(whole)}${fraction}`);
const dateText = fc.oneof(
  fc
    .date({ min: new Date('1999-01-01'), max: new Date('2030-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10)),
  fc.constantFrom('2024-02-29', '2023-02-29', '2020-13-01', '2020-1-01'),
);
const timestampText = fc
  .tuple(
    dateText,
    fc.constantFrom(' 10:11:12', ' 10:11:12', ' 23:59:59', ' 24:00:00', ' 10:60:00'),
    fc.constantFrom('+00', '+00', '+02', '.500+00'),
  )
  .map((parts) => parts.join(''));

const rows: fc.Arbitrary<RawRow[]> = fc.array(
  fc.oneof(
    {
      weight: 30,
      arbitrary: fc
        .tuple(
          cellOf(fc.constantFrom('P1', ' P2', 'P 3')),
          cellOf(fc.constantFrom('Zoë', 'Ada', ' Ada ', '', 'Okafor 2')),
          cellOf(decimalText),
          cellOf(decimalText),
          cellOf(dateText),
          cellOf(dateText),
          cellOf(timestampText),
          cellOf(fc.constantFrom('t', 'f', 'yes', 'x')),
          cellOf(fc.constantFrom('T', 'T1', 'H', 'L', 'Z')),
          cellOf(fc.constantFrom('web', 'desk', 'desk', 'telex')),
          cellOf(fc.constantFrom('paid', 'Zürich', '', 'much too long')),
          cellOf(fc.constantFrom('Ada', ' Ada ', '')),
          cellOf(fc.constantFrom('Byron', 'of Lovelace', '')),
        )
        .map((cells): RawRow => cells),
    },
    { weight: 1, arbitrary: fc.array(cellOf(decimalText), { minLength: 1, maxLength: 3 }) },
  ),
  { minLength: 1, maxLength: 12 },
);

const posted = async (
  posting: CompiledPosting,
  targets: number,
  batches: readonly (RawBatch | CopyTextBatch)[],
  chunkRows = 1_000,
): Promise<PostedChunk[]> => {
  const chunks: PostedChunk[] = [];
  const none = new Set<string>();
  const reading = {
    ...{ posting, targets, setRules: [], chunkRows },
    broken: () => Promise.resolve(none),
    alive: () => undefined,
  };
  async function* all(): AsyncGenerator<RawBatch | CopyTextBatch, void, undefined> {
    yield* batches;
  }
  for await (const chunk of readPosted(all(), reading)) chunks.push(chunk);
  return chunks;
};

/** What a chunk is, as texts. */
const told = (chunk: PostedChunk): unknown => ({
  ...chunk,
  targets: chunk.targets.map(
    (rows) =>
      rows && {
        ...{ count: rows.count, first: rows.first, last: rows.last, digest: rows.digest },
        text: Buffer.concat(rows.text).toString('utf8'),
      },
  ),
});

const textBatch = (text: Buffer): CopyTextBatch => ({ text, cursor: 'end', cursorAt: String });

const reversed = targetOf({
  key: [{ column: 'id', from: 'number' }],
  columns: [...(targetOf().target?.columns ?? [])].reverse(),
});
const few = targetOf({
  key: [{ column: 'due', from: 'due_on' }],
  columns: [{ column: 'payer', from: 'payer', maxLength: 3 }],
});

const nothing: Partial<SourceMapping> = {};

test.each([
  ['one target', nothing, [targetOf()]],
  ['three targets', nothing, [targetOf(), reversed, few]],
  ['no rules', { rules: [] }, [targetOf(), few]],
  ['a filter', { filter: { field: 'purpose', in: ['T', 'H', 'Z'] } }, [reversed]],
  ['a key of two columns', { key: ['no', 'channel'] }, [targetOf()]],
] as const)('posts lines of COPY text as it posts their rows (%s)', async (_, more, targets) => {
  const posting = compilePosting(
    compileSource(sourceOf(more), [payment], [purposes]),
    targets.map((target) => compileTarget(target, [payment], [purposes])),
    ...([[payment], [purposes], '2026-10-01'] as const),
  );
  expect(posting.lines).not.toBeNull();
  await fc.assert(
    fc.asyncProperty(rows, async (table) => {
      const lines = table.map((row) => Buffer.from(encodeCopyLine(row)));
      const decoded = lines.map((line) => decodeCopyLine(line.toString('utf8', 0, line.length - 1)));
      const byRow = await posted(posting, targets.length, [{ rows: decoded, rejected: [], cursor: 'end' }]);
      const byText = await posted(posting, targets.length, [textBatch(Buffer.concat(lines))]);
      expect(byText.map(told)).toEqual(byRow.map(told));
    }),
    { numRuns: 400 },
  );
});

test('chunks have the same rows and cursors, however the text comes', async () => {
  const posting = compilePosting(
    compileSource(sourceOf(), [payment], [purposes]),
    [compileTarget(targetOf(), [payment], [purposes])],
    ...([[payment], [purposes], '2026-10-01'] as const),
  );
  await fc.assert(
    fc.asyncProperty(
      rows,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 5 }),
      async (table, size, most) => {
        const lines = table.map((row) => Buffer.from(encodeCopyLine(row)));
        const decoded = lines.map((line) => decodeCopyLine(line.toString('utf8', 0, line.length - 1)));
        const rowBatches = decoded.map((row, index) => ({ rows: [row], rejected: [], cursor: String(index + 1) }));
        const textBatches: CopyTextBatch[] = [];
        for (let at = 0; at < lines.length; at += size) {
          const text = Buffer.concat(lines.slice(at, at + size));
          const cursorAt = (end: number): string =>
            String(at + text.subarray(0, end).filter((byte) => byte === 0x0a).length);
          textBatches.push({ text, cursor: cursorAt(text.length), cursorAt });
        }
        const byRow = await posted(posting, 1, rowBatches, most);
        const byText = await posted(posting, 1, textBatches, most);
        expect(byText.map(told)).toEqual(byRow.map(told));
      },
    ),
    { numRuns: 200 },
  );
});

test('memory of rows that were written goes to others only once they are released', async () => {
  const posting = compilePosting(
    compileSource(sourceOf({ rules: [] }), [payment], [purposes]),
    [compileTarget(targetOf(), [payment], [purposes])],
    ...([[payment], [purposes], '2026-10-01'] as const),
  );
  const lineOf = (key: string): Buffer => Buffer.from(encodeCopyLine([key, ...columns.slice(1).map(() => null)]));
  const chunkOf = async (key: string): Promise<PostedChunk> => {
    const [chunk] = await posted(posting, 1, [textBatch(lineOf(key))]);
    if (chunk === undefined) throw new Error('no chunk');
    return chunk;
  };
  const textOf = ({ targets: [rows] }: PostedChunk): string => Buffer.concat(rows?.text ?? []).toString('utf8');
  const first = await chunkOf('P1');
  const second = await chunkOf('P2');
  expect([textOf(first), textOf(second)].map((text) => text.slice(0, 3))).toEqual(['P1\t', 'P2\t']);
  first.targets[0]?.release();
  first.targets[0]?.release();
  const others = [await chunkOf('P3'), await chunkOf('P4')];
  expect([second, ...others].map((chunk) => textOf(chunk).slice(0, 3))).toEqual(['P2\t', 'P3\t', 'P4\t']);
  expect(textOf(first)).toBe('');
});
