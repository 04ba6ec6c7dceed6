import type { PoolClient } from 'pg';
import { isThere, stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { InstitutionContext, MappingRef } from './context.js';

/** Runs the rules that look at many rows (`unique`, `reference_exists`) over the staged rows of a source and notes the keys
 *  that break one. Blank cells are not looked at. */
export const findBrokenSetRules = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  context: InstitutionContext,
): Promise<void> => {
  const staging = stagingOf(run.runId);
  const raw = staging.raw(mapping.id);
  for (const rule of context.source(mapping).setRules) {
    const cell = `nullif(trim(r.raw::jsonb ->> ${rule.column}), '')`;
    const broken =
      rule.check === 'unique'
        ? run.subjectKey === undefined
          ? `select key from (select r.key, count(*) over (partition by ${cell}) as times from ${raw} r where ${cell} is not null) x where times > 1`
          : othersHave(raw, mapping.id, rule.column)
        : await unknownReferences(client, run, raw, cell, context.mappingNamed(rule.mapping ?? '').id);
    await client.query(
      `insert into ${staging.problem}_set (mapping_id, key, reason) select $1, x.key, $2 from (${broken}) x`,
      [mapping.id, rule.name],
    );
  }
};

/** Of a run that reads one person: the value stands in a row of the source that was read before. (The text is looked for first:
 *  that is much cheaper than taking every row apart.) */
const othersHave = (raw: string, mappingId: number, column: number): string =>
  `select r.key from (select key, nullif(trim(raw::jsonb ->> ${column}), '') as cell from ${raw}) r where r.cell is not null and exists (
     select 1 from record_images i where i.mapping_id = ${mappingId} and i.main and i.deleted_run is null and i.source_key <> r.key
       and position(btrim(to_json(r.cell)::text, '"') in i.raw) > 0 and nullif(trim(i.raw::jsonb ->> ${column}), '') = r.cell)`;

const unknownReferences = async (
  client: PoolClient,
  run: RunRef,
  raw: string,
  cell: string,
  mappingId: number,
): Promise<string> => {
  const other = stagingOf(run.runId).raw(mappingId);
  const staged = (await isThere(client, other))
    ? `and not exists (select 1 from ${other} o where o.key = ${cell})`
    : '';
  return `select r.key from ${raw} r where ${cell} is not null ${staged}
    and not exists (select 1 from record_images i where i.mapping_id = ${mappingId} and i.source_key = ${cell} and i.deleted_run is null)`;
};
