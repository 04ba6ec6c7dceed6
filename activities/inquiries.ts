import type { Connector, EntityShape, ReadRequest, SnapshotReader } from '../connectors/capabilities.js';
import { loadConfiguration } from '../database/configuration-store.js';
import type { LoadedConfiguration } from '../database/configuration-store.js';
import { statisticsOf } from '../domain/column-statistics.js';
import { SyncError } from '../domain/errors.js';
import { statisticsRows, trialRows } from '../domain/inquiry.js';
import type {
  ConnectionTest,
  DiscoveredEntity,
  Discovery,
  DiscoveryParameters,
  InquiryAnswers,
  InquiryKind,
  TrialParameters,
} from '../domain/inquiry.js';
import type { SystemDefinition } from '../domain/job-definition.js';
import { trialColumns, tryMapping } from '../domain/mapping-trial.js';
import type { MappingTrial } from '../domain/mapping-trial.js';
import type { RawRow } from '../domain/rows.js';
import type { InquiryActivities, InquiryRef } from './contract.js';
import type { ActivityDependencies } from './dependencies.js';

/* Answers what people ask systems. The answer is written down and never travels through Temporal: it may hold personal data. */

interface AskedInquiry {
  readonly kind: InquiryKind;
  readonly subject: string;
  readonly parameters: unknown;
}

const mostEntities = 1_000;

export const createInquiries = (dependencies: ActivityDependencies): InquiryActivities => {
  const { hub, openConnector, heartbeat } = dependencies;

  const withSystem = async <T>(
    configuration: LoadedConfiguration,
    name: string,
    work: (connector: Connector, system: SystemDefinition) => Promise<T>,
  ): Promise<T> => {
    const system = configuration.systems.find(({ definition }) => definition.name === name)?.definition;
    if (system === undefined) throw new SyncError('not_found', `There is no system ${name}.`);
    const connector = openConnector(system);
    try {
      return await work(connector, system);
    } finally {
      await connector.close();
    }
  };

  const testConnection = async (
    configuration: LoadedConfiguration,
    { subject }: AskedInquiry,
  ): Promise<ConnectionTest> =>
    await withSystem(configuration, subject, async (connector) => {
      const begun = performance.now();
      const { product, version } = await connector.checker.checkConnection();
      const able = ['snapshots', 'watermarks', 'deliveries', 'rows', 'copy', 'file'] as const;
      return {
        ...{ product, version, milliseconds: Math.round(performance.now() - begun) },
        capabilities: able.filter((name) => connector[name] !== undefined),
      };
    });

  const discover = async (
    configuration: LoadedConfiguration,
    { subject, parameters }: AskedInquiry,
  ): Promise<Discovery> => {
    const { entities: wanted } = parameters as DiscoveryParameters;
    return await withSystem(configuration, subject, async (connector) => {
      if (wanted === undefined) {
        const shapes = await connector.catalogue.discoverEntities();
        return {
          entities: shapes.slice(0, mostEntities).map((shape) => ({ ...shape, statistics: null })),
          more: shapes.length > mostEntities,
        };
      }
      const entities: DiscoveredEntity[] = [];
      for (const entity of wanted) {
        heartbeat();
        entities.push(await inFigures(connector, await connector.catalogue.describeEntity(entity)));
      }
      return { entities, more: false };
    });
  };

  const inFigures = async (connector: Connector, shape: EntityShape): Promise<DiscoveredEntity> => {
    const columns = shape.columns.map(({ name }) => name);
    const request = { entity: shape.entity, columns, key: shape.key.length > 0 ? shape.key : columns.slice(0, 1) };
    const rows = await firstRows(connector, request, statisticsRows);
    return { ...shape, statistics: rows === null ? null : { rows: rows.length, columns: statisticsOf(columns, rows) } };
  };

  const tryOut = async (
    configuration: LoadedConfiguration,
    { subject, parameters }: AskedInquiry,
  ): Promise<MappingTrial> => {
    const { definition: after, limit } = parameters as TrialParameters;
    const before = configuration.mappings.find(({ definition }) => definition.name === subject)?.definition ?? null;
    const { source, system, entity } = after;
    if (source === undefined) throw new SyncError('configuration_invalid', `mapping ${subject} reads no rows`);
    return await withSystem(configuration, system, async (connector) => {
      const shape = await connector.catalogue.describeEntity(entity);
      const there = new Set(shape.columns.map(({ name }) => name));
      const missing = source.columns.filter((column) => !there.has(column));
      if (missing.length > 0)
        throw new SyncError('source_schema_changed', `${entity} has no column ${missing.join(', ')}`);
      const columns = trialColumns(before, after).filter((column) => there.has(column));
      const rows = await firstRows(connector, { entity, columns, key: source.key }, Math.min(limit, trialRows));
      if (rows === null) throw new SyncError('configuration_invalid', `system ${system} cannot be read`);
      const parts = {
        entityTypes: configuration.entityTypes.map(({ definition }) => definition),
        codeTables: configuration.codeTables.map(({ definition }) => definition),
      };
      return tryMapping(parts, before, after, { columns, rows });
    });
  };

  const answerers: {
    readonly [Kind in InquiryKind]: (
      configuration: LoadedConfiguration,
      inquiry: AskedInquiry,
    ) => Promise<InquiryAnswers[Kind]>;
  } = { connection_test: testConnection, discovery: discover, mapping_trial: tryOut };

  const readInquiry = async ({ institutionId, inquiryId }: InquiryRef): Promise<AskedInquiry | null> =>
    await hub.read(institutionId, async (client) => {
      const { rows } = await client.query<AskedInquiry>(
        `select kind, subject, parameters from inquiries where id = $1 and state = 'asked'`,
        [inquiryId],
      );
      return rows[0] ?? null;
    });

  const note = async (
    { institutionId, inquiryId }: InquiryRef,
    outcome: { readonly answer: unknown } | { readonly error: SyncError },
  ): Promise<void> => {
    const [answer, error] = 'error' in outcome ? [null, outcome.error] : [outcome.answer, null];
    await hub.transaction(institutionId, async (client) => {
      await client.query(
        `update inquiries set state = $2, answer = $3, error_code = $4, error_detail = $5, answered_at = now()
         where id = $1 and state = 'asked'`,
        [
          ...[inquiryId, error === null ? 'answered' : 'failed', answer === null ? null : JSON.stringify(answer)],
          ...[error?.code ?? null, error?.message ?? null],
        ],
      );
    });
  };

  return {
    async answerInquiry(ref: InquiryRef): Promise<void> {
      const inquiry = await readInquiry(ref);
      if (inquiry === null) return; // answered by an earlier attempt, or too old by now
      const configuration = await loadConfiguration(hub, ref.institutionId);
      try {
        await note(ref, { answer: await answerers[inquiry.kind](configuration, inquiry) });
      } catch (error) {
        // A person waits: what the system says is told at once and not tried again.
        if (!(error instanceof SyncError)) throw error;
        await note(ref, { error });
      }
    },
  };
};

/* The first rows of an entity: of the newest delivery, or of the system itself; null where it cannot be read. */
const firstRows = async (
  connector: Connector,
  request: ReadRequest,
  most: number,
): Promise<readonly RawRow[] | null> => {
  const reader = await readerFor(connector, request.entity);
  if (reader === null) return null;
  const [partition] = await reader.planPartitions(request, 1);
  if (partition === undefined) return [];
  const enough = new AbortController();
  const rows: RawRow[] = [];
  try {
    for await (const batch of reader.readPartition(request, partition, null, enough.signal)) {
      for (const row of batch.rows) if (rows.length < most) rows.push(row);
      if (rows.length >= most) enough.abort();
    }
  } catch (error) {
    // The read ends with the reason of the signal, which is ours.
    if (!enough.signal.aborted) throw error;
  }
  return rows;
};

const readerFor = async (connector: Connector, entity: string): Promise<SnapshotReader | null> => {
  if (connector.deliveries === undefined) return connector.snapshots ?? null;
  const deliveries = await connector.deliveries.listDeliveries();
  const newest = deliveries.filter(({ files }) => files.some((file) => file.entity === entity)).at(-1);
  return newest === undefined ? null : connector.deliveries.openDelivery(newest);
};
