import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Client, WorkflowFailedError, type Connection } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { NativeConnection } from '@temporalio/worker';
import type { RunResult } from '../../workflows/messages.js';
import { connectTemporal, temporalAddress } from '../harness/temporal.js';
import { scenarios } from './scenarios.js';
import { Theatre, quietRuntime } from './stage.js';
import type { Played } from './stage.js';

let connection: Connection;
let native: NativeConnection;
let theatre: Theatre;

jest.setTimeout(30_000);
beforeAll(async () => {
  quietRuntime();
  connection = await connectTemporal();
  native = await NativeConnection.connect({ address: temporalAddress() });
  theatre = await Theatre.open(new Client({ connection }), native);
}, 60_000);
afterAll(async () => {
  await theatre.close();
  await native.close();
  await connection.close();
}, 60_000);

interface Ended {
  readonly calls: readonly string[];
  /** Returned, or told with the failure. */
  readonly result: RunResult | null;
  readonly failed: string | null;
  readonly cancelled: boolean;
  readonly status: string;
  readonly state: string | undefined;
}

async function ended({ fake, handle }: Played): Promise<Ended> {
  const outcome = await outcomeOf(handle);
  const described = await handle.describe();
  const state = described.typedSearchAttributes.get({ name: 'ConcordState', type: 'KEYWORD' });
  return { ...outcome, calls: fake.calls, status: described.status.name, state };
}

async function outcomeOf(handle: Played['handle']): Promise<Pick<Ended, 'result' | 'failed' | 'cancelled'>> {
  try {
    return { result: (await handle.result()) as RunResult, failed: null, cancelled: false };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    if (error.cause instanceof CancelledFailure) return { result: null, failed: null, cancelled: true };
    if (!(error.cause instanceof ApplicationFailure)) throw error;
    const [result] = error.cause.details ?? [];
    return { result: (result as RunResult | undefined) ?? null, failed: error.cause.type ?? '', cancelled: false };
  }
}

async function run(name: string): Promise<Ended> {
  const scenario = scenarios.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  return await ended(await theatre.play(scenario));
}

const loop = (type: number): string[] => [`match(${type})`, `merge(${type})`, `apply(${type})`];
const telling = ['finance.person', 'finance.account', 'academic.people'];
const ofStep = (calls: readonly string[], step: string): string[] =>
  calls.filter((call) => call.startsWith(`${step}(`));

describe('a sync run', () => {
  test('passes the steps in order and tells what it did', async () => {
    const { calls, result, status, state } = await run('completed');
    expect(result).toMatchObject({ runId: '7', state: 'completed', goldenWrites: 3, dropped: [], delayed: [] });
    expect(calls.slice(0, 2)).toEqual(['openRun(sync)', 'planExtract']);
    expect(calls.slice(2, 6).sort()).toEqual([
      ...['extract(hr.staff/0)', 'extract(sis.students/0)', 'extract(sis.students/1)', 'extract(sis.students/2)'],
    ]);
    expect(calls.slice(6, 16)).toEqual(['diff', 'guard', 'standardize', ...loop(11), ...loop(12), 'listTargets']);
    expect(calls.slice(16, 19).sort()).toEqual(telling.map((name) => `publish(${name})`).sort());
    expect(calls.slice(19, 22).sort()).toEqual(telling.map((name) => `verify(${name})`).sort());
    expect(calls.slice(22)).toEqual(['closeRun(completed)', 'dropStaging']);
    expect([status, state]).toEqual(['COMPLETED', 'completed']);
  });

  test('ends with open questions and does not wait for people', async () => {
    const { result, state } = await run('completed-with-questions');
    expect(result).toMatchObject({ state: 'completed_with_questions', questions: 2 });
    expect(state).toBe('completed_with_questions');
  });

  test('with nothing to do touches no golden record, and still tells targets what they missed before', async () => {
    const { calls } = await run('nothing-to-do');
    expect(calls).not.toContain('match(11)');
    expect(ofStep(calls, 'publish')).toHaveLength(3);
  });

  test('is skipped where the job is occupied, and names the run', async () => {
    const { calls, result } = await run('skipped');
    expect(result).toMatchObject({ runId: null, state: 'skipped', occupiedBy: '6' });
    expect(calls).toEqual(['openRun']);
  });

  test('posts after everything else is told', async () => {
    const { calls } = await run('posted');
    expect(calls.filter((call) => /^(post|publish|verify)/.test(call)).map((call) => call.split('(')[0])).toEqual([
      ...['publish', 'publish', 'publish', 'post', 'post', 'verify', 'verify', 'verify'],
    ]);
  });

  test('goes on without a source that fails for good, and concludes nothing from it', async () => {
    const { calls, result } = await run('source-dropped');
    expect(result).toMatchObject({
      state: 'completed',
      dropped: [{ name: 'sis.students', code: 'source_schema_changed' }],
    });
    expect(ofStep(calls, 'dropSource')).toEqual(['dropSource(sis.students extract source_schema_changed)']);
    expect(calls.indexOf('diff')).toBeGreaterThan(calls.findIndex((call) => call.startsWith('dropSource')));
  });

  test('fails where no source is left', async () => {
    const { calls, failed } = await run('no-source-left');
    expect(failed).toBe('delivery_incomplete');
    expect(calls).not.toContain('diff');
    expect(calls).toContain('closeRun(failed)');
  });

  test('that fails before it applied is closed as failed, with nothing to take back', async () => {
    const { calls, failed, result, status } = await run('failed-before-apply');
    expect([failed, result?.state, status]).toEqual(['configuration_invalid', 'failed', 'FAILED']);
    expect(calls.slice(-2)).toEqual(['closeRun(failed)', 'dropStaging']);
    expect(ofStep(calls, 'rollBackTargets')).toEqual([]);
  });

  test('that fails after it began to apply rolls itself back', async () => {
    const { calls, failed, result } = await run('failed-after-apply');
    expect([failed, result?.state]).toEqual(['internal', 'rolled_back']);
    expect(calls.slice(-4)).toEqual([
      ...['rollBackTargets(7)', 'rollBackGolden(7)', 'closeRun(rolled_back)', 'dropStaging'],
    ]);
  });

  test('holds instead where its job says so', async () => {
    const { calls, result } = await run('failed-after-apply-held');
    expect(result?.state).toBe('failed');
    expect(ofStep(calls, 'rollBackTargets')).toEqual([]);
  });

  test('whose sums do not balance is no completed run: it rolls itself back', async () => {
    const { calls, result } = await run('sums-do-not-balance');
    expect(result).toMatchObject({ state: 'rolled_back', failure: { code: 'internal' } });
    expect(ofStep(calls, 'rollBackGolden')).toEqual(['rollBackGolden(7)']);
  });

  test('that cannot be taken back says so', async () => {
    const { calls, result } = await run('failed-and-not-taken-back');
    expect(result).toMatchObject({ state: 'failed', failure: { code: 'internal' } });
    expect(result?.failure?.detail).toContain('target_forbidden');
    expect(calls).toContain('closeRun(failed)');
  });

  test('leaves a target that is down to the next run, the rest of its system too, and tells the others', async () => {
    const { calls, result } = await run('target-down');
    expect(result).toMatchObject({ state: 'completed' });
    expect(result?.delayed).toEqual([
      { name: 'finance.person', code: 'target_unreachable' },
      { name: 'finance.account', code: 'target_unreachable' },
    ]);
    expect(ofStep(calls, 'verify')).toEqual(['verify(academic.people)']);
    expect(calls).toContain('closeRun(completed without finance.person without finance.account)');
  });

  test('extracts again where its staging was lost, before and after it applied', async () => {
    const before = await run('staging-lost');
    expect(before.result?.state).toBe('completed');
    expect(before.calls.filter((call) => call === 'planExtract')).toHaveLength(3);
    const after = await run('staging-lost-after-apply');
    expect(after.result?.state).toBe('completed');
    expect(after.calls.filter((call) => call === 'apply(11)')).toHaveLength(2);
    expect(after.calls.filter((call) => call === 'apply(12)')).toHaveLength(1);
  });

  test('gives up where its staging is lost again and again', async () => {
    const { calls, failed } = await run('staging-lost-for-ever');
    expect(failed).toBe('staging_lost');
    expect(calls.filter((call) => call === 'diff')).toHaveLength(5);
  });

  test('that is cancelled before it applied ends as cancelled', async () => {
    const { calls, cancelled, status, state } = await run('cancelled-before-apply');
    expect([cancelled, status, state]).toEqual([true, 'CANCELLED', 'cancelled']);
    expect(calls.slice(-2)).toEqual(['closeRun(cancelled)', 'dropStaging']);
  });

  test('that is cancelled after it applied rolls itself back', async () => {
    const { calls, cancelled, state } = await run('cancelled-after-apply');
    expect([cancelled, state]).toEqual([true, 'rolled_back']);
    expect(calls.slice(-4, -1)).toEqual(['rollBackTargets(7)', 'rollBackGolden(7)', 'closeRun(rolled_back)']);
  });

  test('is cancelled by an update as well', async () => {
    const { calls, result } = await run('cancelled-by-update');
    expect(result).toMatchObject({ state: 'rolled_back' });
    expect(result).not.toHaveProperty('failure');
    expect(calls).toContain('closeRun(rolled_back)');
  });

  test('ends the step at hand when it is paused, and goes on when it is told to', async () => {
    const { result } = await run('paused-and-resumed');
    expect(result?.state).toBe('completed');
  });
});

describe('the other runs', () => {
  test('a settle run carries out its batch', async () => {
    const { calls, result } = await run('settled');
    expect(result?.state).toBe('completed');
    expect(calls.slice(0, 6)).toEqual(['openRun(release)', 'stageBatch', ...loop(11), 'listTargets']);
  });

  test('a rollback takes children back first, targets before golden records', async () => {
    const { calls, result } = await run('rolled-back');
    expect(result?.state).toBe('completed');
    expect(calls).toEqual([
      ...['openRun(rollback)', 'planRollback'],
      ...['rollBackTargets(9)', 'rollBackGolden(9)', 'rollBackTargets(5)', 'rollBackGolden(5)'],
      ...['closeRun(completed)', 'dropStaging'],
    ]);
  });

  test('a rollback is refused where its preview no longer holds', async () => {
    const { calls, failed } = await run('rollback-refused');
    expect(failed).toBe('preview_outdated');
    expect(calls).toEqual(['openRun(rollback)', 'planRollback', 'closeRun(failed)', 'dropStaging']);
  });

  test('a run whose workflow was lost is taken back and closed', async () => {
    const { calls, result } = await run('recovered');
    expect(result?.state).toBe('rolled_back');
    expect(calls).toEqual(['rollBackTargets(7)', 'rollBackGolden(7)', 'closeRun(rolled_back)', 'dropStaging']);
  });

  test('a due run publishes and verifies without reading anything', async () => {
    const { calls, result } = await run('due');
    expect(result?.state).toBe('completed');
    expect(calls.slice(0, 2)).toEqual(['openRun(due)', 'dueTargets']);
    expect(ofStep(calls, 'publish')).toHaveLength(3);
    expect(ofStep(calls, 'extract')).toEqual([]);
  });
});

describe('a dry run', () => {
  test('goes through the steps of a run over a copy, with a plan in place of a verification', async () => {
    const { calls, result } = await run('dry');
    expect(result).toMatchObject({
      state: 'completed',
      delayed: [{ name: 'finance.account', code: 'target_forbidden' }],
    });
    expect(calls.slice(0, 3)).toEqual(['openRun(dry_run)', 'copyStores', 'planExtract']);
    expect(ofStep(calls, 'apply')).toHaveLength(2);
    expect(ofStep(calls, 'verify')).toEqual([]);
    expect(calls.slice(-3)).toEqual([
      'notePlan(finance.account)',
      'closeRun(completed without finance.account)',
      'dropStaging',
    ]);
  });

  test('begins with a new copy where its copy was lost', async () => {
    const { calls, result } = await run('dry-copy-lost');
    expect(result).toMatchObject({ state: 'completed' });
    expect(calls.filter((call) => call === 'copyStores')).toHaveLength(2);
  });
});

describe('a run of one person', () => {
  test('reads by keys in place of extracting, and goes through the same steps', async () => {
    const { calls, result } = await run('live');
    expect(result).toMatchObject({ state: 'completed', dropped: [{ name: 'hr.staff', code: 'source_reads_no_keys' }] });
    expect(calls.slice(0, 5)).toEqual(['openRun(sync)', 'planLive', 'diff', 'guard', 'standardize']);
    expect(ofStep(calls, 'extract')).toEqual([]);
    expect(ofStep(calls, 'apply')).toHaveLength(2);
    expect(ofStep(calls, 'publish')).toHaveLength(3);
  });

  test('fails where no system could be asked', async () => {
    const { calls, failed } = await run('live-nobody-asked');
    expect(failed).toBe('source_reads_no_keys');
    expect(calls.slice(0, 3)).toEqual(['openRun(sync)', 'planLive', 'closeRun(failed)']);
  });
});

test('names are indexed beside the runs', async () => {
  const { calls, status } = await run('names-indexed');
  expect([calls, status]).toEqual([['indexNames(7)'], 'COMPLETED']);
});

describe('a review', () => {
  test('has each batch carried out by a run of its own, oldest first, and ends when nothing is open', async () => {
    const { calls, result } = await run('review-settles');
    expect(result).toEqual({ settled: 2 });
    expect(calls.filter((call) => call === 'openRun(decision)')).toHaveLength(2);
  });

  test('is woken by a signal', async () => {
    const { result } = await run('review-woken');
    expect(result).toEqual({ settled: 1 });
  });

  test('begins afresh before its history grows long, and forgets nothing', async () => {
    const { result } = await run('review-begins-afresh');
    expect(result).toEqual({ settled: 3 });
  });
});
