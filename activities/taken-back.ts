import type { PoolClient } from 'pg';
import { keyOf, type RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import type { MappingRef } from './context.js';
import { decodeRows, encodeRows, type TargetRows } from './post-reading.js';
import { addFinding } from './problems.js';
import { hashOfRow } from './projecting.js';

/* Rows of a posted type that a rollback took back. Coming again they are not posted without a word: rows that were taken out are held
   as one question; of entries that an opposite was added to, it is told that they stand taken back. */

interface KeyedRow {
  readonly key: string;
  readonly hash: string;
  readonly row: RawRow;
}

const columnsOf = (rows: readonly KeyedRow[]): readonly [string[], string[]] => [
  rows.map(({ key }) => key),
  rows.map(({ hash }) => hash),
];

/** Remembers rows of a target, by their keys and contents. */
export const rememberTakenBack = async (
  client: PoolClient,
  taken: {
    readonly run: RunRef;
    readonly runId: string;
    readonly mapping: MappingRef;
    readonly rows: readonly (readonly [key: string, row: RawRow])[];
  },
): Promise<void> => {
  const rows = taken.rows.map(([key, row]): KeyedRow => ({ key, row, hash: hashOfRow(row) }));
  await client.query(
    `insert into rolled_back_inputs (mapping_id, source_key, raw_hash, institution_id, run_id, rollback_run_id)
     select $1, k.key, k.hash, $2, $3, $4 from unnest($5::text[], $6::uuid[]) as k (key, hash)
     on conflict (mapping_id, source_key, raw_hash)
       do update set run_id = excluded.run_id, rollback_run_id = excluded.rollback_run_id, discarded = false`,
    [taken.mapping.id, taken.run.institutionId, taken.runId, taken.run.runId, ...columnsOf(rows)],
  );
};

export const hasTakenBack = async (client: PoolClient, mapping: MappingRef): Promise<boolean> => {
  const { rowCount } = await client.query('select 1 from rolled_back_inputs where mapping_id = $1 limit 1', [
    mapping.id,
  ]);
  return (rowCount ?? 0) > 0;
};

/** What is to be posted of a chunk, and what of it was taken back before. */
export interface Divided {
  readonly rest: TargetRows | null;
  readonly again: readonly KeyedRow[];
}

const readAtOnce = 5_000;

/** Divides a chunk into rows that are new to us and rows that were taken back. */
export const divideTakenBack = async (
  client: PoolClient,
  mapping: MappingRef,
  rows: TargetRows,
  keyIn: (row: RawRow) => RawRow,
): Promise<Divided> => {
  const all = [...decodeRows(rows.text)]
    .flat()
    .map((row): KeyedRow => ({ key: keyOf(keyIn(row)) ?? '', row, hash: hashOfRow(row) }));
  const found = new Set<string>();
  for (let at = 0; at < all.length; at += readAtOnce) {
    const known = await client.query<{ at: string }>(
      `select k.key || k.hash as at from unnest($2::text[], $3::uuid[]) as k (key, hash)
       join rolled_back_inputs b on b.mapping_id = $1 and b.source_key = k.key and b.raw_hash = k.hash`,
      [mapping.id, ...columnsOf(all.slice(at, at + readAtOnce))],
    );
    for (const one of known.rows) found.add(one.at);
  }
  if (found.size === 0) return { rest: rows, again: [] };
  const isAgain = ({ key, hash }: KeyedRow): boolean => found.has(`${key}${hash}`);
  const rest = all.filter((one) => !isAgain(one)).map(({ row }) => row);
  return { rest: encodeRows(rest), again: all.filter(isAgain) };
};

/** Holds rows as one question of the job; what a person discarded is left out without another one. The question grows with every
 *  chunk; it is a new version where another run adds to it. */
export const holdTakenBack = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  rows: readonly KeyedRow[],
): Promise<void> => {
  const { rows: asked } = await client.query<{ key: string }>(
    `select k.key from unnest($2::text[], $3::uuid[]) as k (key, hash)
     join rolled_back_inputs b on b.mapping_id = $1 and b.source_key = k.key and b.raw_hash = k.hash and not b.discarded`,
    [mapping.id, ...columnsOf(rows)],
  );
  const wanted = new Set(asked.map(({ key }) => key));
  const held = rows.filter(({ key }) => wanted.has(key));
  if (held.length === 0) return;
  const id = (await openQuestion(client, run, mapping)) ?? (await ask(client, run, mapping));
  const { rowCount } = await client.query(
    `insert into held_rows (held_id, mapping_id, source_key, operation, institution_id, raw, raw_hash)
     select $1, $2, k.key, 'insert', $3, k.raw, k.hash from unnest($4::text[], $5::uuid[], $6::text[]) as k (key, hash, raw)
     on conflict do nothing`,
    [id, mapping.id, run.institutionId, ...columnsOf(held), held.map(({ row }) => JSON.stringify(row))],
  );
  if ((rowCount ?? 0) === 0) return;
  await client.query(
    `update held_changes h set version = h.version + (h.run_id <> $2)::integer, run_id = $2, row_count = x.count, input_hash = x.hash
     from (select count(*) as count, md5(string_agg(source_key || raw_hash, ',' order by source_key collate "C"))::uuid as hash
           from held_rows where held_id = $1) x where h.id = $1`,
    [id, run.runId],
  );
};

const openQuestion = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<string | null> => {
  // One partition after the other: both may be the first to ask.
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`held ${String(mapping.id)}`]);
  const { rows } = await client.query<{ id: string }>(
    `select id::text from held_changes where job_id is not distinct from $1 and cause = 'rolled_back_input' and operation = 'insert'
       and mapping_id = $2 and state = 'held' for update`,
    [run.jobId, mapping.id],
  );
  return rows[0]?.id ?? null;
};

const ask = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<string> => {
  const { rows } = await client.query<{ id: string }>(
    `insert into held_changes (institution_id, job_id, run_id, mapping_id, cause, operation, row_count, base_count, reason, input_hash)
     values ($1, $2, $3, $4, 'rolled_back_input', 'insert', 0, 0, 'posted rows that a rollback took out came again', md5('')::uuid)
     returning id::text`,
    [run.institutionId, run.jobId, run.runId, mapping.id],
  );
  return rows[0]?.id ?? '';
};

/** Entries that stand with their opposites came again: they are not posted twice. */
export const tellTakenBack = (client: PoolClient, run: RunRef, mapping: MappingRef, count: number): Promise<void> =>
  addFinding(client, run, {
    kind: 'posted_taken_back',
    mappingId: mapping.id,
    systemId: mapping.systemId,
    detail: `${String(count)} entries came again that a rollback took back: they stay so; roll that rollback back to have them count`,
  });
