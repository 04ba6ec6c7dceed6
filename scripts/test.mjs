/* Everything that must hold, stage by stage: `npm test`, or the quick part of it: `npm run check`. Ends with `N passed, N failed`:
   each test counts as one, and so does each of the other checks. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuild, ensurePackages, root, say } from './ensure.mjs';

const quick = process.argv.includes('--check');
const reports = join(root, '.concord', 'reports');
const tool = (name, ...path) => join(root, 'node_modules', name, ...path);

/* The longest first. */
const checks = [
  ['lint', tool('eslint', 'bin', 'eslint.js'), '.', '--max-warnings=0', ...cacheOf('eslint')],
  ['format', tool('prettier', 'bin', 'prettier.cjs'), '--check', '.', '--log-level', 'warn'],
  [
    'types',
    tool('typescript', 'bin', 'tsc'),
    '-p',
    'tsconfig.json',
    ...['--incremental', '--tsBuildInfoFile', cache('types')],
  ],
  [
    'import rule',
    tool('dependency-cruiser', 'bin', 'dependency-cruise.mjs'),
    '--config',
    '.dependency-cruiser.cjs',
    '.',
  ],
  // Both lint what is committed; that it is what the API serves is a unit test.
  ['OpenAPI', tool('@redocly', 'cli', 'bin', 'cli.js'), 'lint', 'docs/openapi.json', '--format=stylish'],
  [
    'our API conventions',
    tool('@stoplight', 'spectral-cli', 'dist', 'index.js'),
    ...['lint', 'docs/openapi.json', '--ruleset', 'spectral.yaml', '--fail-severity=warn', '--quiet'],
  ],
  ['dead code', tool('knip', 'bin', 'knip.js'), '--no-config-hints'],
];

/* Files with servers to kill run one after the other; the others share the machine. */
const suites = [
  { name: 'unit tests', projects: ['unit'], quick: true },
  { name: 'integration tests', projects: ['integration'], workers: 2 },
  { name: 'end-to-end and replay tests', projects: ['e2e', 'replay'], workers: 1 },
];

let passed = 0;
let failed = 0;
const failures = [];
const running = new Set();

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of running) child.kill(signal);
    process.exitCode = 1;
  });
}

try {
  ensurePackages();
  mkdirSync(reports, { recursive: true });
  await stage('build', runBuild);
  await Promise.all([runChecks(), runChecks()]);
  for (const suite of suites.filter((each) => each.quick || !quick)) await stage(suite.name, () => runSuite(suite));
} catch (error) {
  say(error.message);
  count(0, 1, 'preparation');
}
if (failures.length > 0) say(`Failed: ${failures.join(', ')}.`);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
if (failed > 0) process.exitCode = 1;

async function stage(name, work) {
  if (process.exitCode) return; // interrupted
  const begun = Date.now();
  say(`── ${name} …`);
  const outcome = await work();
  say(`── ${name}: ${outcome} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
}

function runBuild() {
  try {
    ensureBuild();
    count(1, 0, 'build');
    return 'passed';
  } catch (error) {
    // The rest still tells something: programs under test are then those of the last build, if any.
    say(error.message);
    count(0, 1, 'build');
    return 'failed';
  }
}

/* Takes the next one until there is none: two of them at a time, for two cores. */
async function runChecks() {
  for (let next = checks.shift(); next !== undefined; next = checks.shift()) {
    const [name, ...args] = next;
    await stage(name, () => runCheck(name, args));
  }
}

async function runCheck(name, args) {
  const code = await node(args);
  count(code === 0 ? 1 : 0, code === 0 ? 0 : 1, name);
  return code === 0 ? 'passed' : 'failed';
}

async function runSuite({ name, projects, workers }) {
  const report = join(reports, `${projects.join('-')}.json`);
  rmSync(report, { force: true });
  const code = await node([
    ...['--experimental-vm-modules', '--no-warnings', tool('jest', 'bin', 'jest.js')],
    ...['--selectProjects', ...projects, '--passWithNoTests', '--json', `--outputFile=${report}`],
    ...(workers ? [`--maxWorkers=${workers}`] : []),
  ]);
  if (!existsSync(report)) {
    count(0, code === 0 ? 0 : 1, name);
    return code === 0 ? 'none' : `Jest ended with ${code}`;
  }
  const result = JSON.parse(readFileSync(report, 'utf8'));
  // A file that does not even load has no failed test, but is a failure; so is a run that failed for any other reason.
  const broken = result.numRuntimeErrorTestSuites;
  const other = code !== 0 && result.numFailedTests + broken === 0 ? 1 : 0;
  count(result.numPassedTests, result.numFailedTests + broken + other, name);
  const left = result.numPendingTests + result.numTodoTests;
  return `${result.numPassedTests} passed, ${result.numFailedTests + broken + other} failed${left ? `, ${left} left out` : ''}`;
}

function count(good, bad, name) {
  passed += good;
  failed += bad;
  if (bad > 0) failures.push(name);
}

/* What the tools print goes to standard error, so that standard output is the closing line alone. */
function node(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['ignore', args.includes('--json') ? 'ignore' : 2, 2],
      env: { ...process.env, FORCE_COLOR: process.stderr.isTTY ? '1' : '0' },
    });
    running.add(child);
    child.once('error', () => resolve(1));
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve(code ?? signal);
    });
  });
}

function cache(name) {
  return join(root, '.concord', 'cache', name);
}

function cacheOf(name) {
  return ['--cache', '--cache-strategy', 'content', '--cache-location', cache(name)];
}
