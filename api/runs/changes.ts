import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { loadConfiguration, type LoadedConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import { sightOf, type Role, type Sensitivity } from '../../domain/access.js';
import { fromStated } from '../../domain/canonical.js';
import { sourceSensitivities, targetSensitivities } from '../../domain/column-sensitivity.js';
import { compileTarget } from '../../domain/projection.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { decodeCursor, pageOf, type Page } from '../common/cursor.js';
import type { Answer } from '../common/http.js';
import { defaultLimit } from '../common/list-query.js';
import type { Plain } from '../common/plain-type.js';
import { HUB } from '../common/tokens.js';
import {
  listChanges,
  type ChangeFilter,
  type ChangeRow,
  type GoldenChangeRow,
  type ImageChangeRow,
  type TargetChangeRow,
} from './change.queries.js';
import type { ChangeListRequest } from './run.dto.js';
import { changeKinds, type ChangedFieldView, type ChangeKind, type ChangeView } from './run.view.js';

/** The change set of a run, as a role may see it. */
@Injectable()
export class RunChanges {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

  /** @throws Problem cursor_mismatch */
  async page(
    caller: Caller,
    runId: string,
    url: string,
    { limit = defaultLimit, cursor, ...asked }: ChangeListRequest,
  ): Promise<Answer<Page<Plain<ChangeView>>>> {
    const scope = ['changes', runId, asked];
    const position = decodeCursor(scope, cursor, [/^(golden|image|target)$/, /^\d{1,10}$/, /^\d{1,18}$/]);
    const filter: ChangeFilter = {
      runId,
      outcomes: asked.outcome?.split(',') ?? null,
      system: asked.system ?? null,
    };
    const configuration = await loadConfiguration(this.hub, caller.institutionId);
    const rows = await this.hub.read(caller.institutionId, (client) =>
      listAcrossKinds(client, filter, kindsOf(asked), position, limit + 1),
    );
    const presenter = new ChangePresenter(configuration, caller.role);
    return pageOf({
      ...{ rows, limit, filter: scope, url },
      position: (row) => [row.kind, String(row.mapping_id), row.row_id],
      toItem: (row) => presenter.present(row),
    });
  }
}

/* Golden records belong to no system. */
const kindsOf = ({ kind, system }: ChangeListRequest): readonly ChangeKind[] =>
  changeKinds.filter(
    (one) => (kind === undefined || kind.split(',').includes(one)) && (system === undefined || one !== 'golden'),
  );

/* One kind after the other, until the page is full. */
const listAcrossKinds = async (
  client: PoolClient,
  filter: ChangeFilter,
  kinds: readonly ChangeKind[],
  position: readonly string[] | null,
  most: number,
): Promise<readonly ChangeRow[]> => {
  const [at, mapping = '0', row = '0'] = position ?? [];
  const rows: ChangeRow[] = [];
  for (const kind of at === undefined ? kinds : kinds.slice(kinds.indexOf(at as ChangeKind))) {
    const after = kind === at ? { mappingId: Number(mapping), rowId: row } : { mappingId: 0, rowId: '0' };
    rows.push(...(await listChanges(client, filter, kind, after, most - rows.length)));
    if (rows.length >= most) break;
  }
  return rows;
};

type Field = Plain<ChangedFieldView>;
type Common = Pick<Plain<ChangeView>, 'kind' | 'outcome' | 'rollbackOutcome'>;

class ChangePresenter {
  constructor(
    private readonly configuration: LoadedConfiguration,
    private readonly role: Role,
  ) {}

  present(row: ChangeRow): Plain<ChangeView> {
    const common = {
      kind: row.kind,
      outcome: row.outcome,
      rollbackOutcome: row.rollback_outcome,
    };
    switch (row.kind) {
      case 'golden':
        return this.golden(row, common);
      case 'image':
        return this.image(row, common);
      case 'target':
        return this.target(row, common);
    }
  }

  private golden(row: GoldenChangeRow, common: Common): Plain<ChangeView> {
    const { before, after } = row;
    const fields = row.definition.groups.flatMap(({ name, sensitivity }, index) =>
      this.field(name, sensitivity, before?.values[index] ?? null, after?.values[index] ?? null, stated),
    );
    const ended = after?.status === 'ended' && before?.status !== 'ended';
    return {
      ...common,
      ...{ id: row.row_id, goldenId: row.row_id, entityType: row.entity_type },
      ...{ mapping: null, system: null, sourceKey: null },
      operation: row.created ? 'insert' : ended ? 'delete' : 'update',
      fields,
      links: { goldenRecord: linkTo(`golden-records/${row.row_id}`) },
    };
  }

  private image(row: ImageChangeRow, common: Common): Plain<ChangeView> {
    const definition = this.definitionOf(row.mapping_id);
    const columns = definition?.source?.columns ?? [];
    const sensitivities = definition === undefined ? new Map() : sourceSensitivities(definition, this.types);
    const gone = row.after !== null && row.after.deleted_run !== null;
    const [before, after] = [cellsOf(row.before?.raw), gone ? null : cellsOf(row.after?.raw)];
    return {
      ...common,
      ...{ id: row.row_id, goldenId: row.golden_id, entityType: null },
      ...{ mapping: row.mapping, system: row.system, sourceKey: row.source_key },
      operation: row.created ? 'insert' : gone ? 'delete' : 'update',
      fields: this.columns(columns, sensitivities, before, after),
      links: { goldenRecord: linkTo(`golden-records/${row.golden_id}`) },
    };
  }

  private target(row: TargetChangeRow, common: Common): Plain<ChangeView> {
    const definition = this.definitionOf(row.mapping_id);
    const columns =
      definition?.target === undefined ? [] : compileTarget(definition, this.types, this.codeTables).columns;
    const sensitivities = definition === undefined ? new Map() : targetSensitivities(definition, this.types);
    return {
      ...common,
      ...{ id: row.row_id, goldenId: row.row_id, entityType: null },
      ...{ mapping: row.mapping, system: row.system, sourceKey: row.after?.key ?? row.before?.key ?? null },
      operation: row.before === null ? 'insert' : row.after === null ? 'delete' : 'update',
      fields: this.columns(columns, sensitivities, row.before?.row ?? null, row.after?.row ?? null),
      links: { goldenRecord: linkTo(`golden-records/${row.row_id}`) },
    };
  }

  private columns(
    names: readonly string[],
    sensitivities: ReadonlyMap<string, Sensitivity>,
    before: readonly (string | null)[] | null,
    after: readonly (string | null)[] | null,
  ): Field[] {
    if (before === null && after === null) return [];
    return names.flatMap((name, index) =>
      this.field(name, sensitivities.get(name), before?.[index] ?? null, after?.[index] ?? null, (text) => text),
    );
  }

  /* Nothing where it is the same before and after. */
  private field(
    name: string,
    sensitivity: Sensitivity | undefined,
    before: string | null,
    after: string | null,
    read: (text: string) => unknown,
  ): Field[] {
    if (before === after) return [];
    const masked = sightOf(this.role, sensitivity) !== 'plain';
    const shown = (text: string | null): unknown => (text === null || masked ? null : read(text));
    return [{ name, before: shown(before), after: shown(after), masked }];
  }

  private definitionOf(mappingId: number): LoadedConfiguration['mappings'][number]['definition'] | undefined {
    return this.configuration.mappings.find(({ id }) => id === mappingId)?.definition;
  }

  private get types(): readonly LoadedConfiguration['entityTypes'][number]['definition'][] {
    return this.configuration.entityTypes.map(({ definition }) => definition);
  }

  private get codeTables(): readonly LoadedConfiguration['codeTables'][number]['definition'][] {
    return this.configuration.codeTables.map(({ definition }) => definition);
  }
}

const stated = (text: string): unknown => fromStated(text);

const cellsOf = (raw: string | null | undefined): readonly (string | null)[] | null => {
  if (raw === null || raw === undefined) return null;
  const parsed: unknown = JSON.parse(raw);
  return Array.isArray(parsed) ? (parsed as (string | null)[]) : null;
};
