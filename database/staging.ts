import type { PoolClient } from 'pg';

/** The names of a run's staging tables. Standalone, unlogged, no parent: creating one locks nothing of other runs. Names hold
 *  numbers only. A crash of the server empties them (`staging_lost`). */
export interface Staging {
  /** One row a source row that was read: key, raw (JSON array in column order; null: its main canonical record has it), hash, scope. */
  raw(mappingId: number): string;
  /** Where known rows were told apart while they were read: the images whose rows were not there as they were. */
  unseen(mappingId: number): string;
  /** Source rows with something to do: key, class `n` new, `c` changed, `m` missing; the hash of what we hold. */
  delta(mappingId: number): string;
  /** The images of the rows with something to do, as they stand. */
  standing(mappingId: number): string;
  /** Canonical records of all entity types: `op` u (upsert) or d (withdrawn). */
  readonly canon: string;
  /** What standardizing found: rejected, filtered, finding, restriction. */
  readonly problem: string;
  /** Per entity type: which image and golden record each canonical record belongs to. */
  match(entityTypeId: number): string;
  /** Per reconciled entity type: values with references resolved, and the natural key. */
  resolved(entityTypeId: number): string;
  /** Per entity type: what the merge planned, a row a golden record. */
  plan(entityTypeId: number): string;
  /** Keys of source rows of which a record changed. */
  readonly effects: string;
  /** Per target: the golden records to look at. */
  candidates(mappingId: number): string;
  /** Per target: scratch of the verification and of file merges. */
  target(mappingId: number): string;
}

export const stagingOf = (runId: string): Staging => {
  const prefix = `staging.r${BigInt(runId).toString()}`;
  return {
    raw: (mappingId) => `${prefix}_raw_${mappingId}`,
    unseen: (mappingId) => `${prefix}_unseen_${mappingId}`,
    delta: (mappingId) => `${prefix}_delta_${mappingId}`,
    standing: (mappingId) => `${prefix}_standing_${mappingId}`,
    canon: `${prefix}_canon`,
    problem: `${prefix}_problem`,
    match: (entityTypeId) => `${prefix}_match_${entityTypeId}`,
    resolved: (entityTypeId) => `${prefix}_resolved_${entityTypeId}`,
    plan: (entityTypeId) => `${prefix}_plan_${entityTypeId}`,
    effects: `${prefix}_effects`,
    candidates: (mappingId) => `${prefix}_candidates_${mappingId}`,
    target: (mappingId) => `${prefix}_target_${mappingId}`,
  };
};

/** Columns of the staging tables that are filled by `copy`. */
export const stagingColumns = {
  raw: 'part integer not null, key text collate "C" not null, raw text, hash uuid not null, scope text',
  unseen: 'id bigint not null',
  delta: 'key text collate "C" not null, class "char" not null, hash uuid',
  standing: `id bigint not null, entity_type_id integer not null, key text collate "C" not null, sub_key text collate "C" not null,
    main boolean not null, golden_id bigint not null, raw_hash uuid, mapping_version integer not null, match_name text, match_birth text,
    match_hash bigint, created_run bigint not null, read_run bigint, deleted_run bigint`,
  canon: `ord bigint generated always as identity, mapping_id integer not null, entity_type_id integer not null,
    key text collate "C" not null, sub_key text collate "C" not null, main boolean not null, op "char" not null,
    values text[] not null, refs text[], identifiers text[], match_name text, match_birth text, effective_at text,
    raw text, hash uuid, scope text`,
  problem: `mapping_id integer not null, key text, kind text not null, entity_type_id integer, sub_key text, field text,
    reason text not null, detail text not null, raw text, hash uuid`,
  resolved: `ord bigint not null, values text[] not null, natural_key text, paths text[] not null, targets bigint[] not null,
    subject bigint`,
  plan: `golden_id bigint not null, based_on integer not null, stamp text, golden jsonb, images jsonb not null, questions jsonb,
    findings jsonb, lone_ord bigint, lone_image bigint`,
} as const;

/** Makes a staging table anew, which is not alive until it is marked so. The caller holds the lease of its step, so no earlier attempt
 *  writes to the old one. */
export const recreate = async (client: PoolClient, table: string, columns: string): Promise<void> => {
  await client.query(`drop table if exists ${table}, ${aliveBeside(table)}`);
  await client.query(`create unlogged table ${table} (${columns}) with (autovacuum_enabled = off)`);
};

/** The rows of a source with something to do. Images that were staged of the rows before these go. */
export const recreateDelta = async (client: PoolClient, runId: string, mappingId: number): Promise<void> => {
  const staging = stagingOf(runId);
  const standing = staging.standing(mappingId);
  await client.query(`drop table if exists ${standing}, ${aliveBeside(standing)}`);
  await recreate(client, staging.delta(mappingId), stagingColumns.delta);
};

/** The canonical records of a run and what was found while they were made. */
export const recreateCanon = async (client: PoolClient, runId: string): Promise<void> => {
  await recreate(client, stagingOf(runId).canon, stagingColumns.canon);
  await recreate(client, stagingOf(runId).problem, stagingColumns.problem);
};

/** For reading ranges of `ord` of a table that is filled in its order: small, and quick to make. */
export const indexByPlace = (client: PoolClient, table: string): Promise<unknown> =>
  client.query(`create index on ${table} using brin (ord) with (pages_per_range = 16)`);

/** For joins of few rows by their key: where PostgreSQL thinks that they are fewer still, it would look through all of them for each. */
export const indexByKey = (client: PoolClient, table: string): Promise<unknown> =>
  client.query(`create index on ${table} (key)`);

/** A table of one row beside a staging table that may rightly be empty: a crash of PostgreSQL empties both, and it may start over
 *  without a new postmaster. */
const aliveBeside = (table: string): string => `${table}_alive`;

/** From here on `isAlive` tells whether the table is as it was left. */
export const markAlive = async (client: PoolClient, table: string): Promise<void> => {
  await recreate(client, aliveBeside(table), 'alive boolean not null');
  await client.query(`insert into ${aliveBeside(table)} values (true)`);
};

/** Whether a table is there. */
export const isThere = async (client: PoolClient, table: string): Promise<boolean> => {
  const { rows } = await client.query<{ name: string | null }>('select to_regclass($1)::text as name', [table]);
  return rows[0]?.name !== null;
};

export const isAlive = async (client: PoolClient, table: string): Promise<boolean> => {
  const beside = aliveBeside(table);
  if (!(await isThere(client, beside))) return false;
  return (await client.query(`select 1 from ${beside}`)).rowCount === 1;
};

/** Drops every staging table of a run. */
export const dropStagingTables = async (client: PoolClient, runId: string): Promise<void> => {
  const { rows } = await client.query<{ name: string }>(
    `select c.relname as name from pg_class c
     where c.relnamespace = 'staging'::regnamespace and c.relkind = 'r' and c.relname like $1`,
    [`r${BigInt(runId).toString()}\\_%`],
  );
  for (const { name } of rows) await client.query(`drop table if exists staging."${name}"`);
};
