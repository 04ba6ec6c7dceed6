import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { claimFolder } from './folder-claim.js';
import { startMarkOf } from './process-table.js';

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'concord-claim-')), 'demo');
});
afterEach(() => {
  rmSync(join(folder, '..'), { recursive: true });
});

function release(claim: ReturnType<typeof claimFolder>): void {
  if ('release' in claim) claim.release();
}

test('one holds a folder at a time', () => {
  const claim = claimFolder(folder);
  expect(claim).toMatchObject({ folder });
  expect(claimFolder(folder)).toEqual({ heldBy: process.pid });
  release(claim);
  expect(claimFolder(folder)).toMatchObject({ folder });
});

test('a claim whose process is gone is taken over, also where its id came to another', async () => {
  const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { stdio: 'ignore' });
  const pid = other.pid ?? 0;
  release(claimFolder(folder));
  writeFileSync(join(folder, 'claim'), `${String(pid)} ${startMarkOf(pid)}`);
  expect(claimFolder(folder)).toEqual({ heldBy: pid });

  writeFileSync(join(folder, 'claim'), `${String(pid)} started at another time`);
  const claim = claimFolder(folder);
  expect(claim).toMatchObject({ folder });
  release(claim);

  writeFileSync(join(folder, 'claim'), `${String(pid)} ${startMarkOf(pid)}`);
  const gone = new Promise((resolve) => other.once('exit', resolve));
  other.kill('SIGKILL');
  await gone;
  expect(claimFolder(folder)).toMatchObject({ folder });
});
