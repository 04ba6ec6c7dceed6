import type { PoolClient } from 'pg';
import type { CopyTextBatch, RowTarget, TargetEntity } from '../connectors/capabilities.js';
import { isAlive, recreate, stagingOf } from '../database/staging.js';
import { keyOf, keySeparator, type RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import { CopySink } from '../platform/copy-sink.js';
import { decodeCopyLine } from '../platform/copy-text.js';
import { createSetDigest, digitsOf, hash128, sha256Octets, type SetDigest } from '../platform/hash.js';
import { imagesOfRecord } from './candidates.js';
import type { StepCounts, TargetRef } from './contract.js';
import type { MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { readBatches } from './extract.js';
import { fenced, readChunks, takeLease, type Chunk } from './lease.js';
import { asFileRow, hashOfRow } from './projecting.js';
import { RowLines } from './row-lines.js';
import { verifyChanged } from './verify-changed.js';
import { verifyShared } from './verify-shared.js';
import { isToldOnce, type Verifying } from './verifying.js';

const pageSize = 5_000;
/** More of the same would help nobody. */
const mostFindings = 1_000;

export const createVerify = (dependencies: ActivityDependencies) => {
  const { hub, configurations, openConnector } = dependencies;
  return {
    /** Reads back what the run wrote. A difference is a finding; of a system that is read too, the row read back becomes what
     *  we know of it, so that our own write coming back is unchanged. */
    async verify(run: RunRef, ref: TargetRef): Promise<StepCounts> {
      const context = await configurations.of(run.institutionId);
      const mapping = context.mapping(ref.mappingId);
      const lease = await takeLease(hub, run, 'verify', String(mapping.id));
      const compiled = context.target(mapping);
      const connector = openConnector(mapping.system);
      const target = { entity: mapping.definition.entity, key: compiled.keyColumns, columns: compiled.columns };
      const verifying: Verifying = { dependencies, run, lease, context, mapping, connector, target };
      try {
        const bulk = await hub.read(run.institutionId, (client) =>
          readChunks(client, run.runId, 'publish', `${mapping.id}/bulk`),
        );
        const whole = compiled.target.wholeFile === true || bulk.length > 0;
        const counts =
          (await verifyFresh(verifying, bulk)) ??
          (whole ? await verifyWhole(verifying) : ((await verifyChanged(verifying)) ?? (await verifyKeys(verifying))));
        dependencies.crashPoint('verify');
        return counts;
      } finally {
        await connector.close();
      }
    },
  };
};

/** Where all of a target was told at once (`publishFresh`), its rows have to be those and no others: their digest says so, and no row is
 *  looked up. Null where it does not. */
const verifyFresh = async (verifying: Verifying, told: readonly Chunk[]): Promise<StepCounts | null> => {
  const { dependencies, run, mapping, target } = verifying;
  const expected = createSetDigest();
  let rows = 0;
  for (const { state, counts, digest } of told) {
    if (state !== 'done' || counts['fresh'] !== true || digest === null) return null;
    expected.add(digest);
    rows += Number(counts['rows']);
  }
  const written = await dependencies.hub.read(run.institutionId, async (client) => {
    const [published] = await readChunks(client, run.runId, 'publish', `${mapping.id}/counts`);
    return Number(published?.counts['written']);
  });
  if (told.length === 0 || written !== rows) return null;
  const hasher = new LineHasher(target);
  const found = createSetDigest();
  let there = 0;
  for await (const batch of targetRows(verifying)) {
    if ('text' in batch) there += hasher.addTo(found, batch.text);
    else {
      for (const row of batch.rows) found.add(digitsOf(hashOfRow(row)));
      there += batch.rows.length;
    }
    dependencies.heartbeat();
  }
  return there === rows && found.hex() === expected.hex() ? { verified: rows, differing: 0 } : null;
};

interface Written {
  readonly id: string;
  readonly key: string;
  readonly hash: string | null;
  readonly golden: string;
}

/** @param from where `i` comes from: every image, or those of the records that the run looked at */
const writtenBy = (run: RunRef, mapping: MappingRef, from = 'record_images i'): string =>
  `select i.id::text as id, i.source_key as key, i.raw_hash as hash, i.golden_id::text as golden from ${from}
   where i.mapping_id = ${mapping.id} and i.last_run = ${BigInt(run.runId)} and i.published_version > 0 and i.deleted_run is null and not i.untold`;

/** Row by row, by key. */
const verifyKeys = async (verifying: Verifying): Promise<StepCounts> => {
  const { dependencies, run, mapping, connector } = verifying;
  const { source } = mapping.definition;
  if (source !== undefined && connector.rows !== undefined)
    return verifyShared(verifying, connector.rows, source.columns, (client, rows) =>
      findDiffering(client, verifying, rows),
    );
  const { rows: written } = await dependencies.hub.read(run.institutionId, async (client) => {
    const candidates = stagingOf(run.runId).candidates(mapping.id);
    const looked =
      (await isToldOnce(client, verifying)) && (await isAlive(client, candidates))
        ? `(select golden_id as id from ${candidates}) g cross join lateral (${imagesOfRecord}) i`
        : 'record_images i';
    return client.query<Written>(`${writtenBy(run, mapping, looked)} order by i.id`);
  });
  let differing = 0;
  for (let from = 0; from < written.length; from += pageSize) {
    const page = written.slice(from, from + pageSize);
    if (connector.rows !== undefined) differing += await verifyPage(verifying, connector.rows, page);
    dependencies.heartbeat();
  }
  return { verified: written.length, differing };
};

const verifyPage = async (verifying: Verifying, rows: RowTarget, page: readonly Written[]): Promise<number> => {
  const { dependencies, lease, target } = verifying;
  const there = await rows.readRows(
    target,
    page.map(({ key }) => key.split(keySeparator)),
  );
  return fenced(dependencies.hub, lease, async (client) => {
    const differing = page.filter(({ key, hash }) => {
      const row = there.get(key);
      return (row === undefined ? null : hashOfRow(row)) !== hash;
    });
    await findDiffering(client, verifying, differing);
    return differing.length;
  });
};

const findDiffering = async (
  client: PoolClient,
  { run, mapping }: Verifying,
  differing: readonly Pick<Written, 'golden' | 'key'>[],
): Promise<void> => {
  if (differing.length === 0) return;
  await client.query(
    `insert into findings (institution_id, run_id, kind, mapping_id, system_id, golden_id, source_key, detail, subject_key)
     select $1, $2, 'verify_differs', $3, $4, d.id, d.key, 'what was read back is not what was written', g.subject_key
     from unnest($5::bigint[], $6::text[]) as d (id, key) join golden_records g on g.id = d.id`,
    [
      run.institutionId,
      run.runId,
      mapping.id,
      mapping.systemId,
      differing.map(({ golden }) => golden),
      differing.map(({ key }) => key),
    ],
  );
};

/** The whole target is read once, staged by key and hash, and joined. */
const verifyWhole = async (verifying: Verifying): Promise<StepCounts> => {
  const { dependencies, run, lease, mapping, target } = verifying;
  const table = `${stagingOf(run.runId).target(mapping.id)}_verify`;
  const places = keyPlaces(target);
  const isFile = verifying.connector.file !== undefined && verifying.connector.rows === undefined;
  return fenced(
    dependencies.hub,
    lease,
    async (client) => {
      await recreate(client, table, 'key text collate "C" not null, hash uuid not null');
      const sink = new CopySink(client, `copy ${table} (key, hash) from stdin`);
      const hasher = new LineHasher(target);
      for await (const batch of targetRows(verifying)) {
        const told = 'text' in batch ? hasher.of(batch.text) : rowHashes(batch.rows, places, isFile);
        for (const cells of told) {
          const wait = sink.add(cells);
          if (wait !== null) await wait;
        }
        dependencies.heartbeat();
      }
      await sink.finish();
      await client.query(`analyze ${table}`);
      if (!isFile) await respell(client, run, mapping, table);
      const { rows } = await client.query<{ verified: string; differing: { golden: string; key: string }[] | null }>(
        `select count(*) as verified, json_agg(json_build_object('golden', w.golden, 'key', w.key)) filter (where t.hash is distinct from w.hash) as differing
         from (${writtenBy(run, mapping)}) w left join ${table} t on t.key = w.key`,
      );
      const differing = rows[0]?.differing ?? [];
      await findDiffering(client, verifying, differing.slice(0, mostFindings));
      await client.query(`drop table ${table}`);
      return { verified: Number(rows[0]?.verified ?? 0), differing: differing.length };
    },
    'bulk',
  );
};

/** Rows that were inserted in bulk may be known by our spelling until here: the target may have its own (`1.5` is `1.50` there). */
const respell = (client: PoolClient, run: RunRef, mapping: MappingRef, table: string): Promise<unknown> =>
  client.query(
    `update record_images i set raw_hash = t.hash from ${table} t
     where i.mapping_id = $1 and i.created_run = $2 and i.last_run = $2 and i.source_key = t.key and i.raw_hash = i.told_hash and i.raw_hash <> t.hash`,
    [mapping.id, run.runId],
  );

/** Key and hash of each row. */
function* rowHashes(
  rows: readonly RawRow[],
  places: readonly number[],
  isFile: boolean,
): Generator<readonly [string, string], void, undefined> {
  for (const row of rows) {
    const kept = isFile ? asFileRow(row) : row;
    yield [keyOf(places.map((place) => kept[place] ?? null)) ?? '', hashOfRow(kept)];
  }
}

const keyPlaces = ({ key, columns }: TargetEntity): number[] => key.map((column) => columns.indexOf(column));

/** Hashes of lines of COPY text: no strings are made but of keys. */
class LineHasher {
  private readonly rows: RowLines;
  private readonly places: readonly number[];

  constructor(target: TargetEntity) {
    this.rows = new RowLines(target.columns.length);
    this.places = keyPlaces(target);
  }

  /** Adds the hash of each line. @returns how many there are */
  addTo(digest: SetDigest, text: Buffer): number {
    let lines = 0;
    for (let at = 0; at < text.length; lines += 1) {
      const { json, next } = this.rows.read(text, at);
      digest.addOctets(sha256Octets(json));
      at = next;
    }
    return lines;
  }

  /** As `rowHashes`. */
  *of(text: Buffer): Generator<readonly [string, string], void, undefined> {
    const { line } = this.rows;
    for (let at = 0; at < text.length;) {
      const { json, next } = this.rows.read(text, at);
      const cells = line.plain ? null : decodeCopyLine(line.text());
      const key = this.places.map((place) => (cells === null ? line.cell(place) : (cells[place] ?? null)));
      yield [keyOf(key) ?? '', hash128(json)];
      at = next;
    }
  }
}

async function* targetRows({
  connector,
  target,
  dependencies,
}: Verifying): AsyncGenerator<{ readonly rows: readonly RawRow[] } | CopyTextBatch, void, undefined> {
  if (connector.file !== undefined && connector.rows === undefined) {
    for await (const rows of connector.file.readWhole(target)) yield { rows };
    return;
  }
  const { snapshots } = connector;
  if (snapshots === undefined) return;
  const signal = dependencies.cancelled() ?? new AbortController().signal;
  for (const partition of await snapshots.planPartitions(target, 1))
    yield* readBatches(snapshots, target, partition, null, signal);
}
