/** What every connector with a capability has to do. A connector's own test file gives the worlds and adds what is its alone. */
import type {
  Catalogue,
  CopyTarget,
  Partition,
  RawBatch,
  ReadRequest,
  RowTarget,
  RowWrite,
  SnapshotReader,
  TargetEntity,
  WholeFileTarget,
} from '../../connectors/capabilities.js';
import type { RawRow } from '../../domain/rows.js';
import { keyOf } from '../../domain/rows.js';
import { decodeCopyLine, encodeCopyLine } from '../../platform/copy-text.js';

export interface SourceWorld {
  readonly reader: SnapshotReader & Catalogue;
  readonly request: ReadRequest;
  /** All rows, in the order of the reader. */
  readonly expected: readonly RawRow[];
  /** Rows that are set aside. */
  readonly aside: number;
}

const never = new AbortController().signal;

const batchesOf = async (batches: AsyncIterable<RawBatch>): Promise<RawBatch[]> => {
  const all: RawBatch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
};

const rowsOf = (batches: readonly RawBatch[]): RawRow[] => batches.flatMap(({ rows }) => [...rows]);

const readPartitions = async (
  { reader, request }: SourceWorld,
  partitions: readonly Partition[],
): Promise<RawBatch[]> => {
  const all: RawBatch[] = [];
  for (const partition of partitions)
    all.push(...(await batchesOf(reader.readPartition(request, partition, null, never))));
  return all;
};

/** SnapshotReader and Catalogue. */
export const describeSource = (name: string, worldOf: () => SourceWorld): void => {
  describe(`${name} as a source`, () => {
    it('tells its columns', async () => {
      const { reader, request } = worldOf();
      const shape = await reader.describeEntity(request.entity);
      expect(shape.columns.map((column) => column.name)).toEqual(expect.arrayContaining([...request.columns]));
      expect(await reader.discoverEntities()).toContainEqual(shape);
    });

    it.each([1, 2, 7])('covers every row exactly once in %i partitions', async (wanted) => {
      const world = worldOf();
      const partitions = await world.reader.planPartitions(world.request, wanted);
      expect(partitions.length).toBeLessThanOrEqual(wanted);
      expect(partitions.map(({ ordinal }) => ordinal)).toEqual(partitions.map((_, index) => index));
      expect(partitions[0]?.from).toBeNull();
      expect(partitions.at(-1)?.to).toBeNull();
      expect(partitions.slice(1).map(({ from }) => from)).toEqual(partitions.slice(0, -1).map(({ to }) => to));
      const batches = await readPartitions(world, partitions);
      expect(rowsOf(batches)).toEqual(world.expected);
      expect(batches.reduce((sum, { rejected }) => sum + rejected.length, 0)).toBe(world.aside);
    });

    it('gives the same rows when it is read twice', async () => {
      const world = worldOf();
      const partitions = await world.reader.planPartitions(world.request, 3);
      expect(await world.reader.planPartitions(world.request, 3)).toEqual(partitions);
      expect(await readPartitions(world, partitions)).toEqual(await readPartitions(world, partitions));
    });

    it('gives the rest from every cursor', async () => {
      const { reader, request, aside, expected } = worldOf();
      for (const partition of await reader.planPartitions(request, 2)) {
        const batches = await batchesOf(reader.readPartition(request, partition, null, never));
        for (const [index, { cursor }] of batches.entries()) {
          const rest = await batchesOf(reader.readPartition(request, partition, cursor, never));
          expect(rowsOf(rest)).toEqual(rowsOf(batches.slice(index + 1)));
        }
      }
      expect(expected.length + aside).toBeGreaterThan(5_000);
    });

    it('reads the columns that are asked for, in their order', async () => {
      const world = worldOf();
      const columns = [...world.request.columns].reverse();
      const request = { ...world.request, columns };
      const batches = await readPartitions({ ...world, request }, await world.reader.planPartitions(request, 1));
      expect(rowsOf(batches).slice(0, 50)).toEqual(world.expected.slice(0, 50).map((row) => [...row].reverse()));
    });

    it('ends with the reason of its signal, before and while reading', async () => {
      const { reader, request } = worldOf();
      const [partition] = await reader.planPartitions(request, 1);
      if (partition === undefined) throw new Error('no partition');
      const reason = new Error('stopped by the test');
      await expect(batchesOf(reader.readPartition(request, partition, null, AbortSignal.abort(reason)))).rejects.toBe(
        reason,
      );
      const controller = new AbortController();
      const reading = (async () => {
        for await (const _batch of reader.readPartition(request, partition, null, controller.signal))
          controller.abort(reason);
      })();
      await expect(reading).rejects.toBe(reason);
      // The connector is as good as before.
      expect((await reader.describeEntity(request.entity)).entity).toBe(request.entity);
    });

    it('may be left in the middle', async () => {
      const { reader, request } = worldOf();
      const [partition] = await reader.planPartitions(request, 1);
      if (partition === undefined) throw new Error('no partition');
      for (let times = 0; times < 10; times += 1) {
        for await (const batch of reader.readPartition(request, partition, null, never)) {
          expect(batch.rows.length).toBeGreaterThan(0);
          break;
        }
      }
    });

    it('says that its schema changed where a column or all is gone', async () => {
      const { reader, request } = worldOf();
      const changed = { code: 'source_schema_changed', actor: 'secretary' };
      await expect(reader.describeEntity('no_such_thing')).rejects.toMatchObject(changed);
      const renamed = { ...request, columns: [...request.columns, 'renamed'] };
      const read = async (): Promise<unknown> => {
        const [partition] = await reader.planPartitions(renamed, 1);
        return partition === undefined ? null : await batchesOf(reader.readPartition(renamed, partition, null, never));
      };
      await expect(read()).rejects.toMatchObject(changed);
      await expect(read()).rejects.toThrow('renamed');
    });
  });
};

export interface RowTargetWorld {
  readonly rows: RowTarget;
  /** Columns: id (key), name, and one in which `refused` may not stand. */
  readonly target: TargetEntity;
  readonly row: (id: number, name: string) => RawRow;
  readonly refused: (id: number) => RawRow;
  /** What stands in the target, in key order, read by other means. */
  readonly standing: () => Promise<RawRow[]>;
  readonly reset: () => Promise<void>;
}

/** RowTarget. */
export const describeRowTarget = (name: string, worldOf: () => RowTargetWorld): void => {
  describe(`${name} as a target of rows`, () => {
    const key = (id: number): RawRow => [String(id)];
    const insert = (world: RowTargetWorld, id: number): RowWrite => ({
      key: key(id),
      before: null,
      after: world.row(id, 'one'),
    });
    const statuses = async (world: RowTargetWorld, writes: readonly RowWrite[]): Promise<string[]> =>
      (await world.rows.writeRows(world.target, writes)).map(({ status }) => status);

    beforeEach(() => worldOf().reset());

    it('writes what is as expected; the same again is already there', async () => {
      const world = worldOf();
      const inserts = [1, 2, 3].map((id) => insert(world, id));
      expect(await statuses(world, inserts)).toEqual(['written', 'written', 'written']);
      expect(await statuses(world, inserts)).toEqual(['already', 'already', 'already']);
      const changes: RowWrite[] = [
        { key: key(1), before: world.row(1, 'one'), after: world.row(1, 'two') },
        { key: key(2), before: world.row(2, 'one'), after: null },
        insert(world, 4),
      ];
      expect(await statuses(world, changes)).toEqual(['written', 'written', 'written']);
      expect(await statuses(world, changes)).toEqual(['already', 'already', 'already']);
      expect(await world.standing()).toEqual([world.row(1, 'two'), world.row(3, 'one'), world.row(4, 'one')]);
    });

    it('leaves a row alone that is not as expected, and tells what it is', async () => {
      const world = worldOf();
      await world.rows.writeRows(
        world.target,
        [1, 2, 3].map((id) => insert(world, id)),
      );
      const outcomes = await world.rows.writeRows(world.target, [
        { key: key(1), before: world.row(1, 'other'), after: world.row(1, 'two') },
        { key: key(2), before: world.row(2, 'other'), after: null },
        { key: key(3), before: null, after: world.row(3, 'two') },
        { key: key(9), before: world.row(9, 'one'), after: world.row(9, 'two') },
        { key: key(8), before: world.row(8, 'one'), after: null },
      ]);
      expect(outcomes).toEqual([
        { status: 'origin_differs', actual: world.row(1, 'one') },
        { status: 'origin_differs', actual: world.row(2, 'one') },
        { status: 'origin_differs', actual: world.row(3, 'one') },
        { status: 'origin_differs', actual: null },
        { status: 'already' },
      ]);
      expect(await world.standing()).toEqual([1, 2, 3].map((id) => world.row(id, 'one')));
    });

    it('refuses a row alone, and says why without its values', async () => {
      const world = worldOf();
      const writes = Array.from({ length: 300 }, (_, id): RowWrite =>
        id % 100 === 57 ? { key: key(id), before: null, after: world.refused(id) } : insert(world, id),
      );
      const outcomes = await world.rows.writeRows(world.target, writes);
      const refused = outcomes.flatMap((outcome, id) =>
        outcome.status === 'refused' ? [{ id, reason: outcome.reason }] : [],
      );
      expect(refused.map(({ id }) => id)).toEqual([57, 157, 257]);
      expect(outcomes.filter(({ status }) => status === 'written')).toHaveLength(297);
      for (const { id, reason } of refused) {
        expect(reason).not.toBe('');
        for (const cell of world.refused(id)) if (cell !== null && cell.length > 2) expect(reason).not.toContain(cell);
      }
      expect(await world.standing()).toHaveLength(297);
    });

    it('lets several writes of one key follow one another', async () => {
      const world = worldOf();
      const writes: RowWrite[] = [
        insert(world, 1),
        { key: key(1), before: world.row(1, 'one'), after: world.row(1, 'two') },
        { key: key(1), before: world.row(1, 'two'), after: null },
      ];
      expect(await statuses(world, writes)).toEqual(['written', 'written', 'written']);
      expect(await world.standing()).toEqual([]);
    });

    it('reads the rows that are there, by key', async () => {
      const world = worldOf();
      await world.rows.writeRows(
        world.target,
        [1, 2].map((id) => insert(world, id)),
      );
      const found = await world.rows.readRows(world.target, [key(2), key(7), key(1)]);
      expect(found).toEqual(new Map([1, 2].map((id) => [keyOf(key(id)), world.row(id, 'one')])));
    });

    it('inserts in bulk all or nothing', async () => {
      const world = worldOf();
      const batches = async function* (ids: readonly number[]): AsyncGenerator<RawRow[]> {
        for (let at = 0; at < ids.length; at += 1_000)
          yield ids.slice(at, at + 1_000).map((id) => world.row(id, 'one'));
      };
      const first = Array.from({ length: 3_000 }, (_, id) => id);
      expect(await world.rows.insertRows(world.target, batches(first))).toBe(3_000);
      const overlapping = Array.from({ length: 3_000 }, (_, id) => id + 2_999);
      await expect(world.rows.insertRows(world.target, batches(overlapping))).rejects.toMatchObject({
        code: 'target_row_exists',
      });
      expect(await world.standing()).toHaveLength(3_000);
      const broken = async function* (): AsyncGenerator<RawRow[]> {
        yield [world.row(5_000, 'one')];
        throw new Error('the source broke');
      };
      await expect(world.rows.insertRows(world.target, broken())).rejects.toThrow('the source broke');
      expect(await world.standing()).toHaveLength(3_000);
    });

    it('digests a range by its content, whatever the order of writing', async () => {
      const world = worldOf();
      const ids = Array.from({ length: 50 }, (_, id) => id + 10);
      await world.rows.writeRows(
        world.target,
        ids.map((id) => insert(world, id)),
      );
      const whole = await world.rows.digestRange(world.target, null, null);
      const part = await world.rows.digestRange(world.target, key(20), key(30));
      expect([whole.count, part.count]).toEqual([50, 10]);
      await world.reset();
      await world.rows.writeRows(
        world.target,
        [...ids].reverse().map((id) => insert(world, id)),
      );
      expect(await world.rows.digestRange(world.target, null, null)).toEqual(whole);
      await world.rows.writeRows(world.target, [
        { key: key(25), before: world.row(25, 'one'), after: world.row(25, 'two') },
      ]);
      expect((await world.rows.digestRange(world.target, key(20), key(30))).digest).not.toBe(part.digest);
      expect((await world.rows.digestRange(world.target, key(30), null)).count).toBe(30);
    });

    it('says that its schema changed', async () => {
      const { rows, target } = worldOf();
      const changed = { code: 'target_schema_changed' };
      await expect(rows.readRows({ ...target, entity: 'no_such_thing' }, [key(1)])).rejects.toMatchObject(changed);
      await expect(
        rows.readRows({ ...target, columns: [...target.columns, 'renamed'] }, [key(1)]),
      ).rejects.toMatchObject(changed);
    });
  });
};

export interface CopyTargetWorld extends RowTargetWorld {
  readonly copy: CopyTarget;
}

/** COPY text of rows, in pieces. */
export async function* copyText(rows: readonly RawRow[]): AsyncGenerator<Buffer> {
  for (let at = 0; at < rows.length; at += 100)
    yield await Promise.resolve(
      Buffer.from(
        rows
          .slice(at, at + 100)
          .map((row) => encodeCopyLine([...row]))
          .join(''),
      ),
    );
}

export const rowsOfText = (text: readonly Buffer[]): RawRow[] =>
  Buffer.concat(text)
    .toString('utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => decodeCopyLine(line));

/** CopyTarget, of rows that are there. */
export const describeTextChanges = (name: string, worldOf: () => CopyTargetWorld): void => {
  describe(`${name} as a target of changes as text`, () => {
    const count = 500;
    const ids = Array.from({ length: count }, (_, id) => id);
    /** In another order than that of the keys. */
    const mixed = ids.map((id) => (id * 7) % count);
    const odd = 'tab\t"quote"\nline\\ Łódź';
    const filled = async (): Promise<CopyTargetWorld> => {
      const world = worldOf();
      await world.reset();
      await world.copy.insertText(world.target, copyText(ids.map((id) => world.row(id, 'one'))));
      return world;
    };
    const changed = (world: CopyTargetWorld, order = mixed): RawRow[] =>
      order.map((id) => world.row(id, `${odd} ${String(id)}`));
    const yes = (): Promise<boolean> => Promise.resolve(true);

    it('shows the rows that stand, in the order of the text, and then changes them', async () => {
      const world = await filled();
      let shown: RawRow[] = [];
      const now = await world.copy.changeText(world.target, copyText(changed(world)), async (standing) => {
        shown = rowsOfText(standing);
        expect(await world.standing()).toEqual(ids.map((id) => world.row(id, 'one')));
        return true;
      });
      expect(shown).toEqual(mixed.map((id) => world.row(id, 'one')));
      expect(rowsOfText(now ?? [])).toEqual(changed(world));
      expect(await world.standing()).toEqual(changed(world, ids));
    });

    it('changes nothing where it is told so, a row is not there or refused, or the text or the intent breaks off', async () => {
      const world = await filled();
      const { copy, target } = world;
      expect(await copy.changeText(target, copyText(changed(world)), () => Promise.resolve(false))).toBeNull();
      let shown = 0;
      const one = [...changed(world).slice(0, 3), world.row(9_999, 'absent')];
      expect(
        await copy.changeText(target, copyText(one), async (standing) => {
          shown = rowsOfText(standing).length;
          return await yes();
        }),
      ).toBeNull();
      expect(shown).toBe(3);
      expect(await copy.changeText(target, copyText([...changed(world), world.refused(3)]), yes)).toBeNull();
      const breaking = copy.changeText(target, copyText(changed(world)), () => Promise.reject(new Error('no intent')));
      await expect(breaking).rejects.toThrow('no intent');
      const broken = async function* (): AsyncGenerator<Buffer> {
        yield* copyText(changed(world));
        throw new Error('the text broke off');
      };
      await expect(copy.changeText(target, broken(), yes)).rejects.toThrow('the text broke off');
      expect(await world.standing()).toEqual(ids.map((id) => world.row(id, 'one')));
      expect(await copy.changeText(target, copyText([]), yes)).toEqual([]);
    });

    it('changes nothing where one of the rows was changed or removed after it was shown', async () => {
      const world = await filled();
      const { copy, rows, target } = world;
      const key = ['7'];
      for (const after of [world.row(7, 'theirs'), null]) {
        const [before = null] = [(await rows.readRows(target, [key])).get('7')];
        expect(
          await copy.changeText(target, copyText(changed(world)), async () => {
            expect(await rows.writeRows(target, [{ key, before, after }])).toEqual([{ status: 'written' }]);
            return true;
          }),
        ).toBeNull();
        expect((await rows.readRows(target, [key])).get('7') ?? null).toEqual(after);
      }
      expect(await world.standing()).toEqual(ids.filter((id) => id !== 7).map((id) => world.row(id, 'one')));
    });

    it('reads rows by their keys as they were told when they were changed', async () => {
      const world = await filled();
      const { copy, rows, target } = world;
      const keys = [...mixed.map((id) => [String(id)]), ['9999']];
      const read = async (asked: readonly RawRow[]): Promise<RawRow[]> =>
        rowsOfText((await copy.readText(target, asked)) ?? []).toSorted(
          (one, other) => Number(one[0]) - Number(other[0]),
        );
      expect(await read(keys)).toEqual(ids.map((id) => world.row(id, 'one')));
      const told = rowsOfText((await copy.changeText(target, copyText(changed(world)), yes)) ?? []);
      expect(await read(keys)).toEqual(told.toSorted((one, other) => Number(one[0]) - Number(other[0])));
      const again = await rows.readRows(target, keys);
      expect(await read(keys)).toEqual(ids.map((id) => again.get(String(id))));
      expect(await read([['3'], ['9999']])).toEqual([again.get('3')]);
      expect(await read([])).toEqual([]);
      // Keys are numbers here.
      expect(await copy.readText(target, [['3'], ['no number']])).toBeNull();
    });

    it('says that its schema changed', async () => {
      const { copy, target } = await filled();
      const text = copyText([]);
      await expect(copy.changeText({ ...target, entity: 'no_such_thing' }, text, yes)).rejects.toMatchObject({
        code: 'target_schema_changed',
      });
    });
  });
};

export interface WholeFileWorld {
  readonly file: WholeFileTarget;
  readonly target: TargetEntity;
  readonly row: (id: number) => RawRow;
  /** A row that the file cannot hold. */
  readonly impossible: RawRow;
  /** Somebody else edits the file. */
  readonly edit: () => Promise<void>;
  /** All names in the file's folder. */
  readonly names: () => Promise<string[]>;
  readonly content: () => Promise<string>;
}

/** WholeFileTarget. */
export const describeWholeFile = (name: string, worldOf: () => Promise<WholeFileWorld>): void => {
  describe(`${name} as a whole file`, () => {
    const batches = async function* (world: WholeFileWorld, count: number): AsyncGenerator<RawRow[]> {
      for (let at = 0; at < count; at += 100)
        yield Array.from({ length: Math.min(100, count - at) }, (_, index) => world.row(at + index));
    };
    const readAll = async ({ file, target }: WholeFileWorld): Promise<RawRow[]> => {
      const rows: RawRow[] = [];
      for await (const batch of file.readWhole(target)) rows.push(...batch);
      return rows;
    };

    it('writes, tells its digest, and reads back the same rows in order', async () => {
      const world = await worldOf();
      expect(await world.file.currentDigest(world.target)).toBeNull();
      expect(await readAll(world)).toEqual([]);
      const replaced = await world.file.replaceWhole(world.target, batches(world, 250), null);
      expect(replaced).toEqual({ digest: await world.file.currentDigest(world.target), rows: 250 });
      expect(await readAll(world)).toEqual(Array.from({ length: 250 }, (_, id) => world.row(id)));
      expect(await world.names()).toHaveLength(1);
    });

    it('writes the same bytes for the same rows', async () => {
      const world = await worldOf();
      await world.file.replaceWhole(world.target, batches(world, 30), null);
      const digest = await world.file.currentDigest(world.target);
      expect(await world.file.replaceWhole(world.target, batches(world, 30), digest)).toEqual({ digest, rows: 30 });
    });

    it('refuses to swap where the file is not what was expected', async () => {
      const world = await worldOf();
      await world.file.replaceWhole(world.target, batches(world, 3), null);
      const ours = await world.file.currentDigest(world.target);
      expect(await world.file.replaceWhole(world.target, batches(world, 4), null)).toEqual({ differs: ours });
      await world.edit();
      const edited = await world.content();
      expect(await world.file.replaceWhole(world.target, batches(world, 4), ours)).toEqual({
        differs: await world.file.currentDigest(world.target),
      });
      expect(await world.content()).toBe(edited);
      expect(await world.names()).toHaveLength(1);
    });

    it('shows the old file or the new one, whole, to whoever reads meanwhile', async () => {
      const world = await worldOf();
      await world.file.replaceWhole(world.target, batches(world, 2_000), null);
      const before = await world.content();
      const seen = new Set<string>([before]);
      const slow = async function* (): AsyncGenerator<RawRow[]> {
        for await (const batch of batches(world, 3_000)) {
          seen.add(await world.content());
          yield batch;
        }
      };
      await world.file.replaceWhole(world.target, slow(), await world.file.currentDigest(world.target));
      expect(seen).toEqual(new Set([before]));
      expect(await readAll(world)).toHaveLength(3_000);
    });

    it('leaves the file alone and no rubbish where a row cannot be written or the rows break off', async () => {
      const world = await worldOf();
      await world.file.replaceWhole(world.target, batches(world, 3), null);
      const digest = await world.file.currentDigest(world.target);
      const withImpossible = async function* (): AsyncGenerator<RawRow[]> {
        yield [world.row(1), world.impossible];
      };
      await expect(world.file.replaceWhole(world.target, withImpossible(), digest)).rejects.toMatchObject({
        code: 'configuration_invalid',
      });
      const broken = async function* (): AsyncGenerator<RawRow[]> {
        yield [world.row(1)];
        throw new Error('the rows broke off');
      };
      await expect(world.file.replaceWhole(world.target, broken(), digest)).rejects.toThrow('the rows broke off');
      expect(await world.file.currentDigest(world.target)).toBe(digest);
      expect(await world.names()).toHaveLength(1);
    });
  });
};
