import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { readConfig } from '../config/env.js';
import type { Config } from '../config/env.js';
import { bringUp } from './environment.js';
import type { Environment } from './environment.js';
import { LaunchError } from './launch-error.js';
import { isAlive } from './process-table.js';
import { projectFolder } from './project-folder.js';

let dataFolder: string;
let config: Config;
beforeAll(() => {
  dataFolder = mkdtempSync(join(tmpdir(), 'concord-data-'));
  const programs = join(projectFolder(), '.concord', 'bin');
  mkdirSync(programs, { recursive: true });
  symlinkSync(programs, join(dataFolder, 'bin'));
  config = { ...readConfig({}), dataFolder };
});
afterAll(() => {
  rmSync(dataFolder, { recursive: true });
});

function quietly(name: string, over: Partial<Config> = {}): Promise<Environment> {
  const progress = (): void => undefined;
  return bringUp({ name, config: { ...config, ...over }, progress, postgresSettings: { shared_buffers: '16MB' } });
}

async function canConnect(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

test('two commands run side by side, the same one only once, and each stops its own', async () => {
  const start = await quietly('start');
  const demo = await quietly('demo');
  try {
    expect(demo.databaseUrl).not.toBe(start.databaseUrl);
    expect(demo.temporalAddress).not.toBe(start.temporalAddress);
    expect(demo.temporalUiUrl).not.toBe(start.temporalUiUrl);
    await expect(quietly('start')).rejects.toThrow(LaunchError);

    await demo.stop();
    await demo.stop();
    expect(await canConnect(start.databaseUrl)).toBe(true);
    expect(isAlive(demo.postgres?.pid ?? 0)).toBe(false);
  } finally {
    await demo.stop();
    await start.stop();
  }
  const again = await quietly('start');
  await again.stop();
}, 120_000);

test('configured servers replace the embedded ones', async () => {
  const elsewhere = {
    databaseUrl: 'postgres://db.example/concord',
    temporal: { ...config.temporal, address: 'temporal.example:7233' },
  };
  const environment = await quietly('elsewhere', elsewhere);
  expect(environment).toMatchObject({
    databaseUrl: 'postgres://db.example/concord',
    temporalAddress: 'temporal.example:7233',
    temporalUiUrl: null,
    postgres: null,
    temporal: null,
  });
  await environment.stop();
});

test('what has been started is stopped where the rest fails', async () => {
  const broken = mkdtempSync(join(tmpdir(), 'concord-broken-'));
  symlinkSync('/dev/null', join(broken, 'bin'));
  await expect(quietly('start', { dataFolder: broken })).rejects.toThrow();
  rmSync(join(broken, 'bin'));
  symlinkSync(join(dataFolder, 'bin'), join(broken, 'bin'));
  const environment = await quietly('start', { dataFolder: broken });
  await environment.stop();
  rmSync(broken, { recursive: true });
}, 120_000);
