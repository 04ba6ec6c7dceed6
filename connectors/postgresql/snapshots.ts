import type { PoolClient } from 'pg';
import type { RawRow } from '../../domain/rows.js';
import { SyncError } from '../../domain/errors.js';
import { decodeCopyLine } from '../../platform/copy-text.js';
import { copyOut, copyOutBytes } from '../../platform/copy.js';
import type { CopyTextBatch, Partition, RawBatch, ReadRequest, SnapshotReader } from '../capabilities.js';
import { readBound, readCursor, writeCursor } from './cursor.js';
import type { ReadCursor } from './cursor.js';
import { compareKey, keyOrder, textOf } from './expressions.js';
import { planKeyRanges } from './partitions.js';
import { RangeSettings } from './range-settings.js';
import { planRead, watermarkConditions, whereOf } from './read-plan.js';
import type { ReadPlan } from './read-plan.js';
import type { PostgresSessions } from './sessions.js';

/** Few enough that most of a batch is garbage before the collector comes by: it copies what it finds alive. */
const batchRows = 1_000;

export const createSnapshotReader = (sessions: PostgresSessions): SnapshotReader => ({
  async planPartitions(request: ReadRequest, wanted: number): Promise<Partition[]> {
    return await sessions.transaction('source', `planning "${request.entity}"`, async (client) => {
      const plan = await planRead(client, sessions.defaultSchema, request);
      return await planKeyRanges(client, plan, wanted);
    });
  },

  readPartition(request, partition, after, signal): AsyncIterable<RawBatch> {
    return sessions.stream(`reading "${request.entity}"`, (client) =>
      readRange(client, sessions.defaultSchema, request, partition, after, signal),
    );
  },

  readCopyText(request, partition, after, signal): AsyncIterable<CopyTextBatch> {
    return sessions.stream(`reading "${request.entity}"`, (client) =>
      readCopyText(client, sessions.defaultSchema, request, partition, after, signal),
    );
  },
});

/** @throws SyncError source_schema_changed where the source no longer keeps its keys apart */
const planUnique = async (
  client: PoolClient,
  defaultSchema: string,
  request: ReadRequest,
  partition: Partition,
  cursor: { readonly key: readonly string[] } | null,
): Promise<{ plan: ReadPlan; sql: string; settings: RangeSettings }> => {
  const plan = await planRead(client, defaultSchema, request);
  if (!plan.keyIsUnique)
    throw new SyncError('source_schema_changed', `"${request.entity}" has no unique key of its own any more`);
  const settings = new RangeSettings();
  return { plan, sql: keyedSql(plan, partition, cursor, settings), settings };
};

const newline = 0x0a;

async function* readCopyText(
  client: PoolClient,
  defaultSchema: string,
  request: ReadRequest,
  partition: Partition,
  after: string | null,
  signal: AbortSignal,
): AsyncGenerator<CopyTextBatch, void, undefined> {
  const told = after === null ? null : readCursor(after);
  const cursor = told !== null && 'key' in told ? told : null;
  const { plan, sql, settings } = await planUnique(client, defaultSchema, request, partition, cursor);
  await settings.apply(client);
  for await (const text of copyOutBytes(client, `copy (${sql}) to stdout`, { signal })) {
    const cursorAt = (end: number): string => {
      const start = end < 2 ? 0 : text.lastIndexOf(newline, end - 2) + 1;
      const line = decodeCopyLine(text.toString('utf8', start, end - 1));
      return writeCursor({ key: plan.keyPlaces.map((place) => line[place] ?? ''), seen: 1 });
    };
    yield { text, cursor: cursorAt(text.length), cursorAt };
  }
}

async function* readRange(
  client: PoolClient,
  defaultSchema: string,
  request: ReadRequest,
  partition: Partition,
  after: string | null,
  signal: AbortSignal,
): AsyncGenerator<RawBatch, void, undefined> {
  signal.throwIfAborted();
  const plan = await planRead(client, defaultSchema, request);
  const cursor = after === null ? null : readCursor(after);
  if (cursor === null || 'key' in cursor) yield* readKeyed(client, plan, partition, cursor, signal);
  // Rows without a whole key are in no range; the last partition has them, so that they are told once.
  if (partition.to === null && plan.key.some((column) => column.nullable)) {
    yield* readWithoutKey(client, plan, cursor !== null && 'withoutKey' in cursor ? cursor.withoutKey : 0, signal);
  }
}

async function* readKeyed(
  client: PoolClient,
  plan: ReadPlan,
  partition: Partition,
  cursor: { readonly key: readonly string[]; readonly seen: number } | null,
  signal: AbortSignal,
): AsyncGenerator<RawBatch, void, undefined> {
  const settings = new RangeSettings();
  const sql = keyedSql(plan, partition, cursor, settings);
  await settings.apply(client);
  const position = new KeyPosition(plan, cursor);
  for await (const rows of batched(copyOut(client, `copy (${sql}) to stdout`, { signal }))) {
    const fresh = position.pass(rows);
    if (fresh.length > 0) yield { rows: fresh, rejected: [], cursor: writeCursor(position.cursor()) };
  }
}

const keyedSql = (
  plan: ReadPlan,
  partition: Partition,
  cursor: { readonly key: readonly string[] } | null,
  settings: RangeSettings,
): string => {
  const conditions = watermarkConditions(plan, settings);
  const bound = (sign: '>' | '>=' | '<', values: readonly string[]): number =>
    conditions.push(
      compareKey(
        plan.key,
        sign,
        values.map((value) => settings.add(value)),
      ),
    );
  if (cursor !== null) bound(plan.keyIsUnique ? '>' : '>=', cursor.key);
  else if (partition.from !== null) bound('>=', readBound(partition.from));
  if (partition.to !== null) bound('<', readBound(partition.to));
  for (const column of plan.key) if (column.nullable) conditions.push(`${column.sql} is not null`);
  // Rows with the same key come in one order always, or a retry could not tell which of them it has told.
  const ties = plan.keyIsUnique ? [] : plan.columns.map((column) => `${textOf(column, column.sql)} collate "C"`);
  const order = [...plan.key.map((column) => keyOrder(column)), ...ties].join(', ');
  return `select ${namesOf(plan)} from ${plan.relation.sql}${whereOf(conditions)} order by ${order}`;
};

const namesOf = (plan: ReadPlan): string => plan.columns.map((column) => column.sql).join(', ');

/** Keeps the last key and how many rows had it, and leaves out the rows that an earlier attempt has told. */
class KeyPosition {
  private key: readonly string[];
  private seen: number;
  private toSkip: number;

  constructor(
    private readonly plan: ReadPlan,
    cursor: { readonly key: readonly string[]; readonly seen: number } | null,
  ) {
    this.key = cursor?.key ?? [];
    this.seen = cursor?.seen ?? 0;
    this.toSkip = plan.keyIsUnique ? 0 : this.seen;
    if (this.toSkip > 0) this.seen = 0;
  }

  pass(rows: readonly RawRow[]): readonly RawRow[] {
    if (this.plan.keyIsUnique) {
      const last = rows.at(-1);
      if (last !== undefined) this.key = this.keyIn(last);
      this.seen = 1;
      return rows;
    }
    return rows.filter((row) => this.isFresh(row));
  }

  cursor(): ReadCursor {
    return { key: this.key, seen: this.seen };
  }

  private isFresh(row: RawRow): boolean {
    const key = this.keyIn(row);
    const isSame = key.every((text, index) => text === this.key[index]);
    if (!isSame) this.toSkip = 0;
    this.key = key;
    this.seen = isSame ? this.seen + 1 : 1;
    if (this.toSkip === 0) return true;
    this.toSkip -= 1;
    return false;
  }

  private keyIn(row: RawRow): string[] {
    return this.plan.keyPlaces.map((place) => row[place] ?? '');
  }
}

async function* readWithoutKey(
  client: PoolClient,
  plan: ReadPlan,
  told: number,
  signal: AbortSignal,
): AsyncGenerator<RawBatch, void, undefined> {
  const settings = new RangeSettings();
  const missing = plan.key.map((column) => `${column.sql} is null`).join(' or ');
  const where = whereOf([...watermarkConditions(plan, settings), `(${missing})`]);
  const order = plan.columns.map((column) => `${textOf(column, column.sql)} collate "C"`).join(', ');
  const offset = settings.add(String(told));
  await settings.apply(client);
  const sql = `select ${namesOf(plan)} from ${plan.relation.sql}${where} order by ${order} offset ${offset}::bigint`;
  let count = told;
  for await (const rows of batched(copyOut(client, `copy (${sql}) to stdout`, { signal }))) {
    count += rows.length;
    yield { rows, rejected: [], cursor: writeCursor({ withoutKey: count }) };
  }
}

/** Some hundred rows come with each read of the socket; a batch is some thousand, cut at the same rows every time. */
async function* batched(reads: AsyncIterable<RawRow[]>): AsyncGenerator<RawRow[], void, undefined> {
  let batch: RawRow[] = [];
  for await (const rows of reads) {
    for (const row of rows) {
      batch.push(row);
      if (batch.length < batchRows) continue;
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
