/* Brings a checkout into a state that can run: Node's version, the packages, the compiled code. Plain Node without packages,
   because it runs before there are any. Does nothing, quickly, where nothing has changed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const notSources = new Set(['node_modules', 'dist', '.concord', '.git', 'test', 'docs', 'web']);

/** Packages and compiled code are there and current afterwards, or this throws an error of one line. */
export function ensure() {
  ensurePackages();
  ensureBuild();
}

/** The packages that package-lock.json names are installed. */
export function ensurePackages() {
  checkNode();
  withLock(installPackages);
}

/** `dist/` is what the sources say. */
export function ensureBuild() {
  withLock(build);
}

/** What takes long is told, on standard error. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Error(`Node ${process.versions.node} is too old: install Node 20.19 or later (https://nodejs.org).`);
}

/* Two commands started together would install and compile over each other. */
function withLock(work) {
  const lock = join(root, '.concord', 'ensure.lock');
  mkdirSync(dirname(lock), { recursive: true });
  let told = false;
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!isAlive(holderOf(lock))) {
      rmSync(lock, { force: true });
      continue;
    }
    if (!told) say('Waiting for another command that installs or builds …');
    told = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  try {
    work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function holderOf(lock) {
  try {
    return Number(readFileSync(lock, 'utf8'));
  } catch {
    return 0; // released meanwhile
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function installPackages() {
  if (packagesMatchLock()) return;
  say('Installing packages (npm ci; a minute or two the first time) …');
  const install = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, NODE_ENV: '' }, // with "production" the compiler would be left out
  });
  if (install.status !== 0) {
    throw new Error(
      'npm ci failed: see the lines above; most often the package registry cannot be reached. Then try again.',
    );
  }
}

/* npm writes its own list when an installation is complete; a killed one leaves none. */
function packagesMatchLock() {
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (!installed) return false;
  const wanted = readJson(join(root, 'package-lock.json'))?.packages;
  if (!wanted) throw new Error('package-lock.json is missing: get it back with `git checkout package-lock.json`.');
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.link) return true;
    const found = installed[path];
    return found ? found.version === entry.version : entry.optional === true || entry.devOptional === true;
  });
}

function build() {
  const hash = hashOfSources();
  const record = join(root, 'dist', '.built-from');
  if (existsSync(record) && readFileSync(record, 'utf8') === hash) return;
  say('Building …');
  rmSync(record, { force: true });
  removeStaleOutput();
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const compile = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--pretty', 'false'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (compile.status !== 0) throw new Error('The code does not compile: see the lines above.');
  bundleWorkflows();
  writeFileSync(record, hash);
}

/* The Temporal worker takes its workflows as one bundle; made here, it need not be made at each start. */
function bundleWorkflows() {
  if (!existsSync(join(root, 'workflows', 'index.ts'))) return;
  execFileSync(process.execPath, [join(root, 'scripts', 'bundle-workflows.mjs')], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
}

function hashOfSources() {
  const hash = createHash('sha256').update(process.versions.node);
  for (const file of ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'])
    hash.update(readFileSync(join(root, file)));
  for (const file of sourceFiles(root)) hash.update(`\0${relative(root, file)}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

function* sourceFiles(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isDirectory()) {
      if (!notSources.has(entry.name)) yield* sourceFiles(join(folder, entry.name));
    } else if (/\.(ts|mjs|sql)$/.test(entry.name) && !entry.name.endsWith('.spec.ts')) {
      yield join(folder, entry.name);
    }
  }
}

/* A module whose source is gone must not be found by anybody. */
function removeStaleOutput() {
  const dist = join(root, 'dist');
  if (!existsSync(dist)) return;
  for (const entry of readdirSync(dist, { withFileTypes: true, recursive: true })) {
    const file = join(entry.parentPath ?? entry.path, entry.name);
    const source = join(root, relative(dist, file)).replace(/\.js(\.map)?$/, '.ts');
    if (/\.js(\.map)?$/.test(entry.name) && !existsSync(source)) rmSync(file);
  }
}

function readJson(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    ensure();
  } catch (error) {
    say(error.message);
    process.exitCode = 1;
  }
}
