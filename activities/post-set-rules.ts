import type { SnapshotReader } from '../connectors/capabilities.js';
import type { Hub } from '../database/hub.js';
import type { SetRule } from '../domain/rules.js';
import type { RunRef } from '../domain/run.js';
import { copyIn } from '../platform/copy.js';
import { CopyEncoder } from '../platform/copy-text.js';
import type { InstitutionContext, MappingRef } from './context.js';
import { requestOf, type SourcePlan } from './extract.js';
import type { BrokenValues } from './post-reading.js';

export interface SetRuleSite {
  readonly hub: Hub;
  readonly run: RunRef;
  readonly context: InstitutionContext;
  readonly mapping: MappingRef;
  readonly reader: SnapshotReader;
  readonly plan: SourcePlan;
  readonly signal: AbortSignal;
  readonly alive: () => void;
}

/** Rules over many rows for a source that is never staged. `reference_exists` asks for the values of a chunk; `unique` reads
 *  the column of all planned partitions once, before the first chunk. */
export const brokenValues = (site: SetRuleSite): BrokenValues => {
  const repeated = new Map<string, Promise<ReadonlySet<string>>>();
  return async (rule, values) => {
    if (rule.check === 'reference_exists') return await unknownValues(site, rule, values);
    const found = repeated.get(rule.field) ?? repeatedValues(site, rule);
    repeated.set(rule.field, found);
    return await found;
  };
};

const unknownValues = async (
  { hub, run, context }: SetRuleSite,
  rule: SetRule,
  values: readonly string[],
): Promise<ReadonlySet<string>> =>
  hub.read(run.institutionId, async (client) => {
    const mapping = context.mappingNamed(rule.mapping ?? '');
    const { rows } = await client.query<{ value: string }>(
      `select v.value from unnest($1::text[]) as v (value) where not exists (
         select 1 from record_images i
         where i.mapping_id = $2 and i.entity_type_id = $3 and i.source_key = v.value and i.deleted_run is null)`,
      [values, mapping.id, context.mainType(mapping).id],
    );
    return new Set(rows.map(({ value }) => value));
  });

const repeatedValues = async (site: SetRuleSite, rule: SetRule): Promise<ReadonlySet<string>> =>
  site.hub.bulk(site.run.institutionId, async (client) => {
    await client.query('create temporary table posted_values (value text collate "C" not null) on commit drop');
    await copyIn(client, 'copy posted_values (value) from stdin', encodeValues(site, rule));
    const { rows } = await client.query<{ value: string }>(
      'select value from posted_values group by value having count(*) > 1',
    );
    return new Set(rows.map(({ value }) => value));
  });

async function* encodeValues(site: SetRuleSite, rule: SetRule): AsyncGenerator<Buffer, void, undefined> {
  const { mapping, reader, plan, signal, alive } = site;
  const encoder = new CopyEncoder();
  for (const partition of plan.partitions) {
    for await (const { rows } of reader.readPartition(requestOf(mapping, plan), partition, null, signal)) {
      alive();
      for (const row of rows) {
        const value = (row[rule.column] ?? '').trim();
        if (value !== '') encoder.add([value]);
      }
      if (encoder.size > 0) yield encoder.take();
    }
  }
}
