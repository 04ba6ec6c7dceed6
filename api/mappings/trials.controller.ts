import { Body, Controller, Inject, Param } from '@nestjs/common';
import { configurationOf } from '../../database/configuration-store.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import { columnsByAttribute, proposeMapping, type MappingProposal } from '../../domain/mapping-proposal.js';
import { trialColumns, tryMapping } from '../../domain/mapping-trial.js';
import { trialRows, type Discovery } from '../../domain/inquiry.js';
import type { Clock } from '../../platform/clock.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { Endpoint } from '../common/endpoint.js';
import { AnyJson, Count, FreeList, FreeObject, ListOf, Text, Texts } from '../common/fields.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { Idempotency } from '../common/idempotency.js';
import { notFound } from '../common/ids.js';
import { judgeItem, requireValid } from '../common/judge.js';
import type { Plain } from '../common/plain-type.js';
import { toPlain } from '../common/plain.js';
import { Problem } from '../common/problem.js';
import { CLOCK } from '../common/tokens.js';
import { ConfigurationStore } from '../configuration/configuration-store.js';
import { AskSystem } from '../inquiries/ask.js';
import { inquiryReplies } from '../inquiries/inquiries.controller.js';
import type { InquiryView } from '../inquiries/inquiry.view.js';
import { maskTrial } from '../inquiries/mask-trial.js';
import { rowsOfRecords } from '../quality/read-rows.js';
import { findMapping } from './put-mapping.js';

/** What is to be tried. */
export class DryRunBody {
  @FreeObject({
    optional: true,
    description: 'The mapping as it would be; absent: as it stands.',
    example: { name: 'hr.staff', system: 'hr', entity: 'staff' },
  })
  definition?: object;

  @FreeList({
    optional: true,
    max: trialRows,
    description: 'Rows to try it on; absent: the first ones of the source, which a worker reads.',
    example: [{ id: 'E-77', email: ' Amara@lakeside.example ' }],
  })
  rows?: Record<string, unknown>[];

  @Count({
    optional: true,
    min: 1,
    max: trialRows,
    description: 'How many rows of the source (default 20).',
    example: 20,
  })
  limit?: number;
}

/** What a mapping is to be proposed for. */
export class ProposeBody {
  @Text({ min: 1, max: 20, description: 'The discovery that told of the entity.', example: '7' })
  inquiryId: string;

  @Text({ min: 1, max: 500, description: 'The table or file.', example: 'students' })
  entity: string;

  @Text({ min: 1, max: 200, description: 'The entity type that its rows are of.', example: 'person' })
  entityType: string;
}

/** A column and the attribute that it is proposed for. */
export class ProposedMatchView {
  @Text({ max: 500, description: 'The column.', example: 'dob' })
  column: string;

  @Text({ max: 200, description: 'The group; empty: it is an identifier.', example: 'birth_date' })
  group: string;

  @Text({ max: 200, description: 'The attribute, or the scheme of the identifier.', example: 'birth_date' })
  attribute: string;

  @AnyJson({ description: 'How sure, 0 to 1.', example: 0.95 })
  confidence: unknown;

  @Text({ max: 300, description: 'Why.', example: 'the names mean the same, and the types agree' })
  why: string;
}

/** A mapping to be looked at. Nothing is stored. */
export class ProposalView {
  @FreeObject({ nullable: true, description: 'The mapping; null: no column fits.', example: { name: 'sis.students' } })
  definition: object | null;

  @ListOf(() => ProposedMatchView, { max: 5000, description: 'What it is made of, the surest first.' })
  matches: ProposedMatchView[];

  @Texts({ max: 5000, maxEach: 500, description: 'Columns that nothing is proposed for.' })
  unmapped: string[];
}

const tag = 'Mappings';

/** Mappings that are tried out or proposed; nothing of it is stored. */
@Controller(`${basePath.slice(1)}/mappings`)
export class MappingTrialsController {
  constructor(
    private readonly configurations: ConfigurationStore,
    private readonly asking: AskSystem,
    private readonly idempotency: Idempotency,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Endpoint({
    ...{ method: 'post', path: '{mappingId}/dry-run', operationId: 'dryRunMapping', tag, may: 'mapping:try' },
    summary: 'What would a mapping make of rows?',
    description:
      'Reads given rows, or the first ones of the source, by the mapping as it stands and as it would be: values before and after as your role sees them, problems by record and by field.',
    parameters: {
      mappingId: 'The mapping: its id or its name; one that is not there yet is named as `definition` names it.',
    },
    body: { type: DryRunBody, example: { limit: 20 }, required: false },
    idempotencyKey: 'optional',
    replies: inquiryReplies,
    problems: ['configuration_invalid', 'state_forbids'],
  })
  async dryRun(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('mappingId') id: string,
    @Body() body: DryRunBody,
  ): Promise<Answer<unknown>> {
    const { current, before, after } = await this.configurations.read(caller, (stored) => {
      const configuration = configurationOf(stored);
      return { current: configuration, ...definitionsOf(configuration, stored.mappings, id, body) };
    });
    if (body.rows !== undefined) return new Answer(this.tried(caller, current, { before, after, rows: body.rows }));
    // The first rows of a source are of anybody.
    if (caller.organisations.length > 0)
      throw new Problem('forbidden', 'You see the people of some organisations alone; try the mapping on given rows.');
    const parameters = { definition: after, limit: body.limit ?? 20 };
    return await this.idempotency.once(caller, request, parameters, () =>
      this.asking.ask(caller, { kind: 'mapping_trial', subject: after.name, parameters }),
    );
  }

  @Endpoint({
    ...{ method: 'post', path: 'propose', operationId: 'proposeMapping', tag, may: 'mapping:write' },
    summary: 'Propose a mapping',
    description:
      'For an entity that a discovery told of: columns are matched to attributes by name, type, and what other mappings read so. To be looked at by a person, and stored by them.',
    body: { type: ProposeBody, example: { inquiryId: '7', entity: 'students', entityType: 'person' } },
    replies: [{ status: 200, type: ProposalView, description: 'The proposal.' }],
    problems: ['not_found', 'state_forbids'],
  })
  async propose(@CurrentCaller() caller: Caller, @Body() body: ProposeBody): Promise<Plain<ProposalView>> {
    const { kind, subject, state, answer } = await this.asking.look(caller, body.inquiryId);
    if (kind !== 'discovery' || state !== 'answered')
      throw new Problem('state_forbids', 'Name a discovery that is answered.');
    // Sound: what the worker wrote for this kind.
    const entity = (answer as Discovery).entities.find((one) => one.entity === body.entity);
    if (entity === undefined) throw notFound('entity in this discovery', body.entity);
    const proposal = await this.configurations.read(caller, (stored): MappingProposal => {
      const { entityTypes, mappings } = configurationOf(stored);
      const type = entityTypes.find(({ name }) => name === body.entityType);
      if (type === undefined) throw notFound('entity type', body.entityType);
      const forms = new Map(entity.statistics?.columns.map(({ column, form }) => [column, form]));
      const columns = entity.columns.map(({ name, type: declared }) => ({
        ...{ name, type: declared, form: forms.get(name) ?? null },
      }));
      const known = columnsByAttribute(mappings, type);
      return proposeMapping(
        { system: subject, entity: entity.entity, columns, key: entity.key },
        type,
        known,
        mappings,
      );
    });
    return proposal;
  }

  private tried(
    caller: Caller,
    current: Configuration,
    of: {
      readonly before: MappingDefinition | null;
      readonly after: MappingDefinition;
      readonly rows: DryRunBody['rows'];
    },
  ): Plain<InquiryView> {
    const columns = trialColumns(of.before, of.after);
    const { rows, unreadable } = rowsOfRecords(of.rows ?? [], columns);
    if (unreadable.length > 0)
      throw new Problem('validation_failed', 'A cell is a text, a number, a flag or null.', {
        errors: unreadable.map(({ pointer, problem }) => ({
          ...{ pointer: pointer.replace('/records', '/rows'), code: 'invalid', detail: problem.detail },
        })),
      });
    const trial = tryMapping(current, of.before, of.after, { columns, rows: rows.map(({ cells }) => cells) });
    const now = this.clock.now().toISOString();
    return {
      ...{ id: null, kind: 'mapping_trial', subject: of.after.name, state: 'answered', askedAt: now, answeredAt: now },
      ...{ answer: maskTrial(trial, caller.role, current.entityTypes), failure: null, links: {} },
    };
  }
}

const definitionsOf = (
  current: Configuration,
  stored: Parameters<typeof findMapping>[0],
  id: string,
  { definition }: DryRunBody,
): { readonly before: MappingDefinition | null; readonly after: MappingDefinition } => {
  const stands = current.mappings.find(({ name }) =>
    stored.some((row) => row.name === name && (row.name === id || String(row.id) === id)),
  );
  const given =
    definition === undefined
      ? null
      : requireValid(judgeItem(current, 'mappings', toPlain(definition) as object)).definition;
  const after = given ?? stands;
  if (after === undefined || (stands === undefined && after.name !== id)) throw notFound('mapping', id);
  if (stands !== undefined && after.name !== stands.name)
    throw new Problem('state_forbids', `The definition is of ${after.name}, and not of ${stands.name}.`);
  if (after.source === undefined) throw new Problem('state_forbids', `${after.name} reads no rows.`);
  return { before: stands ?? null, after };
};
