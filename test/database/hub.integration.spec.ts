import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { PoolClient } from 'pg';
import { DatabaseUnreachable, createHub, enterInstitution, escapeIdentifier } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';
import { ensureInstitution } from './institutions.js';

let database: TestDatabase;
let hub: Hub;
let north: number;
let south: number;
beforeAll(async () => {
  database = await createDatabase();
  hub = createHub({ url: database.url, role: 'concord_worker', max: 4 });
  north = await ensureInstitution(hub, 'north');
  south = await ensureInstitution(hub, 'south');
});
afterAll(async () => {
  await hub.close();
  await database.drop();
});

const addTable = (client: PoolClient, institutionId: number, name: string): Promise<unknown> =>
  client.query(`insert into code_tables (institution_id, name, definition, updated_by) values ($1, $2, '{}', 'test')`, [
    institutionId,
    name,
  ]);
const tableNames = async (client: PoolClient): Promise<string[]> => {
  const answer = await client.query<{ name: string }>('select name from code_tables order by name');
  return answer.rows.map((row) => row.name);
};
const settings = async (client: PoolClient): Promise<Record<string, string>> => {
  const answer = await client.query<Record<string, string>>(
    `select current_user as role, current_setting('TimeZone') as zone, current_setting('DateStyle') as dates,
            current_setting('jit') as jit, current_setting('search_path') as path, current_setting('work_mem') as memory,
            current_setting('concord.institution', true) as institution`,
  );
  return answer.rows[0] ?? {};
};
/* Everybody who arrives waits for the others. */
const meetingOf = (expected: number): (() => Promise<void>) => {
  const waiting: (() => void)[] = [];
  let arrived = 0;
  return async () => {
    arrived += 1;
    if (arrived < expected) await new Promise<void>((resolve) => waiting.push(resolve));
    else for (const goOn of waiting) goOn();
  };
};
const pidOf = async (client: PoolClient): Promise<number> => {
  const answer = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return answer.rows[0]?.pid ?? 0;
};

describe('connections', () => {
  test('have the role and the settings', async () => {
    const common = { role: 'concord_worker', zone: 'UTC', dates: 'ISO, YMD', jit: 'off' };
    const expected = { ...common, path: 'concord,staging', institution: String(north) };
    expect(await hub.transaction(north, settings)).toMatchObject(expected);
    expect(await hub.read(north, settings)).toMatchObject(expected);
    expect(await hub.bulk(north, settings)).toMatchObject({ ...expected, memory: '256MB' });
    expect(await hub.system(settings)).toMatchObject({ ...common, institution: '' });
  });

  test('keep what the URL asks for besides, but not its role', async () => {
    const url = new URL(database.url);
    url.searchParams.set('options', '-c lock_timeout=1234 -c role=none');
    const other = createHub({ url: url.href, role: 'concord_api', max: 1 });
    const answer = await other.system((client) =>
      client.query<{ role: string; limit: string }>(
        `select current_user as role, current_setting('lock_timeout') as limit`,
      ),
    );
    await other.close();
    expect(answer.rows).toEqual([{ role: 'concord_api', limit: '1234ms' }]);
  });

  test('give dates and large numbers as text', async () => {
    const answer = await hub.system((client) =>
      client.query(`select date '2026-02-28' as day, 9007199254740993 as large, 1.50 as amount`),
    );
    expect(answer.rows).toEqual([{ day: '2026-02-28', large: '9007199254740993', amount: '1.50' }]);
  });
});

describe('a transaction', () => {
  test('sees and writes one institution', async () => {
    await hub.transaction(north, (client) => addTable(client, north, 'a'));
    await expect(hub.transaction(south, (client) => addTable(client, north, 'b'))).rejects.toThrow(
      'row-level security',
    );
    expect(await hub.read(north, tableNames)).toEqual(['a']);
    expect(await hub.read(south, tableNames)).toEqual([]);
    expect(await hub.system(tableNames)).toEqual([]);
  });

  test('is rolled back when the work throws, and the error is kept', async () => {
    const fault = new Error('no');
    const work = async (client: PoolClient): Promise<void> => {
      await addTable(client, north, 'gone');
      throw fault;
    };
    await expect(hub.transaction(north, work)).rejects.toBe(fault);
    expect(await hub.read(north, tableNames)).not.toContain('gone');
  });

  test('is no success where a statement had failed, though nobody said so', async () => {
    const work = async (client: PoolClient): Promise<void> => {
      await client.query('select 1 / 0').catch(() => undefined);
    };
    await expect(hub.transaction(north, work)).rejects.toMatchObject({ code: 'internal' });
  });

  test('that reads may not write', async () => {
    await expect(hub.read(north, (client) => addTable(client, north, 'c'))).rejects.toThrow('read-only');
  });

  test('may enter an institution later', async () => {
    const names = await hub.system(async (client) => {
      await enterInstitution(client, north);
      return await tableNames(client);
    });
    expect(names).toEqual(['a']);
  });

  test('is done again after a deadlock, where that is safe', async () => {
    await hub.transaction(north, async (client) => {
      await addTable(client, north, 'left');
      await addTable(client, north, 'right');
    });
    let tries = 0;
    const both = meetingOf(2);
    const lockInOrder =
      (first: string, second: string) =>
      async (client: PoolClient): Promise<void> => {
        tries += 1;
        const lock = 'update code_tables set version = version + 1 where name = $1';
        await client.query(lock, [first]);
        await both();
        await client.query(lock, [second]);
      };
    await Promise.all([
      hub.transaction(north, lockInOrder('left', 'right'), { repeatable: true }),
      hub.transaction(north, lockInOrder('right', 'left'), { repeatable: true }),
    ]);
    expect(tries).toBe(3);
    const versions = await hub.read(north, (client) =>
      client.query(`select distinct version from code_tables where name in ('left', 'right')`),
    );
    expect(versions.rows).toEqual([{ version: 3 }]);
  });
});

describe('ending work', () => {
  test('a signal ends it on the server', async () => {
    const stop = new AbortController();
    const reason = new Error('stopped');
    const begun = Date.now();
    const work = hub.bulk(north, (client) => client.query('select pg_sleep(30)'), { signal: stop.signal });
    setTimeout(() => {
      stop.abort(reason);
    }, 100);
    await expect(work).rejects.toBe(reason);
    expect(Date.now() - begun).toBeLessThan(5_000);
    await expect(hub.read(north, settings, { signal: stop.signal })).rejects.toBe(reason);
  });

  test('a backend is cancelled over another connection', async () => {
    let cancelled: Promise<boolean> | undefined;
    const work = hub.transaction(north, async (client) => {
      const pid = await pidOf(client);
      cancelled = pause(50).then(() => hub.cancelBackend(pid));
      await client.query('select pg_sleep(30)');
    });
    await expect(work).rejects.toMatchObject({ code: '57014' });
    expect(await cancelled).toBe(true);
    expect(await hub.cancelBackend(1_999_999)).toBe(false);
  });
});

describe('a server that is gone', () => {
  test('is told apart from a fault of ours', async () => {
    const nobody = createHub({ url: 'postgres://x:y@127.0.0.1:1/none', role: 'concord_api', max: 1 });
    await expect(nobody.system(settings)).rejects.toBeInstanceOf(DatabaseUnreachable);
    await expect(nobody.cancelBackend(1)).rejects.toBeInstanceOf(DatabaseUnreachable);
    await nobody.close();
  });

  test('is noticed within a transaction, and the hub recovers', async () => {
    const owner = new pg.Client({ connectionString: database.url });
    await owner.connect();
    const work = hub.transaction(north, async (client) => {
      await owner.query('select pg_terminate_backend($1)', [await pidOf(client)]);
      await tableNames(client);
    });
    await expect(work).rejects.toBeInstanceOf(DatabaseUnreachable);
    await owner.end();
    expect(await hub.read(north, tableNames)).toContain('a');
  });

  test('an error of another system within our transaction stays what it is', async () => {
    const theirs = Object.assign(new Error('their server'), { code: 'ECONNRESET' });
    await expect(hub.transaction(north, () => Promise.reject(theirs))).rejects.toBe(theirs);
  });
});

test('an identifier is quoted', () => {
  expect(escapeIdentifier('a "b"')).toBe('"a ""b"""');
});
