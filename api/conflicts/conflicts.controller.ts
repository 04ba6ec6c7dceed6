import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import type { Clock } from '../../platform/clock.js';
import type { QuestionState } from '../../database/rows.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { cursorShapes, decodeCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { millisecondsOf } from '../common/duration.js';
import { etagOf, requireMatch } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { Idempotency, requireIdempotencyKey } from '../common/idempotency.js';
import { idOf, notFound, smallIdOf } from '../common/ids.js';
import { defaultLimit } from '../common/list-query.js';
import { Problem } from '../common/problem.js';
import { CLOCK, HUB } from '../common/tokens.js';
import { TakenBackView } from '../decisions/decision.view.js';
import { TakeBack } from '../decisions/take-back.js';
import { TakeBackBody } from '../decisions/take-back.dto.js';
import {
  AssigneeBody,
  BatchBody,
  ConflictFacetsQuery,
  ConflictListQuery,
  DecisionBody,
  type ConflictListRequest,
} from './conflict.dto.js';
import {
  assign,
  countConflicts,
  findConflict,
  listConflicts,
  type ConflictFilter,
  type ConflictOrder,
  type ConflictRow,
} from './conflict.queries.js';
import { toConflict } from './conflict-presenter.js';
import { BatchResultsView, ConflictPage, ConflictView, DecisionView, FacetsView } from './conflict.view.js';
import { countFacets, type FacetRow } from './facets.js';
import { Decide } from './decide.js';
import type { Plain } from '../common/plain-type.js';

const tag = 'Questions';
const parameters = { conflictId: 'The question.' };

/** The inbox: what the rules could not settle. */
@Controller(`${basePath.slice(1)}/conflicts`)
export class ConflictsController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly decide: Decide,
    private readonly idempotency: Idempotency,
    private readonly takingBack: TakeBack,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Endpoint({
    method: 'get',
    path: 'pending',
    operationId: 'listConflicts',
    summary: 'List the questions that wait for a person',
    description:
      'Each with all that is needed to decide it: what differs in words, what each system says, the value that stands, what we would choose, and what a decision changes. `status` lists others too.',
    tag,
    may: 'question:read',
    readsQuery: true,
    replies: [{ status: 200, type: ConflictPage, description: 'A page of questions.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async list(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: ConflictListQuery,
  ): Promise<Answer<Page<Plain<ConflictView>>>> {
    const { limit = defaultLimit, cursor, ...asked } = query;
    const scope = ['conflicts', asked];
    const filter = toFilter(asked, caller, this.clock.now());
    const order = toOrder(asked.sort);
    const byDue = order.by === 'dueAt';
    const after = decodeCursor(scope, cursor, byDue ? [cursorShapes.moment, cursorShapes.id] : [cursorShapes.id]);
    const { rows, count } = await this.hub.read(caller.institutionId, async (client) => ({
      rows: await listConflicts(client, filter, order, after, limit + 1),
      count: await countConflicts(client, filter),
    }));
    const position = (row: ConflictRow): readonly string[] => (byDue ? [row.due_key, row.id] : [row.id]);
    const toItem = (row: ConflictRow): Plain<ConflictView> => toConflict(row, caller.role);
    return pageOf({ rows, limit, filter: scope, url: request.url, position, toItem, count });
  }

  @Endpoint({
    method: 'get',
    path: 'facets',
    operationId: 'countConflicts',
    summary: 'Count the questions',
    description:
      'Of a filter, as the list takes it: how many, how many overdue, and how many by status, type, job, entity type, group, system and assignee. Numbers only.',
    tag,
    may: 'question:count',
    readsQuery: true,
    replies: [{ status: 200, type: FacetsView, description: 'The counts.' }],
    problems: ['not_found'],
  })
  async facets(@CurrentCaller() caller: Caller, @Query() query: ConflictFacetsQuery): Promise<Plain<FacetsView>> {
    const now = this.clock.now();
    const filter = toFilter(query, caller, now);
    const { rows, total, overdue } = await this.hub.read(caller.institutionId, (client) =>
      countFacets(client, filter, now),
    );
    return { count: total, overdue, facets: toFacets(rows) };
  }

  @Endpoint({
    method: 'put',
    path: '{conflictId}/assignee',
    operationId: 'assignConflict',
    summary: 'Name who is to decide a question',
    description: 'On the version that was seen. Others may decide it all the same.',
    tag,
    may: 'question:decide',
    parameters,
    ifMatch: true,
    body: { type: AssigneeBody, example: { assignee: 'me' } },
    replies: [{ status: 200, type: ConflictView, description: 'The question.', headers: ['ETag'] }],
    problems: ['closed'],
  })
  async assign(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('conflictId') conflictId: string,
    @Body() body: AssigneeBody,
  ): Promise<Answer<Plain<ConflictView>>> {
    const id = idOf(conflictId, 'question');
    const row = await this.hub.transaction(caller.institutionId, async (client) => {
      const found = await findConflict(client, id);
      if (found === null) throw notFound('question', id);
      const current = toConflict(found, caller.role);
      requireMatch(
        request,
        { version: found.version, changedBy: `run ${found.opened_run}`, changedAt: found.created_at.toISOString() },
        () => ({ current }),
      );
      const assigned = await assign(client, id, found.version, body.assignee === 'me' ? caller.actor : body.assignee);
      if (!assigned) throw new Problem('closed', 'The question is closed.', { extensions: { current } });
      return (await findConflict(client, id)) ?? found;
    });
    return new Answer(toConflict(row, caller.role), { status: 200, headers: { etag: etagOf(row.version) } });
  }

  @Endpoint({
    method: 'post',
    path: '{conflictId}/decision/take-back',
    operationId: 'takeBackDecision',
    summary: 'Take a decision back',
    description:
      'One that waits is withdrawn from its batch. One that was carried out alone is rolled back with its run; one that was carried out together with others goes back with its batch only.',
    tag,
    may: 'decision:take_back',
    parameters,
    body: { type: TakeBackBody, example: { reason: 'The wrong one of two' } },
    idempotencyKey: 'required',
    replies: [
      { status: 200, type: TakenBackView, description: 'Withdrawn.', headers: ['Idempotency-Replayed'] },
      {
        status: 202,
        type: TakenBackView,
        description: 'It is rolled back.',
        headers: ['Location', 'Idempotency-Replayed'],
      },
    ],
    problems: ['state_forbids', 'preview_outdated'],
  })
  async takeBack(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('conflictId') conflictId: string,
    @Body() body: TakeBackBody,
  ): Promise<Answer<unknown>> {
    const id = idOf(conflictId, 'question');
    const key = requireIdempotencyKey(request);
    return await this.idempotency.once(caller, request, body, async () => {
      const row = await this.hub.read(caller.institutionId, (client) => findConflict(client, id));
      if (row === null) throw notFound('question', id);
      return await this.takingBack.one(caller, { of: 'question', id }, row.batch_id, key, body);
    });
  }

  @Endpoint({
    method: 'get',
    path: '{conflictId}',
    operationId: 'getConflict',
    summary: 'Look at a question',
    description: 'As in the list; closed ones with what was decided.',
    tag,
    may: 'question:read',
    parameters,
    replies: [{ status: 200, type: ConflictView, description: 'The question.', headers: ['ETag'] }],
  })
  async get(
    @CurrentCaller() caller: Caller,
    @Param('conflictId') conflictId: string,
  ): Promise<Answer<Plain<ConflictView>>> {
    const id = idOf(conflictId, 'question');
    const row = await this.hub.read(caller.institutionId, (client) => findConflict(client, id));
    if (row === null) throw notFound('question', id);
    return new Answer(toConflict(row, caller.role), { headers: { etag: etagOf(row.version) } });
  }

  @Endpoint({
    method: 'post',
    path: '{conflictId}/decision',
    operationId: 'decideConflict',
    summary: 'Decide a question',
    description:
      'Durable when it answers 200, and carried out in a moment by a run of its own. The same decision sent again is the same decision. Made on an outdated version it is refused with the question as it is now.',
    tag,
    may: 'question:decide',
    parameters,
    body: { type: DecisionBody, example: { version: 1, choice: { take: 'sis' }, reason: 'Confirmed by phone' } },
    idempotencyKey: 'optional',
    replies: [{ status: 200, type: DecisionView, description: 'Decided.', headers: ['Idempotency-Replayed'] }],
    problems: ['conflict_changed', 'closed', 'choice_not_possible', 'state_forbids'],
  })
  async one(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('conflictId') conflictId: string,
    @Body() body: DecisionBody,
  ): Promise<Answer<unknown>> {
    const id = idOf(conflictId, 'question');
    return await this.idempotency.once(
      caller,
      request,
      body,
      async () => new Answer(await this.decide.one(caller, id, body), { status: 200 }),
    );
  }

  @Endpoint({
    method: 'post',
    path: 'decisions::batch',
    operationId: 'decideConflicts',
    summary: 'Decide many questions',
    description: 'Up to 1,000 decisions at once; each stands for itself and gets a result of its own.',
    tag,
    may: 'question:decide',
    body: {
      type: BatchBody,
      example: {
        decisions: [{ conflictId: '17', version: 1, choice: { take: 'hr' } }],
        reason: 'The e-mail domain changed',
      },
    },
    idempotencyKey: 'optional',
    replies: [
      { status: 200, type: BatchResultsView, description: 'A result for each.', headers: ['Idempotency-Replayed'] },
    ],
  })
  async many(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Body() body: BatchBody,
  ): Promise<Answer<unknown>> {
    return await this.idempotency.once(
      caller,
      request,
      body,
      async () => new Answer(await this.decide.many(caller, body), { status: 200 }),
    );
  }
}

const toFilter = (asked: ConflictListRequest, caller: Caller, now: Date): ConflictFilter => ({
  states: statesOf(asked.status ?? 'pending'),
  kinds: asked.type?.split(',') ?? null,
  jobId: asked.job === undefined ? null : smallIdOf(asked.job, 'job'),
  runId: asked.run === undefined ? null : idOf(asked.run, 'run'),
  entityType: asked.entityType ?? null,
  group: asked.group ?? null,
  assignee: assigneeOf(asked.assignee, caller),
  openedBy: asked.olderThan === undefined ? null : new Date(now.getTime() - (millisecondsOf(asked.olderThan) ?? 0)),
  system: asked.system ?? null,
});

const assigneeOf = (asked: string | undefined, caller: Caller): string | null => {
  if (asked === undefined) return null;
  if (asked === 'nobody') return '';
  return asked === 'me' ? caller.actor : asked;
};

const toFacets = (rows: readonly FacetRow[]): Plain<FacetsView>['facets'] =>
  ['status', 'type', 'job', 'entityType', 'group', 'assignee', 'system'].map((name) => ({
    name,
    values: rows.filter(({ facet }) => facet === name).map(({ value, count }) => ({ value, count })),
  }));

const questionStates: Readonly<Record<string, QuestionState>> = {
  pending: 'open',
  decided: 'decided',
  settled: 'settled',
  withdrawn: 'withdrawn',
  agreed: 'agreed',
};

/** null: in any. */
const statesOf = (status: string): readonly QuestionState[] | null => {
  const words = status.split(',');
  if (words.includes('all')) return null;
  return words.flatMap((word) => questionStates[word] ?? []);
};

const toOrder = (sort = 'createdAt'): ConflictOrder => ({
  by: sort.endsWith('dueAt') ? 'dueAt' : 'createdAt',
  descending: sort.startsWith('-'),
});
