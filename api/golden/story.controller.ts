import { Controller, Inject, Param, Query } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { loadConfiguration, loadMappingVersion, type LoadedConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import type { Stated, Statement } from '../../domain/canonical.js';
import { compileSource, deriveRecord } from '../../domain/mapping.js';
import { unpackStatements } from '../../domain/record-merge.js';
import type { RawRow } from '../../domain/rows.js';
import type { Clock } from '../../platform/clock.js';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { decodeIdCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import type { Answer, HttpRequest } from '../common/http.js';
import { idOf, notFound } from '../common/ids.js';
import { defaultLimit, ListQuery } from '../common/list-query.js';
import type { Plain } from '../common/plain-type.js';
import { Problem } from '../common/problem.js';
import { CLOCK, HUB } from '../common/tokens.js';
import { dateIn } from '../runs/start-run.js';
import { AsOfQuery } from './golden.dto.js';
import { isMasked, originOf, toGroups, versionOf, type GoldenRow, type Provenance } from './golden-row.js';
import { findGolden, findProvenance } from './golden.queries.js';
import {
  findOrigins,
  findVersionAt,
  listImages,
  listTargets,
  listVersions,
  type ImageRow,
  type VersionState,
} from './story.queries.js';
import { isShown, said, toAsOf, toTargetState, toVersion } from './story.js';
import {
  AsOfView,
  ProvenanceView,
  TargetStatesView,
  GoldenVersionPage,
  type GroupProvenanceView,
  type StatementView,
  type GoldenVersionView,
} from './story.view.js';

const tag = 'Golden records';
const parameters = { goldenId: 'The record.' };
const may = 'golden_record:read';

/** What became of a golden record, and where it went. */
@Controller(`${basePath.slice(1)}/golden-records/:goldenId`)
export class GoldenStoryController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Endpoint({
    method: 'get',
    path: 'history',
    operationId: 'listGoldenVersions',
    summary: 'See what became of a golden record',
    description: 'Each version: what it changed, since when it was known, and which run or decision made it.',
    ...{ tag, may, parameters },
    readsQuery: true,
    replies: [{ status: 200, type: GoldenVersionPage, description: 'A page of versions.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async history(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('goldenId') goldenId: string,
    @Query() query: ListQuery,
  ): Promise<Answer<Page<Plain<GoldenVersionView>>>> {
    const id = idOf(goldenId, 'golden record');
    const { limit = defaultLimit, cursor } = query;
    const scope = ['golden-history', id];
    const below = decodeIdCursor(scope, cursor);
    const { row, versions, origins } = await this.hub.read(caller.institutionId, async (client) => {
      const found = await goldenOf(client, id);
      // One more than the page and what follows it: what the last one of the page changed is told by the one before it.
      const states = await listVersions(client, id, below, limit + 1);
      return { row: found, versions: states, origins: await originsOf(client, states) };
    });
    return pageOf({
      ...{ rows: versions, limit, filter: scope, url: request.url },
      position: (state) => [String(state.version)],
      toItem: (state): Plain<GoldenVersionView> =>
        toVersion(state, versions[versions.indexOf(state) + 1] ?? null, row.definition, origins, caller.role),
    });
  }

  @Endpoint({
    method: 'get',
    path: 'as-of',
    operationId: 'getGoldenRecordAsOf',
    summary: 'Look at a golden record as it was',
    description: 'By two times: as it was known at a moment, and what of that holds on a day.',
    ...{ tag, may, parameters },
    readsQuery: true,
    replies: [{ status: 200, type: AsOfView, description: 'The record then.' }],
  })
  async asOf(
    @CurrentCaller() caller: Caller,
    @Param('goldenId') goldenId: string,
    @Query() query: AsOfQuery,
  ): Promise<Plain<AsOfView>> {
    const id = idOf(goldenId, 'golden record');
    const now = this.clock.now();
    const knownAt = momentOf(query.knownAt, now);
    const validOn = query.validOn ?? dateIn(await this.timeZoneOf(caller), now);
    return await this.hub.read(caller.institutionId, async (client) => {
      const row = await goldenOf(client, id);
      const state = await findVersionAt(client, id, knownAt);
      if (state === null) throw new Problem('not_found', `Nothing was known of golden record ${id} at ${knownAt}.`);
      return toAsOf(state, row, { knownAt, validOn }, caller.role);
    });
  }

  @Endpoint({
    method: 'get',
    path: 'provenance',
    operationId: 'getGoldenProvenance',
    summary: 'See where the values of a golden record come from',
    description:
      'For each group: the system, its record, the run and the mapping version, or the decision, in words; and what every system says of it.',
    ...{ tag, may, parameters },
    replies: [{ status: 200, type: ProvenanceView, description: 'Where its values come from.' }],
  })
  async provenance(
    @CurrentCaller() caller: Caller,
    @Param('goldenId') goldenId: string,
  ): Promise<Plain<ProvenanceView>> {
    const id = idOf(goldenId, 'golden record');
    const loaded = await loadConfiguration(this.hub, caller.institutionId);
    const { row, known, images } = await this.hub.read(caller.institutionId, async (client) => {
      const found = await goldenOf(client, id);
      return { row: found, known: await findProvenance(client, found), images: await listImages(client, id) };
    });
    const systems = await Promise.all(
      images
        .filter((image) => reads(loaded, image, row.type))
        .map(async (image) => ({ image, statements: await this.statementsOf(caller, loaded, image, row) })),
    );
    const self = linkTo(`golden-records/${id}`);
    return {
      ...{ id, version: row.version, links: { self } },
      groups: toGroups(row, known, caller.role).flatMap((group, index) => {
        const definition = row.definition.groups[index];
        if (definition === undefined || !isShown(definition, caller.role)) return [];
        const masked = isMasked(definition, caller.role);
        const statements = systems.flatMap(({ image, statements: all }): Plain<StatementView>[] => {
          const statement = all[index];
          if (statement === undefined || statement.value === null) return [];
          return [
            {
              ...{ system: image.system, mapping: image.mapping, mappingVersion: image.mapping_version },
              ...{ sourceKey: image.source_key, state: statement.state, ...said(statement.value, masked) },
              agrees: statement.value === (row.values[index] ?? null),
            },
          ];
        });
        return [
          {
            ...originView(row, known, images, index),
            name: group.name,
            masked,
            ...said(row.values[index] ?? null, masked),
            ...{
              system: group.system,
              sourceKey: group.sourceKey,
              strategy: definition.strategy,
              words: group.words,
              statements,
            },
          },
        ];
      }),
    };
  }

  @Endpoint({
    method: 'get',
    path: 'targets',
    operationId: 'getGoldenTargets',
    summary: 'See whether a golden record has reached its targets',
    description:
      'Each target that takes records of its type: told, pending, withheld by a restriction, refused, edited there, or nothing of it belongs there.',
    ...{ tag, may, parameters },
    replies: [{ status: 200, type: TargetStatesView, description: 'The targets.' }],
  })
  async targets(
    @CurrentCaller() caller: Caller,
    @Param('goldenId') goldenId: string,
  ): Promise<Plain<TargetStatesView>> {
    const id = idOf(goldenId, 'golden record');
    const loaded = await loadConfiguration(this.hub, caller.institutionId);
    const day = dateIn(loaded.institution.timeZone, this.clock.now());
    const published = new Set(loaded.jobs.flatMap(({ definition }) => definition.targets));
    const { row, rows } = await this.hub.read(caller.institutionId, async (client) => {
      const found = await goldenOf(client, id);
      const targets = loaded.mappings
        .filter(({ definition }) => published.has(definition.name) && definition.target?.root === found.type)
        .map(({ id: mappingId, definition }) => ({
          mappingId,
          recipientClass: definition.target?.recipientClass ?? '',
        }));
      return { row: found, rows: await listTargets(client, id, targets, day) };
    });
    const names = new Map(loaded.mappings.map(({ id: mappingId, definition }) => [mappingId, definition.name]));
    return {
      items: rows.map((target) => toTargetState(target, names.get(target.mapping_id) ?? '', row.status)),
      links: { self: linkTo(`golden-records/${id}`) },
    };
  }

  private async timeZoneOf(caller: Caller): Promise<string> {
    return (await loadConfiguration(this.hub, caller.institutionId)).institution.timeZone;
  }

  /* Statements that are kept as raw only are read again, by the version of the mapping that read them. */
  private async statementsOf(
    caller: Caller,
    loaded: LoadedConfiguration,
    image: ImageRow,
    row: GoldenRow,
  ): Promise<readonly Statement[]> {
    const { statements, states, settled_version: settledVersion, settled, raw } = image;
    const silent = row.definition.groups.map((): Stated | null => null);
    if (statements !== null || raw === null)
      return unpackStatements({ statements: statements ?? silent, states, settledVersion, settled });
    const mapping = await loadMappingVersion(this.hub, caller.institutionId, image.mapping_id, image.mapping_version);
    const source = compileSource(
      mapping,
      loaded.entityTypes.map(({ definition }) => definition),
      loaded.codeTables.map(({ definition }) => definition),
    );
    const derived = deriveRecord(source, JSON.parse(raw) as RawRow, row.type, image.sub_key)?.values ?? silent;
    return unpackStatements({ statements: derived, states, settledVersion, settled });
  }
}

const goldenOf = async (client: PoolClient, id: string): Promise<GoldenRow> => {
  const row = await findGolden(client, id);
  if (row === null) throw notFound('golden record', id);
  return row;
};

const originsOf = (client: PoolClient, states: readonly VersionState[]): ReturnType<typeof findOrigins> =>
  findOrigins(
    client,
    states.flatMap((state) => state.values.map((_value, index) => originOf(state, index)).filter((id) => id !== null)),
  );

const momentOf = (asked: string | undefined, now: Date): string => {
  const moment = asked === undefined ? now : new Date(asked);
  if (Number.isNaN(moment.getTime())) throw new Problem('validation_failed', 'knownAt is no moment of the calendar.');
  return moment.toISOString();
};

/* Images of pure targets say nothing: they hold what they were told. */
const reads = (loaded: LoadedConfiguration, image: ImageRow, type: string): boolean =>
  loaded.mappings
    .find(({ id }) => id === image.mapping_id)
    ?.definition.source?.records.some(({ entityType }) => entityType === type) ?? false;

const originView = (
  row: GoldenRow,
  known: Provenance,
  images: readonly ImageRow[],
  index: number,
): Pick<Plain<GroupProvenanceView>, 'mapping' | 'mappingVersion' | 'runId' | 'knownAt'> => {
  const image = images.find(({ id }) => id === originOf(row, index));
  const since = (row.values[index] ?? null) === null ? null : (known.versions.get(versionOf(row, index)) ?? null);
  return {
    mapping: image?.mapping ?? null,
    mappingVersion: image?.mapping_version ?? null,
    runId: since?.run_id ?? null,
    knownAt: since?.started_at.toISOString() ?? null,
  };
};
