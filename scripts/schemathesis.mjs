/* `npm run schemathesis`: explores the API with made-up requests (test/slow). Schemathesis comes from the Python package index into
   .concord/ when it is not there; needs python3 with venv and pip. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensure, root, say } from './ensure.mjs';

const version = '4.32.5';
const folder = join(root, '.concord', 'schemathesis');
const bin = join(folder, 'venv', 'bin');

function run(program, args) {
  const { status } = spawnSync(program, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`${program} ${args[0] ?? ''} ended with ${status}.`);
}

function hasVersion() {
  const program = join(bin, 'schemathesis');
  if (!existsSync(program)) return false;
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  return stdout?.trim().endsWith(` ${version}`) === true;
}

try {
  ensure();
  if (!hasVersion()) {
    mkdirSync(folder, { recursive: true });
    run('python3', ['-m', 'venv', join(folder, 'venv')]);
    run(join(bin, 'python'), ['-m', 'pip', 'install', '--quiet', `schemathesis==${version}`]);
  }
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  run(process.execPath, [
    '--experimental-vm-modules',
    '--no-warnings',
    jest,
    '--selectProjects',
    'slow',
    '--runInBand',
  ]);
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
