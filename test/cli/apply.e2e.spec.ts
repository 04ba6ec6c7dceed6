import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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
beforeAll(async () => {
  database = await createDatabase();
  folder = await mkdtemp(join(tmpdir(), 'concord-apply-'));
  await cp(join('samples', 'lakeside', 'configuration'), folder, { recursive: true });
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
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
        FORCE_COLOR: null, // which a test runner sets for its own workers
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
