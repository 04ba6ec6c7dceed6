import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { projectFolder } from '../../launch/project-folder.js';
import { startProgram } from '../harness/processes.js';
import type { ChildProgram } from '../harness/processes.js';

/* `concord up` (`npm start`), as it is compiled: the whole platform on data of its own. */

jest.setTimeout(180_000);
let dataFolder: string;
let start: ChildProgram;

beforeAll(async () => {
  dataFolder = mkdtempSync(join(tmpdir(), 'concord-start-'));
  execFileSync('chmod', ['755', dataFolder]); // PostgreSQL's own user goes through it
  const programs = join(projectFolder(), '.concord', 'bin');
  mkdirSync(programs, { recursive: true });
  symlinkSync(programs, join(dataFolder, 'bin'));
  start = startProgram({
    entry: 'cli/concord',
    args: ['up'],
    environment: { CONCORD_DATA_FOLDER: dataFolder, DATABASE_URL: '', TEMPORAL_ADDRESS: '' },
  });
  await start.line(/^Concord is up/, 120_000);
});
afterAll(async () => {
  await start.stop();
  rmSync(dataFolder, { recursive: true, force: true });
});

const children = (): number[] =>
  execFileSync('ps', ['-o', 'pid=,comm=', '--ppid', String(start.pid)], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => /postgres|temporal|node/.test(line))
    .map((line) => Number(line.trim().split(/\s+/)[0]));

const isReady = async (address: string): Promise<boolean> => {
  try {
    return (await fetch(address)).ok;
  } catch {
    return false;
  }
};

test('what it runs is killed, and comes back at the same address; Ctrl-C ends it', async () => {
  const said = await start.line(/^API /);
  const ready = new URL('/readyz', said.split(/\s+/)[1]).href;
  while (!(await isReady(ready))) await pause(50);

  const killed = children();
  expect(killed).toHaveLength(4);
  for (const pid of killed) process.kill(pid, 'SIGKILL');
  for (const name of ['PostgreSQL', 'Temporal', 'The worker', 'The api'])
    await start.line(new RegExp(`^${name} is up again`), 120_000);
  while (!(await isReady(ready))) await pause(50);
  expect(children().filter((pid) => killed.includes(pid))).toEqual([]);

  process.kill(start.pid, 'SIGINT');
  expect(await start.exited).toBe(0);
  expect(start.output()).toContain('Stopped.');
});
