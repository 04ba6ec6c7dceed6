import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { projectFolder } from '../../launch/project-folder.js';
import { applyJudged, judgeFolder } from '../../worker/apply-folder.js';
import { firstKeysOf, institutionsOf } from '../../worker/prepare.js';
import { createDatabase } from '../harness/database.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'concord-apply-'));
  await cp(join(projectFolder(), 'samples', 'lakeside', 'configuration'), folder, { recursive: true });
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const replace = async (file: string, from: string, to: string): Promise<void> => {
  const path = join(folder, file);
  const text = await readFile(path, 'utf8');
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
};

test('a folder is applied whole, and once; its first keys are made once', async () => {
  const database = await createDatabase();
  try {
    const { configuration, problems, unsetSecrets } = await judgeFolder(folder);
    expect(problems).toEqual([]);
    expect(unsetSecrets).toContain('CONCORD_SECRET_LAKESIDE_SIS_URL');
    if (configuration === null) throw new Error('refused');
    const first = await applyJudged(database.url, configuration, 'test');
    expect(first).toMatchObject({ institution: 'created', jobs: { created: ['lakeside-records', 'lakeside'] } });
    const again = await applyJudged(database.url, configuration, 'test');
    expect(again).toMatchObject({ institution: 'unchanged', jobs: { created: [], changed: [], archived: [] } });
    expect(await institutionsOf(database.url)).toMatchObject([
      { code: configuration.institution.code, hasKeys: false },
    ]);
    const keys = await firstKeysOf(database.url, first.institutionId, 'test');
    expect(Object.keys(keys ?? {})).toEqual(['secretary', 'steward', 'operator', 'admin']);
    expect(await institutionsOf(database.url)).toMatchObject([{ hasKeys: true }]);
    expect(await firstKeysOf(database.url, first.institutionId, 'test')).toBeNull();
  } finally {
    await database.drop();
  }
});

test('every problem is told with its file, line and remedy: of what is said, and of the settings of systems', async () => {
  await replace('systems/hr.yaml', 'kind: csv', 'kind: cvs');
  await replace('systems/sis.yaml', 'url:', 'adress:');
  await replace('systems/academic.yaml', 'encoding: utf-8', 'encoding: utf-99');
  await replace('jobs/lakeside.yaml', 'sis.students', 'sis.pupils');
  const { configuration, problems } = await judgeFolder(folder);
  expect(configuration).toBeNull();
  expect(new Set(problems.map(({ file, line }) => `${file}:${line}`))).toEqual(
    new Set([
      'jobs/lakeside.yaml:4',
      'systems/hr.yaml:3',
      'systems/sis.yaml:5',
      'systems/sis.yaml:4',
      'systems/academic.yaml:8',
    ]),
  );
  for (const { reason, remedy } of problems) expect([reason, remedy]).not.toContain('');
});

test('what is no YAML is told alone', async () => {
  await writeFile(join(folder, 'jobs', 'lakeside.yaml'), 'name: [');
  const { configuration, problems } = await judgeFolder(folder);
  expect(configuration).toBeNull();
  expect(new Set(problems.map(({ file }) => file))).toEqual(new Set(['jobs/lakeside.yaml']));
});
