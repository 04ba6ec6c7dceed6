import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import pg from 'pg';
import { migrate } from '../../../database/migrate.js';
import { startPostgres } from '../../../launch/postgres.js';
import type { PostgresOptions, RunningPostgres } from '../../../launch/postgres.js';
import { projectFolder } from '../../../launch/project-folder.js';
import { findTemporal } from '../../../launch/temporal-binary.js';
import { startTemporal } from '../../../launch/temporal-server.js';
import type { RunningTemporal } from '../../../launch/temporal-server.js';
import { searchAttributes } from '../../../worker/search-attributes.js';
import { forgetKilledWorker, resultOf } from '../worker-child.js';
import { Lane } from './lane.js';

/* Servers of our own, to be killed. A run goes on where it was once they are back; where PostgreSQL's crash emptied what was staged,
   the run notices and reads again. */

jest.setTimeout(600_000);
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'concord-servers-'));
  execFileSync('chmod', ['755', folder]); // PostgreSQL's own user goes through it
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function expectRight(lane: Lane, handle: WorkflowHandle): Promise<void> {
  const result = await resultOf(handle);
  expect(result).toMatchObject({ state: 'completed', dropped: [], delayed: [] });
  const { wanted, found } = await lane.campus.compare();
  expect(found).toEqual(wanted);
  expect(await lane.campus.countsOf(result.runId ?? '')).toMatchObject({ balanced: true });
  expect(await lane.campus.stagingTables()).toEqual([]);
}

async function untilTrue(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await pause(5);
}

describe('PostgreSQL is killed', () => {
  let postgres: RunningPostgres;
  let port = 0;
  let lane: Lane;
  const options = (): PostgresOptions => ({
    folder: join(folder, 'postgres'),
    preferredPort: port,
    // What was committed outlives the process without fsync, but not without a synchronous commit.
    settings: { shared_buffers: '64MB', fsync: 'off' },
  });

  beforeAll(async () => {
    postgres = await startPostgres(options());
    port = postgres.port;
    await migrate(postgres.url);
    lane = await Lane.open({ concordUrl: postgres.url });
    await lane.work();
    await lane.conductor.sync(lane.campus.institutionId, lane.campus.job());
  });
  afterAll(async () => {
    await lane.close();
    await postgres.stop();
  });
  beforeEach(() => lane.campus.change());

  const restart = async (): Promise<void> => {
    await postgres.kill9();
    postgres = await startPostgres(options());
    await lane.campus.reconnect();
  };

  /** A backend that dies takes the others with it: PostgreSQL starts over by itself, and empties what is not logged. */
  const killBackend = async (): Promise<void> => {
    const [victim, witness] = [new pg.Client(postgres.url), new pg.Client(postgres.url)];
    for (const client of [victim, witness]) {
      client.on('error', () => undefined);
      await client.connect();
    }
    const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
    // Until another is taken along the server does not know yet, and lets clients in that it will throw out.
    const taken = new Promise((resolve) => witness.once('end', resolve));
    process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
    await taken;
    await lane.campus.reconnect();
  };

  /** The worker is killed at a place, PostgreSQL then, and another worker goes on. */
  const killedAt = async (
    place: string,
    kill: () => Promise<void>,
    start: () => Promise<WorkflowHandle>,
  ): Promise<WorkflowHandle> => {
    const doomed = await lane.work(place);
    const handle = await start();
    expect(await doomed.exited).toBe('SIGKILL');
    await kill();
    await forgetKilledWorker(lane.client, handle.workflowId);
    await lane.work();
    return handle;
  };

  test.each([
    ['extract:mid', restart],
    ['diff:before', restart],
    ['standardize:before', killBackend],
    ['match:before', restart],
    ['merge:before', killBackend],
    ['apply:before', restart],
    ['apply:before', killBackend],
    ['apply:after', restart],
    ['publish:mid:2', restart],
    ['verify:before', killBackend],
  ] as const)('while a run stands at %s', async (place, kill) => {
    const { campus, conductor } = lane;
    await expectRight(lane, await killedAt(place, kill, () => conductor.start(campus.institutionId, campus.job())));
  });

  test.each([
    ['rollBackTargets:mid', restart],
    ['rollBackGolden:before', killBackend],
    ['rollBackGolden:mid', restart],
  ] as const)('while a rollback stands at %s', async (place, kill) => {
    const { campus, conductor } = lane;
    await lane.work();
    await conductor.sync(campus.institutionId, campus.job());
    const before = await campus.stores();
    await campus.change();
    const run = await conductor.sync(campus.institutionId, campus.job());
    const after = await campus.stores();
    const handle = await killedAt(place, kill, () => conductor.startRollback(campus.institutionId, campus.job(), run));
    const { state, runId } = await resultOf(handle);
    expect(state).toBe('completed');
    expect(await campus.stores()).toEqual(before);
    expect(await campus.stagingTables()).toEqual([]);
    await conductor.rollback(campus.institutionId, campus.job(), runId ?? '');
    expect(await campus.stores()).toEqual(after);
  });

  test.each(['extract', 'standardize', 'apply', 'publish'])('under a worker that lives, about %s', async (state) => {
    const { campus, conductor } = lane;
    await lane.work();
    const handle = await conductor.start(campus.institutionId, campus.job());
    const states = ['extract', 'diff', 'guard', 'standardize', 'match', 'merge', 'apply', 'publish', 'verify'];
    const from = states.slice(states.indexOf(state)).map((name) => `'${name}'`);
    await untilTrue(async () => {
      const run = '(select state from concord.sync_runs order by id desc limit 1) r';
      return (await campus.count(`${run} where state in (${from.join(', ')}, 'completed')`)) > 0;
    });
    await restart();
    await expectRight(lane, handle);
  });

  // From here on a delivery may wait, and a person's value stands against the sources.
  test('while payments are posted', async () => {
    const { campus, conductor } = lane;
    await campus.pay(200);
    const handle = await killedAt('post:mid', restart, () =>
      conductor.start(campus.institutionId, campus.job('payments')),
    );
    expect(await resultOf(handle)).toMatchObject({ state: 'completed', dropped: [], delayed: [] });
    const { source, target } = await campus.payments();
    expect(target).toEqual(source);
    expect(await campus.stagingTables()).toEqual([]);
  });

  test('while a decision is carried out', async () => {
    const { campus, conductor } = lane;
    await lane.work();
    await conductor.sync(campus.institutionId, campus.job());
    const [student] = campus.students.values();
    const nid = student?.nid ?? '';
    const version = await campus.versionOf(nid);
    const batchId = await campus.override(nid, 'phone', 'decided');
    const handle = await killedAt('match:before', killBackend, () =>
      conductor.startSettling(campus.institutionId, campus.job(), batchId),
    );
    expect(await resultOf(handle)).toMatchObject({ state: 'completed', delayed: [] });
    expect(await campus.versionOf(nid)).toBe(version + 1);
    expect((await campus.tableRows()).find((row) => row[0] === nid)?.[3]).toBe('decided');
    expect(await campus.stagingTables()).toEqual([]);
  });
});

describe('the Temporal server is killed', () => {
  let temporal: RunningTemporal;
  let port = 0;
  let lane: Lane;
  const start = async (): Promise<void> => {
    const executable = await findTemporal({ folder: join(projectFolder(), '.concord', 'bin') });
    temporal = await startTemporal({
      executable,
      folder,
      preferredPort: port,
      preferredUiPort: null,
      searchAttributes,
    });
    port = temporal.port;
  };

  beforeAll(async () => {
    await start();
    lane = await Lane.open({}, temporal.address);
    await lane.work();
    await lane.conductor.sync(lane.campus.institutionId, lane.campus.job());
  });
  afterAll(async () => {
    await lane.close();
    await temporal.stop();
  });

  test.each(['extract', 'match', 'publish'])('while a run is about %s', async (state) => {
    const { campus, conductor } = lane;
    await campus.change();
    const before = await campus.count('concord.sync_runs');
    const handle = await conductor.start(campus.institutionId, campus.job());
    await untilTrue(async () => {
      if ((await campus.count('concord.sync_runs')) === before) return false;
      const run = '(select state from concord.sync_runs order by id desc limit 1) r';
      return (await campus.count(`${run} where state not in ('opened', ${earlierThan(state)})`)) > 0;
    });
    await temporal.kill9();
    await start();
    const connection = await Connection.connect({ address: temporal.address });
    try {
      const again = new Client({ connection }).workflow.getHandle(handle.workflowId);
      await expectRight(lane, again);
    } finally {
      await connection.close();
    }
  });
});

const earlierThan = (state: string): string => {
  const states = ['extract', 'diff', 'guard', 'standardize', 'match', 'merge', 'apply', 'publish'];
  return ['none', ...states.slice(0, states.indexOf(state))].map((name) => `'${name}'`).join(', ');
};
