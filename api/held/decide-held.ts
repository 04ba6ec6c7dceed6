import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import type { Hub } from '../../database/hub.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { notFound } from '../common/ids.js';
import { Problem } from '../common/problem.js';
import { HUB } from '../common/tokens.js';
import { insertBatch, toAccepted } from '../decisions/batches.js';
import type { AcceptedView } from '../decisions/decision.view.js';
import type { HeldDecisionRequest } from './held.dto.js';
import { countHeldRecords, findHeld, markHeld, type HeldRow } from './held.queries.js';
import type { HeldChangeView } from './held.view.js';
import type { Plain } from '../common/plain-type.js';

const outcomes = { release: 'released', discard: 'discarded' } as const;
export type HeldDecision = keyof typeof outcomes;

/** Releases or discards what was held, in one transaction. Who carries it out is woken by the outbox. */
@Injectable()
export class DecideHeld {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

  /** @throws Problem not_found, conflict_changed, closed, state_forbids */
  async decide(
    caller: Caller,
    heldId: string,
    decision: HeldDecision,
    request: HeldDecisionRequest,
  ): Promise<Plain<AcceptedView>> {
    return await this.hub.transaction(
      caller.institutionId,
      async (client) => {
        const row = await findHeld(client, heldId, true);
        if (row === null) throw notFound('held change', heldId);
        const repeated = repeatedBatch(row, caller, decision, request);
        if (repeated !== null) return toAccepted(decision, repeated);
        refuseUnlessHeld(row, request);
        await refuseUnseen(client, caller, row);
        if (row.job_id === null)
          throw new Problem('state_forbids', 'No job carries decisions on this held change out.');
        const batchId = await insertBatch(client, {
          ...{ institutionId: caller.institutionId, actor: caller.actor, jobId: row.job_id, kind: decision },
          ...{ parentRunId: row.run_id, reason: request.reason, items: [{ heldId, version: row.version }] },
        });
        await markHeld(client, heldId, { state: outcomes[decision], actor: caller.actor, batchId });
        return toAccepted(decision, batchId);
      },
      { repeatable: true },
    );
  }
}

/* A held change is decided whole: by whoever sees all of its records. */
async function refuseUnseen(client: PoolClient, caller: Caller, row: HeldRow): Promise<void> {
  if (caller.organisations.length === 0 || (await countHeldRecords(client, row.id)) >= Number(row.row_count)) return;
  throw new Problem('forbidden', 'It touches records of people whom you do not see; a steward decides it.');
}

/* The same decision delivered again is the decision that was made. */
function repeatedBatch(
  row: HeldRow,
  caller: Caller,
  decision: HeldDecision,
  request: HeldDecisionRequest,
): string | null {
  const decided = row.state === outcomes[decision] || (decision === 'release' && row.state === 'applied');
  return decided && row.decided_by === caller.actor && row.version === request.version ? row.batch_id : null;
}

function refuseUnlessHeld(row: HeldRow, request: HeldDecisionRequest): void {
  const extensions = { current: toHeldChange(row) };
  if (row.state !== 'held') {
    const how = row.decided_by === null ? row.state : `${row.state}, decided by ${row.decided_by}`;
    throw new Problem('closed', `The held change is closed: ${how}.`, { extensions });
  }
  if (row.version === request.version) return;
  throw new Problem(
    'conflict_changed',
    `The held change is at version ${row.version}; you decided on version ${request.version}.`,
    { extensions },
  );
}

const operations = { insert: 'add', update: 'change', delete: 'remove', any: 'change' } as const;

/** A held change as it is shown. */
export const toHeldChange = (row: HeldRow): Plain<HeldChangeView> => {
  const self = linkTo(`held-changes/${row.id}`);
  return {
    id: row.id,
    status: row.state,
    version: row.version,
    cause: row.cause,
    operation: row.operation,
    mapping: row.mapping,
    rows: Number(row.row_count),
    of: Number(row.base_count),
    words: inWords(row),
    reason: row.reason,
    jobId: row.job_id === null ? null : String(row.job_id),
    runId: row.run_id,
    decidedBy: row.decided_by,
    decidedAt: row.decided_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
    links: {
      self,
      records: `${self}/records`,
      ...(row.state === 'held' ? { release: `${self}/release`, discard: `${self}/discard` } : {}),
      run: linkTo(`runs/${row.run_id}`),
      ...(row.batch_id === null ? {} : { batch: linkTo(`decisions/${row.batch_id}`) }),
    },
  };
};

/* The share is rounded up, as the guard's reason says it. */
const inWords = (row: HeldRow): string => {
  const [rows, base] = [Number(row.row_count), Number(row.base_count)];
  const share = base === 0 ? '' : ` of ${base} records (${(Math.ceil((1_000 * rows) / base) / 10).toFixed(1)}%)`;
  const who = row.mapping ?? 'The job';
  const count = `${rows}${share === '' ? ` record${rows === 1 ? '' : 's'}` : share}`;
  switch (row.cause) {
    case 'limit':
      return `${who} wants to ${operations[row.operation]} ${count}.`;
    case 'rolled_back_input':
      return `${who} brings ${count} again that ${rows === 1 ? 'was' : 'were'} rolled back.`;
    case 'identity':
      return `${who} says that ${count} now stand for another person.`;
  }
};
