import { Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { isSame } from '../../domain/differences.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import { tryMapping } from '../../domain/mapping-trial.js';
import type { RawRow } from '../../domain/rows.js';
import { refuseArchived } from '../configuration/changes.js';
import { ConfigurationStore } from '../configuration/configuration-store.js';
import { refuseUnlessCurrent } from '../configuration/history.js';
import { findRow, toConfigured, type Row } from '../configuration/resource.js';
import { mappings } from '../configuration/resources.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { etagOf } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { judgeItem, requireValid, type Judged } from '../common/judge.js';
import { toPlain } from '../common/plain.js';
import { validationProblem } from '../common/validation.js';
import type { MappingRequest } from './mapping.dto.js';
import type { MappingReportView, MappingView, SampleView } from './mapping.view.js';
import type { Plain } from '../common/plain-type.js';

const sampleCount = 5;

/** A mapping as it is stored. */
export type MappingRow = Row & { readonly definition: MappingDefinition };

/** Changes mappings, with a report of what the change does. */
@Injectable()
export class PutMapping {
  constructor(private readonly configurations: ConfigurationStore) {}

  /** @throws Problem not_found, precondition_required, precondition_failed, configuration_invalid */
  async put(
    caller: Caller,
    wanted: string,
    request: HttpRequest,
    body: MappingRequest,
    dryRun: boolean,
  ): Promise<Answer<Plain<MappingReportView>>> {
    return await this.configurations.change(caller, async (change) => {
      const current = findMapping(change.stored.mappings, wanted);
      await refuseUnlessCurrent(change.client, request, 'mapping', current);
      refuseArchived(mappings, current);
      refuseRenaming(current, body);
      const judged = judgeItem(change.current, 'mappings', toPlain(body) as object);
      const report = await reportOf(change.client, change.current, current, judged);
      if (dryRun) return new Answer(report, { status: 200, headers: { etag: etagOf(current.version) } });
      const { configuration } = requireValid(judged);
      if (report.changed) await change.store(configuration);
      const stored = findMapping((await change.reread()).mappings, current.name);
      return new Answer(
        { ...report, stored: report.changed, mapping: toMapping(stored) },
        { status: 200, headers: { etag: etagOf(stored.version) } },
      );
    });
  }
}

/** By its id or its name. @throws Problem not_found */
export const findMapping = (rows: readonly MappingRow[], wanted: string): MappingRow => {
  const row = findRow({ mappings: rows }, mappings, wanted);
  // Sound: the rows are mappings.
  return row as MappingRow;
};

async function reportOf(
  client: PoolClient,
  configuration: Configuration,
  current: MappingRow,
  { definition, problems }: Judged<MappingDefinition>,
): Promise<Plain<MappingReportView>> {
  const { rows, count } = await readSamples(client, current);
  return {
    valid: definition !== null,
    changed: definition !== null && !isSame(definition, current.definition),
    stored: false,
    problems,
    samples: definition === null ? [] : samplesOf(configuration, current.definition, definition, rows),
    affectedRows: count,
    mapping: toMapping(current),
  };
}

/** A row as it was stored, in the columns of the mapping of that time. */
interface StoredRow {
  readonly source_key: string;
  readonly raw: string;
}

/* Stored rows, by the mapping as it stands and as it would be. */
const samplesOf = (
  configuration: Configuration,
  before: MappingDefinition,
  after: MappingDefinition,
  stored: readonly StoredRow[],
): Plain<SampleView>[] => {
  if (before.source === undefined || after.source === undefined) return [];
  const rows = stored.map(({ raw }) => JSON.parse(raw) as RawRow);
  const trial = tryMapping(configuration, before, after, { columns: before.source.columns, rows });
  return trial.rows.map(({ before: was, after: will, changed }, index) => ({
    ...{ sourceKey: stored[index]?.source_key ?? '', before: was, after: will, changed },
  }));
};

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
    // Rows that an earlier version read stand where it derived the same.
    `select source_key, raw from concord.record_images
     where mapping_id = $1 and main and deleted_run is null and raw is not null
       and mapping_version >= (select coalesce(v.derived_since, v.version) from concord.mapping_versions v where v.mapping_id = $1 and v.version = $2)
     order by entity_type_id, source_key limit $3`,
    [mapping.id, mapping.version, sampleCount],
  );
  const counted = await client.query<{ count: number }>(
    `select count(*)::int as count from concord.record_images where mapping_id = $1 and main and deleted_run is null`,
    [mapping.id],
  );
  return { rows, count: counted.rows[0]?.count ?? 0 };
}

/** A mapping as it is shown. */
export const toMapping = (row: MappingRow): Plain<MappingView> => {
  const shown = toConfigured(mappings, row);
  return {
    ...shown,
    definition: row.definition,
    links: { ...shown.links, validate: linkTo('quality/validate'), dryRun: linkTo(`mappings/${row.id}/dry-run`) },
  };
};
