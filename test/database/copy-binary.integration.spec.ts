import fc from 'fast-check';
import pg from 'pg';
import { copyIn } from '../../platform/copy.js';
import { BinaryRows } from '../../platform/copy-binary.js';
import { BinarySink } from '../../platform/copy-sink.js';
import { hash128, sha256Octets } from '../../platform/hash.js';
import { createDatabase } from '../harness/database.js';

const text = fc.oneof(
  fc.string({ unit: 'binary' }).map((any) => any.replaceAll('\u0000', '')),
  fc.constantFrom('', '\\N', 'NULL', '{"a"}', 'a\tb\n', 'Wiśniewska 😀', 'x'.repeat(60), `${'y'.repeat(47)}😀`),
);
const list = fc.array(fc.option(text), { maxLength: 4 });
const row = fc.record({
  number: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  long: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
  truth: fc.boolean(),
  letter: fc.constantFrom('u', 'd'),
  hashed: text,
  words: fc.option(text),
  list: fc.option(list),
});
type Row = typeof row extends fc.Arbitrary<infer Value> ? Value : never;

const addRow = (bytes: BinaryRows, { number, long, truth, letter, hashed, words, list }: Row): void => {
  bytes.beginRow(8);
  bytes.addInteger(number);
  bytes.addDigits(Buffer.from(`-${long}`), 1, 1 + long.length);
  bytes.addBoolean(truth);
  bytes.addLetter(letter);
  bytes.addUuid(hash128(hashed));
  bytes.addUuidOctets(sha256Octets(hashed));
  bytes.addText(words);
  if (list === null) bytes.addNull();
  else bytes.addList(list);
};

describe('binary rows', () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let client: pg.Client;

  beforeAll(async () => {
    database = await createDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(
      'create temp table told (number integer, long bigint, truth boolean, letter "char", hash uuid, same uuid, words text, list text[], place integer generated always as identity)',
    );
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  const copy = 'copy told (number, long, truth, letter, hash, same, words, list) from stdin (format binary)';
  const stored = async (): Promise<unknown[]> => {
    const { rows } = await client.query<Record<string, unknown>>(
      'select number, long, truth, letter, hash, same, words, list from told order by place',
    );
    await client.query('truncate told');
    return rows;
  };
  // PostgreSQL says of half a pair what Node writes of it.
  const written = (said: string | null): string | null => (said === null ? null : Buffer.from(said).toString());
  const expected = (rows: readonly Row[]): unknown[] =>
    rows.map(({ hashed, words, list, ...rest }) => ({
      ...rest,
      ...{ hash: hash128(hashed), same: hash128(hashed) },
      ...{ words: written(words), list: list?.map(written) ?? null },
    }));

  it('say to PostgreSQL what was added to them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 6 }), async (rows) => {
        // Memory of which the first row needs more.
        const bytes = new BinaryRows(Buffer.alloc(16));
        bytes.begin();
        for (const one of rows) addRow(bytes, one);
        bytes.finish();
        async function* source(): AsyncGenerator<Buffer, void, undefined> {
          yield await Promise.resolve(bytes.take());
        }
        expect(await copyIn(client, copy, source())).toBe(rows.length);
        expect(await stored()).toEqual(expected(rows));
      }),
      { numRuns: 100 },
    );
  });

  it('are sent while more of them are added', async () => {
    const rows = fc.sample(row, { numRuns: 4_000, seed: 7 });
    const sink = new BinarySink(client, copy);
    for (const one of rows) {
      addRow(sink.bytes, one);
      const wait = sink.endRow();
      if (wait !== null) await wait;
    }
    await sink.finish();
    expect(sink.rows).toBe(rows.length);
    const there = await stored();
    expect(there).toHaveLength(rows.length);
    expect(there).toEqual(expected(rows));
  });
});
