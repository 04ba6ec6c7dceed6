import type { Type } from '@nestjs/common';
import { CodeTableBody, EntityTypeBody, KindQuery, SystemBody } from './configured.dto.js';
import {
  CodeTablePage,
  CodeTableView,
  ConfiguredView,
  EntityTypePage,
  EntityTypeView,
  SystemPage,
  SystemView,
} from './configured.view.js';
import { ListingQuery } from '../common/listing.js';
import { lifecycleController } from './lifecycle.controller.js';
import { plainController } from './plain.controller.js';
import { toConfigured, type PlainResource, type Row } from './resource.js';
import { MappingView } from '../mappings/mapping.view.js';
import { toMapping, type MappingRow } from '../mappings/put-mapping.js';
import { ConfigurationFilesController } from './files.controller.js';
import { InstitutionController } from './institution.controller.js';
import { codeTables, entityTypes, jobs, mappings, systems } from './resources.js';
import { RulesController } from './rules.controller.js';

const isOfKind = (row: Row, { kind }: { readonly kind?: string }): boolean =>
  kind === undefined || ('kind' in row.definition && row.definition.kind === kind);

const plainResources: readonly PlainResource[] = [
  {
    ...systems,
    ...{ body: SystemBody, view: SystemView, page: SystemPage, query: KindQuery, matches: isOfKind },
    example: { name: 'hr', kind: 'postgresql', settings: { url: { env: 'CONCORD_SECRET_HR_URL' } }, owner: 'HR' },
    words:
      'A secret is named by the variable that holds it where the workers run; one that is given openly is refused.',
  },
  {
    ...entityTypes,
    ...{ body: EntityTypeBody, view: EntityTypeView, page: EntityTypePage, query: KindQuery, matches: isOfKind },
    example: {
      ...{ name: 'course', kind: 'mastered', subject: 'none' },
      groups: [
        { name: 'title', attributes: [{ name: 'title', type: 'text' }], strategy: 'three_way', priority: ['sis'] },
      ],
    },
    words:
      'Once there are records of it, what would make them unreadable is refused with each reason: another kind, groups or attributes removed, moved or retyped. Groups may be added after the last one.',
  },
  {
    ...codeTables,
    ...{ body: CodeTableBody, view: CodeTableView, page: CodeTablePage, query: ListingQuery, matches: () => true },
    example: { name: 'countries', entries: [{ concept: 'CH', codes: { sis: ['756'] } }] },
    words: 'Mappings that read by it get a new version: their rows are read anew by the next run.',
  },
];

const plainControllers = plainResources.flatMap((resource) => [
  plainController(resource),
  lifecycleController(resource, { view: resource.view, show: (row) => toConfigured(resource, row) }),
]);

/** The routes of everything configured, but for those that mappings and jobs have of their own. */
export const configurationControllers: readonly Type<unknown>[] = [
  ...plainControllers,
  lifecycleController(mappings, { view: MappingView, show: (row) => toMapping(row as MappingRow) }),
  lifecycleController(jobs, { view: ConfiguredView, show: (row) => toConfigured(jobs, row) }),
  ...[RulesController, InstitutionController, ConfigurationFilesController],
];
