import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { childEnvironment } from '../../config/env.js';
import { projectFolder } from '../../launch/project-folder.js';
import { createDatabase, type TestDatabase } from '../harness/database.js';

/* `npm run apply -- FOLDER` as a process, straight into a database. */

jest.setTimeout(120_000);
let database: TestDatabase;
let folder: string;
let home: string;
beforeAll(async () => {
  database = await createDatabase();
  folder = await mkdtemp(join(tmpdir(), 'concord-apply-'));
  home = await mkdtemp(join(tmpdir(), 'concord-home-'));
  await cp(join('samples', 'lakeside', 'configuration'), folder, { recursive: true });
});
afterAll(async () => {
  await database.drop();
  for (const one of [folder, home]) await rm(one, { recursive: true, force: true });
});

const apply = async (...args: string[]): Promise<{ code: number | null; out: string; errors: string }> => {
  const child = spawn(
    process.execPath,
    [join(projectFolder(), 'dist', 'cli', 'concord.js'), 'apply', '--local', ...args],
    {
      env: childEnvironment({
        DATABASE_URL: database.url,
        TEMPORAL_ADDRESS: null,
        NODE_OPTIONS: null,
        JEST_WORKER_ID: null,
        XDG_CONFIG_HOME: home,
        FORCE_COLOR: null, // which a test runner sets for its own workers
        CI: 'true', // for which some libraries colour even what goes into a pipe
      }),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let [out, errors] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, errors };
};

const edit = async (file: string, from: string, to: string): Promise<void> => {
  const path = join(folder, file);
  const text = await readFile(path, 'utf8');
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
};

test('a first folder is applied unasked, with keys; a change of what is there asks, and --yes answers', async () => {
  const first = await apply(folder);
  expect(first).toMatchObject({ code: 0, out: expect.stringContaining('+ create   mapping sis.students') });
  expect(first.out).toMatch(/secretary +concord_/);
  expect(await apply(folder)).toMatchObject({ code: 0, out: 'Lakeside University:\nNothing to change.\n' });

  await edit('jobs/lakeside.yaml', 'percent: 10', 'percent: 20');
  expect(await apply(folder)).toMatchObject({
    ...{ code: 3, out: '' },
    errors: expect.stringMatching(/~ change {3}job lakeside[^]*say --yes/),
  });
  expect(await apply(folder, '--yes')).toMatchObject({ code: 0 });
  expect(await apply(folder)).toMatchObject({ code: 0, out: expect.stringContaining('Nothing to change.') });
});

test('the first keys of each institution are kept under names of their own', async () => {
  const institution = async (code: string): Promise<string> => {
    const place = join(home, code);
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'institution.yaml'), `code: ${code}\nname: ${code}\ntimeZone: Europe/Zurich\n`);
    return place;
  };
  const keep = async (code: string): Promise<unknown> => {
    const { code: ended, out } = await apply(await institution(code), '--keep-keys', '--json');
    expect(ended).toBe(0);
    return JSON.parse(out) as unknown;
  };
  const roles = ['secretary', 'steward', 'operator', 'admin'];
  expect(await keep('college')).toMatchObject({ firstKeys: null, profiles: roles });
  expect(await keep('academy')).toMatchObject({ profiles: roles.map((role) => `academy-${role}`) });
  const kept = await readFile(join(home, 'concord', 'config.json'), 'utf8');
  const { default: standard, profiles } = JSON.parse(kept) as {
    default: string;
    profiles: Record<string, { key: string }>;
  };
  expect(standard).toBe('secretary');
  expect(new Set(Object.values(profiles).map(({ key }) => key)).size).toBe(8);
});

test('what the folder leaves out is archived only with --prune', async () => {
  await rm(join(folder, 'jobs', 'lakeside.yaml'));
  expect(await apply(folder)).toMatchObject({
    code: 0,
    out: expect.stringContaining('left as they are: job lakeside.'),
  });
  expect(await apply(folder, '--prune')).toMatchObject({
    code: 3,
    errors: expect.stringContaining('- archive  job lakeside'),
  });
  expect(await apply(folder, '--prune', '--yes')).toMatchObject({ code: 0 });
  expect(await apply(folder)).toMatchObject({ code: 0, out: 'Lakeside University:\nNothing to change.\n' });
});

test('a folder with problems is refused, each with file and line', async () => {
  await edit('systems/hr.yaml', 'kind: csv', 'kind: cvs');
  expect(await apply(folder)).toMatchObject({
    ...{ code: 2, out: '' },
    errors: expect.stringMatching(
      /^Error \[configuration_invalid\] Refused: 1 problem\. Nothing was changed\.\n {2}- systems\/hr\.yaml:3: .*\n$/,
    ),
  });
});
