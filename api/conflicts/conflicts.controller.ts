import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import type { QuestionState } from '../../database/rows.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { cursorShapes, decodeCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { etagOf } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { Idempotency } from '../common/idempotency.js';
import { idOf, notFound, smallIdOf } from '../common/ids.js';
import { defaultLimit } from '../common/list-query.js';
import { HUB } from '../common/tokens.js';
import { BatchBody, ConflictListQuery, DecisionBody, type ConflictListRequest } from './conflict.dto.js';
import {
  countConflicts,
  findConflict,
  listConflicts,
  type ConflictFilter,
  type ConflictOrder,
  type ConflictRow,
} from './conflict.queries.js';
import { toConflict } from './conflict-presenter.js';
import { BatchResultsView, ConflictPage, ConflictView, DecisionView } from './conflict.view.js';
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
    const filter = toFilter(asked);
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

const toFilter = (asked: ConflictListRequest): ConflictFilter => ({
  states: statesOf(asked.status ?? 'pending'),
  kinds: asked.type?.split(',') ?? null,
  jobId: asked.job === undefined ? null : smallIdOf(asked.job, 'job'),
  runId: asked.run === undefined ? null : idOf(asked.run, 'run'),
  entityType: asked.entityType ?? null,
  group: asked.group ?? null,
});

const questionStates: Readonly<Record<string, QuestionState>> = {
  pending: 'open',
  decided: 'decided',
  settled: 'settled',
  withdrawn: 'withdrawn',
  agreed: 'agreed',
};

/** null: in any. */
const statesOf = (status: string): readonly QuestionState[] | null => {
  const state = questionStates[status];
  return state === undefined ? null : [state];
};

const toOrder = (sort = 'createdAt'): ConflictOrder => ({
  by: sort.endsWith('dueAt') ? 'dueAt' : 'createdAt',
  descending: sort.startsWith('-'),
});
