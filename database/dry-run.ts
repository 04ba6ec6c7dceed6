import type { PoolClient } from 'pg';
import { SyncError } from '../domain/errors.js';
import { escapeIdentifier, passOpening, type Hub, type Opening, type Work } from './hub.js';

/* The world of a dry run: a schema of its own that holds a copy of every store a run may write to, under the same names. A
   transaction that looks there first does what it would do over the stores, and changes none of them. What a run records of
   itself (its row, leases and chunks) and configuration are not copied. */

/** Copied: what a run reads of earlier runs. */
export const copied = [
  ...['golden_records', 'golden_references', 'record_images', 'record_identifiers', 'restrictions'],
  ...['rejected_records', 'held_changes', 'held_rows', 'sync_conflict_resolutions'],
  ...['deliveries', 'watermarks', 'rolled_back_inputs', 'target_due', 'target_pending', 'target_files'],
] as const;

/** Begun empty: what a run only adds to, or asks only for what it added itself. */
export const begun = ['golden_record_versions', 'findings', 'change_sets', 'change_set_entries', 'outbox'] as const;

/** Not copied, and as they are for everybody: what a run records of itself, configuration, and what no step of a run touches. */
export const shared = [
  ...['sync_runs', 'run_leases', 'run_chunks', 'run_samples', 'run_metrics', 'events'],
  ...[
    'institutions',
    'data_source_configurations',
    'entity_types',
    'code_tables',
    'cross_system_mappings',
    'mapping_versions',
  ],
  ...['data_quality_rules', 'synchronization_jobs', 'configuration_versions'],
  ...[
    'api_keys',
    'sessions',
    'event_tickets',
    'idempotency_keys',
    'webhook_receipts',
    'uploads',
    'inquiries',
    'disclosures',
  ],
  ...['decision_batches', 'golden_words', 'run_requests', 'remembered_rows'],
] as const;

/* Of these no step asks for what is closed. */
const only: Readonly<Partial<Record<(typeof copied)[number], string>>> = {
  rejected_records: `where (kind = 'waiting' and state = 'open') or corrected is not null`,
};

/** Ids of records that a dry run makes go on from those that are there. */
const sequences = { golden_ids: 'golden_records', image_ids: 'record_images' } as const;

const alive = 'dry_run_alive';

const schemaOf = (runId: string): string => `dry_run_${BigInt(runId).toString()}`;

/** Makes the copy of one institution's stores anew, as they are at one moment. `copying`: told of each store.
 *  @param client within `oneState`, as its other connections go on writing */
export const openDryRun = async (
  client: PoolClient,
  runId: string,
  copying: (store: string) => void,
): Promise<void> => {
  await client.query('select open_dry_run($1)', [runId]);
  const schema = escapeIdentifier(schemaOf(runId));
  for (const store of [...copied, ...begun]) {
    copying(store);
    await client.query(`create unlogged table ${schema}.${store} (like concord.${store} including all)`);
  }
  for (const store of copied) {
    copying(store);
    await client.query(
      `insert into ${schema}.${store} overriding system value select * from concord.${store} ${only[store] ?? ''}`,
    );
    await client.query(`analyze ${schema}.${store}`);
    await goOnNumbering(client, schema, store);
  }
  for (const [sequence, store] of Object.entries(sequences)) {
    await client.query(`create sequence ${schema}.${sequence}`);
    await client.query(`select setval($1, (select coalesce(max(id), 0) + 1 from ${schema}.${store}))`, [
      `${schema}.${sequence}`,
    ]);
  }
  await client.query(`create unlogged table ${schema}.${alive} (alive boolean not null)`);
  await client.query(`insert into ${schema}.${alive} values (true)`);
};

const goOnNumbering = async (client: PoolClient, schema: string, store: string): Promise<void> => {
  const { rows } = await client.query<{ name: string; sequence: string }>(
    `select attname as name, pg_get_serial_sequence($1, attname) as sequence from pg_attribute
     where attrelid = $1::regclass and attidentity <> ''`,
    [`${schema}.${store}`],
  );
  for (const { name, sequence } of rows)
    await client.query(
      `select setval($1, (select coalesce(max(${escapeIdentifier(name)}), 0) + 1 from ${schema}.${store}))`,
      [sequence],
    );
};

/** Drops the copy; there may be none. */
export const dropDryRun = async (client: PoolClient, runId: string): Promise<void> => {
  await client.query(`drop schema if exists ${escapeIdentifier(schemaOf(runId))} cascade`);
};

/** Our connections, in the world of a dry run. @throws SyncError staging_lost where the copy is not there, or was emptied by a
 *  crash of the server */
export const hubOfDryRun = (hub: Hub, runId: string): Hub => {
  // What opens a transaction looks at the copy, too.
  const inside =
    <T>(work: Work<T>, opening?: Opening): Work<T> =>
    async (client) => {
      await enterDryRun(client, runId);
      if (opening !== undefined) await passOpening(client, opening);
      return work(client);
    };
  return {
    ...hub,
    transaction: (institutionId, work, { opening, ...options } = {}) =>
      hub.transaction(institutionId, inside(work, opening), options),
    read: (institutionId, work, options) => hub.read(institutionId, inside(work), options),
    bulk: (institutionId, work, { opening, ...options } = {}) =>
      hub.bulk(institutionId, inside(work, opening), options),
  };
};

const enterDryRun = async (client: PoolClient, runId: string): Promise<void> => {
  const schema = schemaOf(runId);
  const there = await client.query<{ name: string | null }>('select to_regclass($1)::text as name', [
    `${schema}.${alive}`,
  ]);
  const [found] = there.rows;
  const whole =
    found?.name === null ? 0 : (await client.query(`select 1 from ${escapeIdentifier(schema)}.${alive}`)).rowCount;
  if (whole !== 1) throw new SyncError('staging_lost', 'the copy of the dry run is gone');
  await client.query(`select set_config('search_path', $1, true)`, [`${schema}, concord, staging`]);
};
