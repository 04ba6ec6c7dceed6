import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import type {
  Connector,
  CopyTextBatch,
  Delivery,
  Partition,
  RawBatch,
  ReadRequest,
  SnapshotReader,
} from '../connectors/capabilities.js';
import { markAlive, recreate, recreateCanon, stagingColumns, stagingOf } from '../database/staging.js';
import { SyncError } from '../domain/errors.js';
import type { RunRef } from '../domain/run.js';
import { piecesOf } from '../platform/copy-text.js';
import type { ExtractPlan, PartitionRef, StepCounts } from './contract.js';
import type { MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { fenced, readAgain, readChunks, recordChunk, takeLease, type Lease } from './lease.js';
import { addFinding, addRejected } from './problems.js';
import { needsRemap } from './remap.js';
import { unreadPlan } from './staged-source.js';
import { extractChanges } from './extract-changes.js';
import { isKnown } from './known-source.js';
import { FilledInTurn } from './lanes.js';
import { RawChunk, type RawSite } from './raw-chunk.js';
import { ContentReading } from './source-content.js';

/** How one source is read in this run; kept in `run_chunks` so that every later step knows it. */
export interface SourcePlan {
  readonly mode: 'full' | 'watermark';
  /** Deletes may be concluded: everything inside the scope is read. */
  readonly complete: boolean;
  readonly scope: Readonly<Record<string, string>>;
  readonly after: string | null;
  readonly upTo: string | null;
  readonly deliveryId: string | null;
  readonly deliveryDigest: string | null;
  /** Its rows are standardized while they are read: nothing of the source is known, or most of what is staged is new or changed. */
  readonly atOnce: boolean;
  /** Then: some of its rows may be known. (Not in plans that were made before there were such.) */
  readonly someKnown?: boolean;
  /** Where none is: its rows are staged once, as their main canonical records where they have one. */
  readonly once: boolean;
  /** Most of it may be known: rows that are as they were are told apart while they are read, and not staged. */
  readonly compare: boolean;
  readonly partitions: readonly Partition[];
}

const chunkRows = 5_000;
/** Bytes that are read at one go: some milliseconds of work. Answers of the servers that are written to wait for so long, and staging
 *  a chunk takes a dozen of them. */
const pieceSize = 16 * 1024;

/** The rows of a full table are complete; a file is what its manifest, else its mapping, says. */
const completeness = (mapping: MappingRef, delivery: Delivery | null): Pick<SourcePlan, 'complete' | 'scope'> => {
  if (delivery === null) return { complete: true, scope: {} };
  if (delivery.manifest !== null) return { complete: delivery.manifest.complete, scope: delivery.manifest.scope };
  return { complete: mapping.definition.source?.completeByDefault ?? false, scope: {} };
};

export const requestOf = (mapping: MappingRef, plan: Pick<SourcePlan, 'mode' | 'after' | 'upTo'>): ReadRequest => {
  const { source, entity } = mapping.definition;
  if (source === undefined) throw new SyncError('internal', `mapping ${mapping.definition.name} has no source part`);
  const { columns, key, watermark } = source;
  const base = { entity, columns, key };
  if (plan.mode === 'full' || watermark === undefined || plan.upTo === null) return base;
  return { ...base, watermark: { column: watermark.column, after: plan.after, upTo: plan.upTo } };
};

const describeMissing = async (reader: Connector['catalogue'], mapping: MappingRef): Promise<void> => {
  const shape = await reader.describeEntity(mapping.definition.entity);
  const present = new Set(shape.columns.map(({ name }) => name));
  const missing = (mapping.definition.source?.columns ?? []).filter((column) => !present.has(column));
  if (missing.length === 0) return;
  throw new SyncError('source_schema_changed', `${mapping.definition.name} has no column ${missing.join(', ')}`);
};

/** Tries an error again that may pass by itself, three times in all. */
export const retried = async <T>(deed: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await deed();
    } catch (error) {
      if (!(error instanceof SyncError) || !error.retryable || attempt === 3) throw error;
    }
  }
};

/** Forgets what a run has read, so that it reads again. */
export const resetReading = async (client: PoolClient, run: RunRef): Promise<void> => {
  await client.query(
    `delete from run_chunks where run_id = $1 and step in ('plan', 'extract', 'diff', 'mapped', 'bare', 'guard', 'standardize', 'match', 'merge', 'apply')`,
    [run.runId],
  );
  await client.query(`delete from rejected_records where run_id = $1`, [run.runId]);
  await client.query(`delete from findings where run_id = $1 and golden_id is null`, [run.runId]);
};

export const createExtract = (dependencies: ActivityDependencies) => {
  const { hub, configurations, openConnector, heartbeat, cancelled, crashPoint } = dependencies;

  /** The oldest delivery that was not taken yet, remembered as seen by this run; null: there is no new one. */
  const nextDelivery = async (
    run: RunRef,
    lease: Lease,
    group: readonly [MappingRef, ...MappingRef[]],
    connector: Connector,
  ): Promise<{ delivery: Delivery; id: string } | null> => {
    if (connector.deliveries === undefined) return null;
    const [mapping] = group;
    // A delivery that holds nothing of this job waits for the job that reads it.
    const wanted = new Set(group.map(({ definition }) => definition.entity));
    const deliveries = await connector.deliveries.listDeliveries();
    return fenced(hub, lease, async (client) => {
      const { rows } = await client.query<{ digest: string; state: string; run_id: string }>(
        'select digest, state, run_id::text from deliveries where system_id = $1',
        [mapping.systemId],
      );
      const known = new Map(rows.map((row) => [row.digest, row]));
      const open = deliveries.find(({ digest, files }) => {
        if (!files.some(({ entity }) => wanted.has(entity))) return false;
        const before = known.get(digest);
        return (
          before === undefined ||
          before.state === 'rolled_back' ||
          (before.state === 'seen' && before.run_id === run.runId)
        );
      });
      if (open === undefined) return null;
      const inserted = await client.query<{ id: string }>(
        `insert into deliveries (institution_id, system_id, digest, name, state, run_id, manifest, files)
         values ($1, $2, $3, $4, 'seen', $5, $6, $7)
         on conflict (system_id, digest) do update set state = 'seen', run_id = excluded.run_id, files = excluded.files returning id::text`,
        [
          ...[run.institutionId, mapping.systemId, open.digest, open.name, run.runId],
          ...[JSON.stringify(open.manifest), JSON.stringify(open.files)],
        ],
      );
      return { delivery: open, id: inserted.rows[0]?.id ?? '' };
    });
  };

  const refuseDelivery = async (lease: Lease, id: string, error: SyncError): Promise<void> => {
    await fenced(hub, lease, async (client) => {
      await client.query(`update deliveries set state = 'refused', error_code = $2, reason = $3 where id = $1`, [
        id,
        error.code,
        error.message,
      ]);
    });
  };

  const planWatermark = async (
    run: RunRef,
    connector: Connector,
    mapping: MappingRef,
  ): Promise<Pick<SourcePlan, 'mode' | 'after' | 'upTo'>> => {
    const declared = mapping.definition.source?.watermark;
    if (declared === undefined || connector.watermarks === undefined) return { mode: 'full', after: null, upTo: null };
    const after = await hub.read(run.institutionId, async (client) => {
      const { rows } = await client.query<{ value: string }>(
        `select value from watermarks where mapping_id = $1 and kind = 'read'`,
        [mapping.id],
      );
      return rows[0]?.value ?? null;
    });
    const upTo = await connector.watermarks.newestWatermark(
      mapping.definition.entity,
      declared.column,
      declared.lagSeconds ?? 0,
    );
    return { mode: 'watermark', after, upTo };
  };

  /** Whether a row may be judged by itself: rules over many rows need all of them first. */
  const rowsStandAlone = async (run: RunRef, mapping: MappingRef): Promise<boolean> => {
    const context = await configurations.of(run.institutionId);
    return !context.isPosted(mapping) && context.source(mapping).setRules.length === 0;
  };

  /** Plans one source; null where it has nothing new to read. */
  const planSource = async (
    run: RunRef,
    lease: Lease,
    mapping: MappingRef,
    options: {
      connector: Connector;
      delivery: { delivery: Delivery; id: string } | null;
      watermark: boolean;
      wanted: number;
    },
  ): Promise<SourcePlan | null> => {
    const { connector, delivery } = options;
    if (connector.deliveries !== undefined && delivery === null) return null;
    if (delivery !== null && !delivery.delivery.files.some(({ entity }) => entity === mapping.definition.entity))
      return null;
    const reader: (SnapshotReader & Partial<Connector['catalogue']>) | undefined =
      delivery === null ? connector.snapshots : connector.deliveries?.openDelivery(delivery.delivery);
    if (reader === undefined)
      throw new SyncError('configuration_invalid', `system ${mapping.system.name} cannot be read`);
    const catalogue = delivery === null ? connector.catalogue : connector.deliveries?.openDelivery(delivery.delivery);
    if (catalogue !== undefined) await describeMissing(catalogue, mapping);
    const range = options.watermark
      ? await planWatermark(run, connector, mapping)
      : ({ mode: 'full', after: null, upTo: null } as const);
    if (range.mode === 'watermark' && (range.upTo === null || range.upTo === range.after)) return null;
    const { complete, scope } = completeness(mapping, delivery?.delivery ?? null);
    const alone = await rowsStandAlone(run, mapping);
    const first = alone && !(await hub.read(run.institutionId, (client) => isKnown(client, mapping)));
    // By one reader: what it did not see is missing.
    const single = alone && !first && range.after === null && reader.readCopyText !== undefined;
    const partitions = await reader.planPartitions(requestOf(mapping, range), single ? 1 : options.wanted);
    const keysAreUnique = partitions.every((partition) => partition.keysAreUnique === true);
    const compare = single && keysAreUnique;
    return {
      ...range,
      complete: complete && range.mode === 'full',
      scope,
      deliveryId: delivery?.id ?? null,
      deliveryDigest: delivery?.delivery.digest ?? null,
      atOnce: first || (alone && range.after !== null) || compare,
      someKnown: !first,
      once: first && keysAreUnique,
      compare,
      partitions,
    };
  };

  return {
    async planExtract(run: RunRef): Promise<ExtractPlan> {
      const context = await configurations.of(run.institutionId);
      const job = context.job(run.jobId ?? 0).definition;
      const lease = await takeLease(hub, run, 'plan', '');
      const [made] = await hub.read(run.institutionId, (client) => readChunks(client, run.runId, 'plan', ''));
      // A late attempt would take away what was read by this plan.
      if (made !== undefined) return made.counts as unknown as ExtractPlan;
      await fenced(hub, lease, (client) => resetReading(client, run));
      const plan: { partitions: PartitionRef[]; posted: PartitionRef[]; dropped: { name: string; code: string }[] } = {
        partitions: [],
        posted: [],
        dropped: [],
      };
      let prepared = false;
      const mappings = job.sources.map((name) => context.mappingNamed(name));
      const bySystem = new Map<string, MappingRef[]>();
      for (const mapping of mappings)
        bySystem.set(mapping.system.name, [...(bySystem.get(mapping.system.name) ?? []), mapping]);
      const drop = async (mapping: MappingRef, error: SyncError): Promise<void> => {
        plan.dropped.push({ name: mapping.definition.name, code: error.code });
        await fenced(hub, lease, (client) =>
          addFinding(client, run, {
            kind: error.code,
            mappingId: mapping.id,
            systemId: mapping.systemId,
            detail: error.message,
          }),
        );
      };
      for (const group of bySystem.values()) {
        const [first] = group;
        if (first === undefined) continue;
        const connector = openConnector(first.system);
        try {
          const delivery = await retried(() => nextDelivery(run, lease, [first, ...group.slice(1)], connector));
          if (delivery !== null) {
            try {
              await connector.deliveries?.verifyDelivery(delivery.delivery);
            } catch (error) {
              if (!(error instanceof SyncError) || error.retryable) throw error;
              await refuseDelivery(lease, delivery.id, error);
              throw error;
            }
          }
          for (const mapping of group) {
            heartbeat();
            try {
              const news = await retried(() =>
                planSource(run, lease, mapping, {
                  connector,
                  delivery,
                  watermark: job.reading === 'watermark' || context.isPosted(mapping),
                  wanted: job.partitions ?? 2,
                }),
              );
              const stale =
                news === null &&
                !context.isPosted(mapping) &&
                (await hub.read(run.institutionId, (client) => needsRemap(client, run, mapping)));
              const source = stale ? unreadPlan : news;
              if (source === null) continue;
              await fenced(hub, lease, async (client) => {
                await recreate(client, stagingOf(run.runId).raw(mapping.id), stagingColumns.raw);
                if (source.atOnce && !prepared) await recreateCanon(client, run.runId);
                if (source.once) await markAlive(client, stagingOf(run.runId).raw(mapping.id));
                await recordChunk(client, { ...lease, part: String(mapping.id) }, 0, { counts: source });
              });
              prepared ||= source.atOnce;
              const refs = source.partitions.map(({ ordinal }) => ({
                mappingId: mapping.id,
                name: mapping.definition.name,
                ordinal,
              }));
              (context.isPosted(mapping) ? plan.posted : plan.partitions).push(...refs);
            } catch (error) {
              if (!(error instanceof SyncError)) throw error;
              await drop(mapping, error);
            }
          }
        } catch (error) {
          if (!(error instanceof SyncError)) throw error;
          for (const mapping of group) await drop(mapping, error);
        } finally {
          await connector.close();
        }
      }
      await fenced(hub, lease, (client) => recordChunk(client, lease, 0, { counts: plan }));
      return plan;
    },

    async extract(run: RunRef, ref: PartitionRef): Promise<StepCounts> {
      const context = await configurations.of(run.institutionId);
      const mapping = context.mapping(ref.mappingId);
      const source = context.source(mapping);
      const part = `${mapping.id}/${ref.ordinal}`;
      const lease = await takeLease(hub, run, 'extract', part);
      let { plan, done } = await hub.read(run.institutionId, async (client) => ({
        plan: await readSourcePlan(client, run.runId, mapping.id),
        done: await readChunks(client, run.runId, 'extract', part),
      }));
      const partition = plan.partitions.find(({ ordinal }) => ordinal === ref.ordinal);
      if (partition === undefined) throw new SyncError('internal', `partition ${part} was not planned`);
      const soFar = { rows: sum(done, 'rows'), rejected: sum(done, 'rejected') };
      if (done.at(-1)?.counts['last'] === true) return soFar;
      const connector = openConnector(mapping.system);
      try {
        const reader = await readerOf(connector, plan);
        const siteOf = ({ atOnce, once, someKnown }: SourcePlan): RawSite => ({
          ...{ run, context, mapping, source, partition: ref.ordinal },
          ...{ atOnce, once, keepsText: someKnown === true },
        });
        if (plan.compare) {
          const compared = await extractChanges(dependencies, {
            ...siteOf(plan),
            lease,
            plan: requestOf(mapping, plan),
            reader,
            read: partition,
          });
          if (compared !== null) return compared;
          // From its beginning, and so does who tries again: too much is known for telling rows apart while they are read.
          plan = { ...plan, atOnce: false, compare: false };
          const part = String(mapping.id);
          await fenced(hub, lease, (client) => recordChunk(client, { run, step: 'plan', part }, 0, { counts: plan }));
          done = [];
        }
        const site = siteOf(plan);
        const last = done.at(-1);
        let counts = done.length === 0 ? { rows: 0, rejected: 0 } : soFar;
        let chunk = (last?.chunk ?? -1) + 1;
        const stage = async (filled: RawChunk, isLast: boolean): Promise<void> => {
          const own = { rows: filled.rows, rejected: filled.rejected.length, last: isLast };
          const read = isLast ? { content: content?.finished(counts.rows + own.rows) ?? null } : {};
          await fenced(
            hub,
            lease,
            async (client) => {
              await filled.stage(client);
              await addRejected(client, run, mapping.id, filled.rejected);
              await recordChunk(client, lease, chunk, { cursor: filled.cursor, counts: { ...own, ...read } });
            },
            'bulk',
          );
          counts = { rows: counts.rows + filled.rows, rejected: counts.rejected + filled.rejected.length };
          chunk += 1;
          filled.clear();
          crashPoint('extract');
        };
        const request = requestOf(mapping, plan);
        const [after, signal] = [last?.cursor ?? null, cancelled() ?? new AbortController().signal];
        const batches = readBatches(reader, request, partition, after, signal);
        const chunks = new FilledInTurn(new RawChunk(site), new RawChunk(site), stage);
        const content = last === undefined ? new ContentReading(mapping, partition) : null;
        try {
          const stageIfFull = async (cursor: string): Promise<void> => {
            chunks.filling.cursor = cursor;
            if (chunks.filling.rows >= chunkRows) await chunks.next();
          };
          for await (const batch of batches) {
            heartbeat();
            if ('text' in batch) {
              content?.add(batch);
              let end = 0;
              for (const piece of piecesOf(batch.text, pieceSize)) {
                chunks.filling.addText(piece);
                end += piece.length;
                await stageIfFull(batch.cursorAt(end));
                await nextTurn();
              }
            } else {
              for (const row of batch.rows) chunks.filling.add(row);
              chunks.filling.rejected.push(...batch.rejected);
              await stageIfFull(batch.cursor);
            }
          }
          // The last one always comes, be it empty: it says that nothing follows.
          await chunks.end();
        } finally {
          await chunks.settled();
        }
        return counts;
      } finally {
        await connector.close();
      }
    },

    async forgetStaging(run: RunRef): Promise<number> {
      return readAgain(hub, run, (client) => resetReading(client, run));
    },
  };
};

/** The reader of what the plan chose: a delivery by its digest, or the system itself. */
export const readerOf = async (connector: Connector, plan: SourcePlan): Promise<SnapshotReader> => {
  if (plan.deliveryDigest === null) {
    if (connector.snapshots === undefined) throw new SyncError('configuration_invalid', 'the system cannot be read');
    return connector.snapshots;
  }
  const deliveries = (await connector.deliveries?.listDeliveries()) ?? [];
  const delivery = deliveries.find(({ digest }) => digest === plan.deliveryDigest);
  if (delivery === undefined || connector.deliveries === undefined) {
    throw new SyncError('delivery_incomplete', 'the delivery was changed or taken away while it was read');
  }
  return connector.deliveries.openDelivery(delivery);
};

/** The rows of a partition: as text where the reader gives it, since few strings are made of them then. */
export const readBatches = (
  reader: SnapshotReader,
  request: ReadRequest,
  partition: Partition,
  after: string | null,
  signal: AbortSignal,
): AsyncIterable<RawBatch | CopyTextBatch> =>
  partition.keysAreUnique === true && reader.readCopyText !== undefined
    ? reader.readCopyText(request, partition, after, signal)
    : reader.readPartition(request, partition, after, signal);

export const readSourcePlan = async (client: PoolClient, runId: string, mappingId: number): Promise<SourcePlan> => {
  const [chunk] = await readChunks(client, runId, 'plan', String(mappingId));
  if (chunk === undefined) throw new SyncError('internal', `mapping ${mappingId} was not planned`);
  return chunk.counts as unknown as SourcePlan;
};

/** The sources of a run that were planned, by mapping id. */
export const readSourcePlans = async (client: PoolClient, runId: string): Promise<Map<number, SourcePlan>> => {
  const chunks = (await readChunks(client, runId, 'plan')).filter(({ part }) => part !== '');
  return new Map(chunks.map(({ part, counts }) => [Number(part), counts as unknown as SourcePlan]));
};

const sum = (chunks: readonly { counts: Readonly<Record<string, unknown>> }[], name: string): number =>
  chunks.reduce((total, { counts }) => total + Number(counts[name] ?? 0), 0);
