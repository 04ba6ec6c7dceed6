import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { notFound } from '../common/ids.js';
import type { Plain } from '../common/plain-type.js';
import { Problem } from '../common/problem.js';
import { HUB } from '../common/tokens.js';
import { validationProblem } from '../common/validation.js';
import { insertBatch, toAccepted } from '../decisions/batches.js';
import type { AcceptedView } from '../decisions/decision.view.js';
import type { MadeBatchView } from '../conflicts/conflict.view.js';
import type { ReplayItemRequest, ReplayManyRequest, ReplayRequest } from './rejected.dto.js';
import { lockRejected, markReplaying, type RejectedRow } from './rejected.queries.js';
import type { ReplayResultsView, ReplayResultView } from './rejected.view.js';
import { RowReaders } from './row.js';

type Refusal = 'not_found' | 'conflict_changed' | 'state_forbids' | 'row_still_rejected';

type Verdict =
  | { readonly result: 'replaying'; readonly row: RejectedRow; readonly jobId: number; readonly key: string }
  | { readonly result: Refusal; readonly detail: string };

interface Replayed {
  readonly verdicts: readonly Verdict[];
  /** The batch of each record that is replayed, by its id. */
  readonly batchOf: ReadonlyMap<string, string>;
  readonly batches: readonly Plain<MadeBatchView>[];
}

/** Sends records that were set aside through a run of their own, as a kind of decision: stored in one transaction with the word
 *  that wakes who carries it out. */
@Injectable()
export class ReplayRejected {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

  /** @throws Problem not_found, conflict_changed, state_forbids, row_still_rejected */
  async one(caller: Caller, rejectedId: string, request: ReplayRequest): Promise<Plain<AcceptedView>> {
    const asked = [{ rejectedId, version: request.version }];
    const { verdicts, batchOf } = await this.replay(caller, asked, request.reason ?? null);
    const [verdict] = verdicts;
    if (verdict === undefined || verdict.result === 'not_found') throw notFound('record set aside', rejectedId);
    if (verdict.result !== 'replaying') throw new Problem(verdict.result, verdict.detail);
    return toAccepted('replay', batchOf.get(rejectedId) ?? '');
  }

  /** Each stands for itself. @throws Problem validation_failed where a record is named twice */
  async many(caller: Caller, request: ReplayManyRequest): Promise<Plain<ReplayResultsView>> {
    refuseTwice(request.records);
    const { verdicts, batchOf, batches } = await this.replay(caller, request.records, request.reason ?? null);
    const items = request.records.map(({ rejectedId }, index): Plain<ReplayResultView> => {
      const verdict = verdicts[index] ?? { result: 'not_found', detail: '' };
      return {
        ...{ pointer: `/records/${index}`, rejectedId, result: verdict.result },
        batchId: batchOf.get(rejectedId) ?? null,
        detail: verdict.result === 'replaying' ? null : verdict.detail,
      };
    });
    const accepted = items.filter(({ result }) => result === 'replaying').length;
    return { accepted, rejected: items.length - accepted, batches, items };
  }

  private async replay(caller: Caller, asked: readonly ReplayItemRequest[], reason: string | null): Promise<Replayed> {
    const readers = new RowReaders(await loadConfiguration(this.hub, caller.institutionId));
    return await this.hub.transaction(
      caller.institutionId,
      async (client) => {
        const ids = asked.map(({ rejectedId }) => rejectedId).filter((id) => /^[1-9]\d{0,17}$/.test(id));
        const rows = new Map((await lockRejected(client, ids)).map((row) => [row.id, row]));
        const verdicts = withoutTwins(asked.map((one) => judge(rows.get(one.rejectedId), one, readers)));
        return { verdicts, ...(await writeBatches(client, caller, verdicts, reason)) };
      },
      { repeatable: true },
    );
  }
}

/* The run that replays is the child of the run that set aside: a batch for each of those. */
async function writeBatches(
  client: PoolClient,
  caller: Caller,
  verdicts: readonly Verdict[],
  reason: string | null,
): Promise<Omit<Replayed, 'verdicts'>> {
  const replayed = verdicts.filter((verdict) => verdict.result === 'replaying');
  const batchOf = new Map<string, string>();
  const batches: Plain<MadeBatchView>[] = [];
  for (const runId of new Set(replayed.map(({ row }) => row.run_id))) {
    const members = replayed.filter(({ row }) => row.run_id === runId);
    const jobId = members[0]?.jobId ?? 0;
    const batchId = await insertBatch(client, {
      ...{ institutionId: caller.institutionId, actor: caller.actor, jobId, kind: 'replay' as const, reason },
      parentRunId: runId,
      items: members.map(({ row }) => ({ rejectedId: row.id, version: row.version })),
    });
    const ids = members.map(({ row }) => row.id);
    await markReplaying(client, ids, batchId);
    for (const id of ids) batchOf.set(id, batchId);
    const links = { batch: linkTo(`decisions/${batchId}`) };
    batches.push({ batchId, parentRunId: runId, jobId: String(jobId), decisions: ids.length, links });
  }
  return { batchOf, batches };
}

function judge(row: RejectedRow | undefined, asked: ReplayItemRequest, readers: RowReaders): Verdict {
  if (row === undefined)
    return { result: 'not_found', detail: 'There is no such record set aside in your institution.' };
  if (row.state !== 'open') return forbid(`The record is ${row.state}.`);
  if (row.version !== asked.version) {
    return {
      result: 'conflict_changed',
      detail: `The record is at version ${row.version}; you saw version ${asked.version}.`,
    };
  }
  if (row.job_id === null) return forbid('No job carries a replay of this record out.');
  if (!row.run_over) return forbid(`Run ${row.run_id} is still at work.`);
  if (!row.run_stands) return forbid(`Run ${row.run_id} was rolled back.`);
  const reader = readers.of(row.mapping_id);
  if (reader === null) return forbid(`Mapping ${row.mapping} reads nothing any more.`);
  if (reader.posted)
    return forbid(`Rows of ${row.mapping} are posted once, in order: have them delivered again instead.`);
  const cells = row.corrected ?? reader.rowOf(row);
  if (cells?.length !== reader.columns.length)
    return forbid('The row could not be read. Correct it first, with all its columns.');
  const read = reader.judge(cells);
  if ('key' in read) return { result: 'replaying', row, jobId: row.job_id, key: read.key };
  return { result: 'row_still_rejected', detail: `${read.problem.detail} (${read.problem.reason}). Correct it first.` };
}

const forbid = (detail: string): Verdict => ({ result: 'state_forbids', detail });

/* Of two rows with one key nobody can say which is right: the first is replayed. */
function withoutTwins(verdicts: readonly Verdict[]): readonly Verdict[] {
  const seen = new Set<string>();
  return verdicts.map((verdict) => {
    if (verdict.result !== 'replaying') return verdict;
    const key = JSON.stringify([verdict.row.mapping_id, verdict.key]);
    if (seen.has(key)) return forbid('Another row of this request has the same key.');
    seen.add(key);
    return verdict;
  });
}

function refuseTwice(records: readonly ReplayItemRequest[]): void {
  const seen = new Set<string>();
  const twice = records.flatMap(({ rejectedId }, index) => {
    const repeated = seen.has(rejectedId);
    seen.add(rejectedId);
    return repeated
      ? [{ pointer: `/records/${index}/rejectedId`, code: 'repeated', detail: 'this record is named twice' }]
      : [];
  });
  if (twice.length > 0) throw validationProblem(twice);
}
