import type { Connector } from '../connectors/capabilities.js';
import { recreate, stagingColumns, stagingOf } from '../database/staging.js';
import { SyncError } from '../domain/errors.js';
import { keySeparator, type RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import type { LiveReading } from './contract.js';
import type { InstitutionContext, MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { recordsOf } from './diff.js';
import { requestOf, resetReading, retried, type SourcePlan } from './extract.js';
import { isOfSource } from './known-source.js';
import { fenced, readChunks, recordChunk, takeLease, type Lease } from './lease.js';
import { addFinding } from './problems.js';
import { RawChunk } from './raw-chunk.js';

interface Asked {
  readonly mapping: MappingRef;
  readonly keys: readonly string[];
}

/* Nothing is concluded from what else the source holds. */
const byKeys: SourcePlan = {
  ...{ mode: 'full', complete: false, scope: {}, after: null, upTo: null },
  ...{ deliveryId: null, deliveryDigest: null, atOnce: false, once: false, compare: false, partitions: [] },
};

export const createLive = (dependencies: ActivityDependencies) => {
  const { hub, configurations, openConnector, heartbeat } = dependencies;

  /** The rows in which we know the person, by source. */
  const askedOf = (run: RunRef, context: InstitutionContext, subjectKey: string): Promise<Asked[]> =>
    hub.read(run.institutionId, async (client) => {
      const read = [...new Set(context.readSources)].map((name) => context.mappingNamed(name));
      const ofSources = read.map((one) => `i.mapping_id = ${one.id} and ${isOfSource(context, one)}`);
      const { rows } = await client.query<{ mapping: number; keys: string[] }>(
        `select i.mapping_id as mapping, array_agg(distinct i.source_key) as keys from record_images i
         where i.golden_id in (${recordsOf('$1')}) and (${ofSources.join(' or ') || 'false'}) group by 1 order by 1`,
        [subjectKey],
      );
      return rows.map(({ mapping, keys }) => ({ mapping: context.mapping(mapping), keys }));
    });

  const stage = async (
    run: RunRef,
    lease: Lease,
    context: InstitutionContext,
    { mapping, keys }: Asked,
    connector: Connector,
  ): Promise<number> => {
    const { keyed } = connector;
    if (keyed === undefined)
      throw new SyncError('source_reads_no_keys', `${mapping.system.name} cannot be asked for single rows`);
    const request = requestOf(mapping, byKeys);
    const found = await retried(() =>
      keyed.readKeys(
        request,
        keys.map((key): RawRow => key.split(keySeparator)),
      ),
    );
    const table = stagingOf(run.runId).raw(mapping.id);
    const site = { run, context, mapping, source: context.source(mapping), partition: 0, atOnce: false, once: false };
    const staged = new RawChunk(site);
    for (const row of found.values()) staged.add(row);
    await fenced(hub, lease, async (client) => {
      await recreate(client, table, stagingColumns.raw);
      await staged.stage(client);
      await recordChunk(client, { ...lease, part: String(mapping.id) }, 0, { counts: byKeys });
      await recordChunk(client, { ...lease, step: 'extract', part: `${mapping.id}/0` }, 0, {
        counts: { rows: found.size, rejected: 0, last: true },
      });
    });
    return found.size;
  };

  return {
    /** Reads the rows of one person by their keys into staging. A source that cannot be asked, or does not answer, is left out,
     *  and nothing is concluded from it. */
    async planLive(run: RunRef): Promise<LiveReading> {
      const { subjectKey } = run;
      if (subjectKey === undefined) throw new SyncError('internal', `run ${run.runId} is about nobody`);
      const context = await configurations.of(run.institutionId);
      const lease = await takeLease(hub, run, 'plan', '');
      const [made] = await hub.read(run.institutionId, (client) => readChunks(client, run.runId, 'plan', ''));
      // A late attempt would take away what was read by this one.
      if (made !== undefined) return made.counts as unknown as LiveReading;
      await fenced(hub, lease, (client) => resetReading(client, run));
      const dropped: { name: string; code: string }[] = [];
      let [rows, sources] = [0, 0];
      for (const asked of await askedOf(run, context, subjectKey)) {
        heartbeat();
        const { mapping } = asked;
        const connector = openConnector(mapping.system);
        try {
          rows += await stage(run, lease, context, asked, connector);
          sources += 1;
        } catch (error) {
          if (!(error instanceof SyncError) || error.code === 'lease_lost') throw error;
          dropped.push({ name: mapping.definition.name, code: error.code });
          await fenced(hub, lease, (client) =>
            addFinding(client, run, {
              ...{ kind: error.code, mappingId: mapping.id, systemId: mapping.systemId, detail: error.message },
            }),
          );
        } finally {
          await connector.close();
        }
      }
      const reading: LiveReading = { rows, sources, dropped };
      await fenced(hub, lease, (client) => recordChunk(client, lease, 0, { counts: reading }));
      return reading;
    },
  };
};
