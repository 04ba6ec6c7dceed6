import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import type { Hub } from '../../database/hub.js';
import { canonicalJson } from '../../platform/canonical-json.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { notFound } from '../common/ids.js';
import { Problem } from '../common/problem.js';
import { HUB } from '../common/tokens.js';
import { validationProblem } from '../common/validation.js';
import { insertBatch } from '../decisions/batches.js';
import { isMasked } from '../golden/golden-row.js';
import { checkChoice, readCandidates, type DecisionChoice } from './choice.js';
import { readChoice, type BatchRequest, type DecisionRequest } from './conflict.dto.js';
import { lockConflicts, markDecided, type ConflictRow } from './conflict.queries.js';
import { toConflict } from './conflict-presenter.js';
import type { BatchResultsView, BatchResultView, DecisionView, MadeBatchView } from './conflict.view.js';
import type { Plain } from '../common/plain-type.js';

/** A decision as it is asked for. */
interface Asked {
  readonly conflictId: string;
  readonly version: number;
  readonly choice: DecisionChoice;
  readonly reason: string | null;
}

/** What a decision comes to, before anything is written. */
type Verdict =
  | { readonly result: 'decided'; readonly row: ConflictRow; readonly jobId: number; readonly value: string | null }
  | { readonly result: 'repeated'; readonly row: ConflictRow; readonly batchId: string }
  | { readonly result: 'not_found' }
  | {
      readonly result: 'conflict_changed' | 'closed' | 'choice_not_possible' | 'state_forbids';
      readonly row: ConflictRow;
      readonly detail: string;
    };

/** Decides questions: in the database, in one transaction. Who carries it out is woken by the outbox. */
@Injectable()
export class Decide {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

  /** @throws Problem not_found, conflict_changed, closed, choice_not_possible, state_forbids */
  async one(caller: Caller, conflictId: string, request: DecisionRequest): Promise<Plain<DecisionView>> {
    const asked = toAsked(conflictId, request, null);
    const decided = await this.hub.transaction(caller.institutionId, (client) => decideAll(client, caller, [asked]), {
      repeatable: true,
    });
    const [verdict] = decided.verdicts;
    if (verdict === undefined || verdict.result === 'not_found') throw notFound('question', conflictId);
    if (verdict.result !== 'decided' && verdict.result !== 'repeated') throw refusal(verdict, caller);
    const batchId = decided.batchOf(verdict);
    return {
      conflictId,
      state: 'decided',
      version: asked.version,
      batchId,
      links: { conflict: linkTo(`conflicts/${conflictId}`), batch: linkTo(`decisions/${batchId}`) },
    };
  }

  /** Each decision stands for itself. @throws Problem validation_failed where a question is named twice */
  async many(caller: Caller, request: BatchRequest): Promise<Plain<BatchResultsView>> {
    const asked = request.decisions.map((decision) => toAsked(decision.conflictId, decision, request.reason ?? null));
    refuseTwice(asked);
    const decided = await this.hub.transaction(caller.institutionId, (client) => decideAll(client, caller, asked), {
      repeatable: true,
    });
    const items = decided.verdicts.map((verdict, index) => toResult(verdict, index, asked, decided, caller));
    const accepted = items.filter(({ result }) => result === 'decided').length;
    return { accepted, rejected: items.length - accepted, batches: [...decided.batches], items };
  }
}

interface Decided {
  /** In the order of what was asked. */
  readonly verdicts: readonly Verdict[];
  readonly batches: readonly MadeBatchView[];
  batchOf(verdict: Extract<Verdict, { result: 'decided' | 'repeated' }>): string;
}

async function decideAll(client: PoolClient, caller: Caller, asked: readonly Asked[]): Promise<Decided> {
  const known = asked.map(({ conflictId }) => conflictId).filter((id) => /^[1-9]\d{0,17}$/.test(id));
  const rows = new Map((await lockConflicts(client, known)).map((row) => [row.id, row]));
  const verdicts = asked.map((one) => judge(rows.get(one.conflictId), one, caller));
  const batches = new Map<string, MadeBatchView>();
  // The run that carries a batch out is the child of the run that opened its questions: a batch for each of those.
  const groups = new Map<string, { asked: Asked; verdict: Extract<Verdict, { result: 'decided' }> }[]>();
  verdicts.forEach((verdict, index) => {
    const one = asked[index];
    if (verdict.result !== 'decided' || one === undefined) return;
    const key = groupKey(verdict);
    groups.set(key, [...(groups.get(key) ?? []), { asked: one, verdict }]);
  });
  for (const [key, members] of groups) {
    const [first] = members;
    if (first === undefined) continue;
    batches.set(key, await writeBatch(client, caller, members, first.verdict));
  }
  return {
    verdicts,
    batches: [...batches.values()],
    batchOf: (verdict) =>
      verdict.result === 'repeated' ? verdict.batchId : (batches.get(groupKey(verdict))?.batchId ?? ''),
  };
}

/** Rows that were held for an identity question pass through the loop again, as those of a release; the rest is settled. */
const batchKind = ({ row }: Extract<Verdict, { result: 'decided' }>): 'decision' | 'release' =>
  row.kind === 'identity' ? 'release' : 'decision';

const groupKey = (verdict: Extract<Verdict, { result: 'decided' }>): string =>
  `${verdict.row.opened_run}/${verdict.jobId}/${batchKind(verdict)}`;

async function writeBatch(
  client: PoolClient,
  caller: Caller,
  members: readonly { readonly asked: Asked; readonly verdict: Extract<Verdict, { result: 'decided' }> }[],
  first: Extract<Verdict, { result: 'decided' }>,
): Promise<Plain<MadeBatchView>> {
  const { row, jobId } = first;
  const reasons = [...new Set(members.map(({ asked }) => asked.reason))];
  const batchId = await insertBatch(client, {
    ...{ institutionId: caller.institutionId, actor: caller.actor, jobId, kind: batchKind(first) },
    parentRunId: row.opened_run,
    reason: reasons.length === 1 ? (reasons[0] ?? null) : null,
    items: members.map(({ asked, verdict }) => ({
      conflictId: asked.conflictId,
      version: asked.version,
      choice: asked.choice,
      ...(verdict.value === null ? {} : { value: verdict.value }),
    })),
  });
  await markDecided(
    client,
    members.map(({ asked }) => ({ id: asked.conflictId, decision: storedDecision(asked) })),
    { actor: caller.actor, batchId },
  );
  const links = { batch: linkTo(`decisions/${batchId}`) };
  return { batchId, parentRunId: row.opened_run, jobId: String(jobId), decisions: members.length, links };
}

const storedDecision = ({ version, choice, reason }: Asked): object => ({ version, choice, reason });

function judge(row: ConflictRow | undefined, asked: Asked, caller: Caller): Verdict {
  if (row === undefined) return { result: 'not_found' };
  if (row.state !== 'open') return judgeClosed(row, asked, caller);
  if (row.version !== asked.version) {
    return {
      result: 'conflict_changed',
      row,
      detail: `The question is at version ${row.version}; you decided on version ${asked.version}.`,
    };
  }
  if (
    isMasked(
      row.definition.groups.find(({ name }) => name === row.group_name),
      caller.role,
    )
  ) {
    const detail = `The role ${caller.role} sees these values masked; a steward decides this question.`;
    return { result: 'choice_not_possible', row, detail };
  }
  if (row.kind === 'duplicate' && row.other_id === null) {
    const detail = 'You do not see the other record; whoever sees both decides this question.';
    return { result: 'choice_not_possible', row, detail };
  }
  if (row.job_id === null)
    return { result: 'state_forbids', row, detail: 'No job carries decisions of this question out.' };
  const read = checkChoice(
    { kind: row.kind, group: row.group_name, definition: row.definition, candidates: readCandidates(row.candidates) },
    asked.choice,
  );
  if ('impossible' in read) return { result: 'choice_not_possible', row, detail: read.impossible };
  return { result: 'decided', row, jobId: row.job_id, value: read.value };
}

/* The same decision delivered again is the decision that was made. */
function judgeClosed(row: ConflictRow, asked: Asked, caller: Caller): Verdict {
  const same =
    row.decided_by === caller.actor &&
    canonicalJson(sameness(row.decision)) === canonicalJson(sameness(storedDecision(asked)));
  if (row.batch_id !== null && same) return { result: 'repeated', row, batchId: row.batch_id };
  const how =
    row.state === 'decided' || row.state === 'settled' ? `decided by ${row.decided_by ?? 'another'}` : row.state;
  return { result: 'closed', row, detail: `The question is closed: ${how}.` };
}

const sameness = (decision: unknown): unknown => {
  if (typeof decision !== 'object' || decision === null) return null;
  const { version, choice } = decision as Record<string, unknown>;
  return { version, choice };
};

function toAsked(conflictId: string, request: DecisionRequest, reason: string | null): Asked {
  const choice = readChoice(request.choice);
  if (choice === null) {
    throw validationProblem([
      {
        pointer: '/choice',
        code: 'invalid',
        detail: 'choice must be one of {take: system}, {keep: true}, {value: …} and {same: true or false}',
      },
    ]);
  }
  return { conflictId, version: request.version, choice, reason: request.reason ?? reason };
}

function refuseTwice(asked: readonly Asked[]): void {
  const seen = new Set<string>();
  const twice = asked.flatMap(({ conflictId }, index) => {
    const repeated = seen.has(conflictId);
    seen.add(conflictId);
    return repeated
      ? [{ pointer: `/decisions/${index}/conflictId`, code: 'repeated', detail: 'this question is decided twice' }]
      : [];
  });
  if (twice.length > 0) throw validationProblem(twice);
}

type Refused = Exclude<Verdict, { result: 'decided' | 'repeated' | 'not_found' }>;

const refusal = (verdict: Refused, caller: Caller): Problem =>
  new Problem(verdict.result, verdict.detail, { extensions: { current: toConflict(verdict.row, caller.role) } });

function toResult(
  verdict: Verdict,
  index: number,
  asked: readonly Asked[],
  decided: Decided,
  caller: Caller,
): Plain<BatchResultView> {
  const place = { pointer: `/decisions/${index}`, conflictId: asked[index]?.conflictId ?? '' };
  switch (verdict.result) {
    case 'decided':
    case 'repeated':
      return { ...place, result: 'decided', batchId: decided.batchOf(verdict), detail: null, current: null };
    case 'not_found':
      return {
        ...place,
        result: 'not_found',
        batchId: null,
        detail: 'There is no such question in your institution.',
        current: null,
      };
    default:
      return {
        ...place,
        result: verdict.result,
        batchId: null,
        detail: verdict.detail,
        current: toConflict(verdict.row, caller.role),
      };
  }
}
