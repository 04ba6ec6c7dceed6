import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { planChanges } from '../../database/configuration-plan.js';
import { loadConfiguration, loadMappingVersion, type LoadedConfiguration } from '../../database/configuration-store.js';
import {
  archiveRows,
  insertRow,
  mappingTable,
  readStored,
  ruleTable,
  updateRow,
} from '../../database/configuration-tables.js';
import type { Hub } from '../../database/hub.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import { canonicalJson } from '../../platform/canonical-json.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { etagOf, requireMatch } from '../common/etag.js';
import { Answer, headerOf, type HttpRequest } from '../common/http.js';
import { notFound } from '../common/ids.js';
import { judgeMapping, requireValid, type Judged } from '../common/judge.js';
import { toPlain } from '../common/plain.js';
import { HUB } from '../common/tokens.js';
import { validationProblem } from '../common/validation.js';
import { differences } from './diff.js';
import type { MappingRequest } from './mapping.dto.js';
import type { MappingReportView, MappingView } from './mapping.view.js';
import { sampleRows, type StoredRow } from './samples.js';
import type { Plain } from '../common/plain-type.js';

const sampleCount = 5;

/** A mapping as it is stored. */
export interface MappingRow {
  readonly id: number;
  readonly name: string;
  readonly version: number;
  readonly definition: MappingDefinition;
  readonly updated_by: string;
  readonly updated_at: Date;
}

/** By its id or its name. */
export const findMapping = async (client: PoolClient, wanted: string, lock = false): Promise<MappingRow | null> => {
  const byId = /^[1-9]\d{0,8}$/.test(wanted);
  const { rows } = await client.query<MappingRow>(
    `select m.id, m.name, m.version, m.updated_by, m.updated_at,
       (select v.definition from concord.mapping_versions v where v.mapping_id = m.id and v.version = m.version) as definition
     from concord.cross_system_mappings m where ${byId ? 'm.id = $1::int' : 'm.name = $1'} and not m.archived ${lock ? 'for update of m' : ''}`,
    [wanted],
  );
  return rows[0] ?? null;
};

/** Changes mappings. */
@Injectable()
export class PutMapping {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

  /** @throws Problem not_found, precondition_required, precondition_failed, configuration_invalid */
  async put(
    caller: Caller,
    wanted: string,
    request: HttpRequest,
    body: MappingRequest,
    dryRun: boolean,
  ): Promise<Answer<Plain<MappingReportView>>> {
    const loaded = await loadConfiguration(this.hub, caller.institutionId);
    const current = await this.current(caller, wanted);
    await this.refuseUnlessCurrent(caller, request, current);
    refuseRenaming(current, body);
    const judged = judgeMapping(loaded, toPlain(body) as object);
    if (!dryRun) requireValid(judged);
    const report = await this.report(caller, loaded, current, judged);
    if (dryRun || judged.definition === null || !report.changed) {
      return new Answer(report, { status: 200, headers: { etag: etagOf(current.version) } });
    }
    const stored = await this.store(caller, request, current, judged.definition, loaded);
    return new Answer(
      { ...report, stored: true, mapping: toMapping(stored) },
      { status: 200, headers: { etag: etagOf(stored.version) } },
    );
  }

  private async current(caller: Caller, wanted: string): Promise<MappingRow> {
    const row = await this.hub.read(caller.institutionId, (client) => findMapping(client, wanted));
    if (row === null) throw notFound('mapping', wanted);
    return row;
  }

  /* Says what another changed meanwhile. */
  private async refuseUnlessCurrent(caller: Caller, request: HttpRequest, current: MappingRow): Promise<void> {
    const sent = /^"(\d{1,9})"$/.exec(headerOf(request, 'if-match')?.trim() ?? '')?.[1];
    const older = sent === undefined || Number(sent) >= current.version || Number(sent) < 1 ? null : Number(sent);
    const before = older === null ? null : await loadMappingVersion(this.hub, caller.institutionId, current.id, older);
    requireMatch(request, versionOf(current), () => (before === null ? null : differences(before, current.definition)));
  }

  private async report(
    caller: Caller,
    loaded: LoadedConfiguration,
    current: MappingRow,
    judged: Judged<MappingDefinition>,
  ): Promise<Plain<MappingReportView>> {
    const { rows, count } = await this.hub.read(caller.institutionId, (client) => readSamples(client, current));
    const { definition, problems } = judged;
    return {
      valid: definition !== null,
      changed: definition !== null && canonicalJson(definition) !== canonicalJson(current.definition),
      stored: false,
      problems,
      samples: definition === null ? [] : sampleRows(loaded, current.definition, definition, rows),
      affectedRows: count,
      mapping: toMapping(current),
    };
  }

  private async store(
    caller: Caller,
    request: HttpRequest,
    seen: MappingRow,
    definition: MappingDefinition,
    loaded: LoadedConfiguration,
  ): Promise<MappingRow> {
    return await this.hub.transaction(caller.institutionId, async (client) => {
      // One change of the configuration waits for the other.
      await client.query('select id from concord.institutions where id = $1 for update', [caller.institutionId]);
      const row = await findMapping(client, String(seen.id), true);
      if (row === null) throw notFound('mapping', seen.name);
      if (row.version !== seen.version)
        requireMatch(request, versionOf(row), () => differences(seen.definition, row.definition));
      await writeMapping(client, caller, row, definition, loaded);
      const stored = await findMapping(client, String(seen.id));
      if (stored === null) throw notFound('mapping', seen.name);
      return stored;
    });
  }
}

const versionOf = (row: MappingRow): { version: number; changedBy: string; changedAt: string } => ({
  version: row.version,
  changedBy: row.updated_by,
  changedAt: row.updated_at.toISOString(),
});

function refuseRenaming(current: MappingRow, body: MappingRequest): void {
  const fixed = ['name', 'system', 'entity'] as const;
  const parts = fixed
    .filter((field) => body[field] !== current.definition[field])
    .map((field) => ({
      pointer: `/${field}`,
      code: 'fixed',
      detail: `${field} stays ${current.definition[field]}: make another mapping instead`,
    }));
  if (parts.length > 0) throw validationProblem(parts);
}

async function readSamples(
  client: PoolClient,
  mapping: MappingRow,
): Promise<{ rows: readonly StoredRow[]; count: number }> {
  const { rows } = await client.query<StoredRow>(
    `select source_key, raw from concord.record_images
     where mapping_id = $1 and main and deleted_run is null and raw is not null and mapping_version = $2
     order by entity_type_id, source_key limit $3`,
    [mapping.id, mapping.version, sampleCount],
  );
  const counted = await client.query<{ count: number }>(
    `select count(*)::int as count from concord.record_images where mapping_id = $1 and main and deleted_run is null`,
    [mapping.id],
  );
  return { rows, count: counted.rows[0]?.count ?? 0 };
}

/* The row, the snapshot that runs use, and the rules as rows of their own. */
async function writeMapping(
  client: PoolClient,
  caller: Caller,
  row: MappingRow,
  definition: MappingDefinition,
  loaded: LoadedConfiguration,
): Promise<void> {
  const table = mappingTable(new Map(loaded.systems.map((system) => [system.definition.name, system.id])));
  const version = await updateRow(client, table, { ...row, archived: false }, definition, caller.actor);
  await client.query(
    'insert into concord.mapping_versions (mapping_id, version, institution_id, definition, created_by) values ($1, $2, $3, $4, $5)',
    [row.id, version, caller.institutionId, JSON.stringify(definition), caller.actor],
  );
  const rules = ruleTable(row.id);
  const stored = await readStored(client, rules, { condition: 't.mapping_id = $1', values: [row.id] });
  const plan = planChanges(stored, definition.source?.rules ?? []);
  for (const rule of plan.created) await insertRow(client, rules, rule, caller);
  for (const change of plan.changed) await updateRow(client, rules, change.stored, change.wanted, caller.actor);
  await archiveRows(client, rules.table, plan.archived, caller.actor);
}

/** A mapping as it is shown. */
export const toMapping = (row: MappingRow): Plain<MappingView> => ({
  id: String(row.id),
  name: row.name,
  version: row.version,
  definition: row.definition,
  changedBy: row.updated_by,
  changedAt: row.updated_at.toISOString(),
  links: { self: linkTo(`mappings/${row.id}`), validate: linkTo('quality/validate') },
});
