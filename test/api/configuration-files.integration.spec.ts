import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { run as apply } from '../../cli/configuration-apply.js';
import type { CommandIo } from '../../cli/configuration-command.js';
import { run as diff } from '../../cli/configuration-diff.js';
import { run as exportFiles } from '../../cli/configuration-export.js';
import { createApiKey } from '../../database/api-keys.js';
import { applyConfiguration, configurationOf, readStoredConfiguration } from '../../database/configuration-store.js';
import type { Configuration } from '../../domain/job-definition.js';
import { canonicalJson } from '../../platform/canonical-json.js';
import { applyJudged, judgeFolder } from '../../worker/apply-folder.js';
import { createHub, type Hub } from '../../database/hub.js';
import { createDatabase } from '../harness/database.js';
import { readSampleConfiguration } from '../samples/configuration.js';
import { ApiHarness, type Reply } from './api-harness.js';

let api: ApiHarness;
let folder: string;
beforeAll(async () => {
  api = await ApiHarness.open();
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'concord-configuration-'));
  await cp(join('samples', 'lakeside', 'configuration'), folder, { recursive: true });
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A command at a terminal: what it wrote, and what it was answered. */
class Terminal implements CommandIo {
  readonly out: string[] = [];
  readonly errors: string[] = [];
  readonly asked: string[] = [];
  readonly ask: CommandIo['ask'];

  constructor(
    answer: boolean | null,
    private readonly as: 'steward' | 'operator' | 'nobody' = 'steward',
  ) {
    this.ask =
      answer === null
        ? null
        : async (question) => {
            this.asked.push(question);
            return Promise.resolve(answer);
          };
  }

  readonly write = (line: string): void => void this.out.push(line);
  readonly complain = (line: string): void => void this.errors.push(line);
  readonly api: CommandIo['api'] = {
    get: (path) => api.get(path, { as: this.as }),
    post: (path, body, headers = {}) => api.post(path, body, { as: this.as, headers }),
  };
}

const edit = async (file: string, from: string, to: string): Promise<void> => {
  const path = join(folder, file);
  const text = await readFile(path, 'utf8');
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
};

const stateOf = async (hub: Hub, institutionId: number): Promise<Configuration> =>
  configurationOf(await hub.read(institutionId, readStoredConfiguration));

/* By name: the order of things of a kind is that in which they were made. */
const sorted = (configuration: Configuration): string =>
  canonicalJson({
    ...configuration,
    ...Object.fromEntries(
      Object.entries(configuration).flatMap(([list, items]: [string, unknown]) =>
        Array.isArray(items) ? [[list, items.map((item) => canonicalJson(item)).sort()]] : [],
      ),
    ),
  });
const countVersions = async (): Promise<number> =>
  Number((await api.owner.query<{ count: string }>('select count(*) from configuration_versions')).rows[0]?.count);

describe('apply', () => {
  test('shows the difference, asks, applies all of it, and again nothing', async () => {
    const first = new Terminal(true);
    expect(await apply(['-f', folder], first)).toBe(0);
    expect(first.asked).toEqual([expect.stringMatching(/^Apply \d+ changes\?$/)]);
    expect(first.out).toEqual(
      expect.arrayContaining([
        '~ change   institution lakeside',
        '      /timeZone: "Europe/London" -> "Europe/Zurich"',
        '+ create   mapping sis.students',
        'Applied.',
      ]),
    );
    const sample = await readSampleConfiguration('lakeside');
    expect(sorted(await stateOf(api.hub, api.institutionId))).toBe(sorted(sample));
    const versions = await countVersions();
    const again = new Terminal(true);
    expect(await apply(['-f', folder], again)).toBe(0);
    expect([again.out, again.asked]).toEqual([['Nothing to change.'], []]);
    expect(await countVersions()).toBe(versions);
    expect(await diff(['-f', folder], new Terminal(null))).toBe(0);
    expect((await api.get('mappings/sis.students')).body).toMatchObject({ changedBy: 'steward:Test desk', version: 1 });
  });

  test('asked and refused, or with nobody to ask, it changes nothing', async () => {
    await edit('jobs/lakeside.yaml', 'percent: 10', 'percent: 20');
    const before = await countVersions();
    const refused = new Terminal(false);
    expect(await apply(['-f', folder], refused)).toBe(3);
    expect(refused.out).toEqual(['~ change   job lakeside', expect.stringContaining('/limits: ')]);
    expect(await apply(['-f', folder], new Terminal(null))).toBe(3);
    expect(await countVersions()).toBe(before);
    const drift = new Terminal(null);
    expect(await diff(['-f', folder], drift)).toBe(3);
    expect(drift.out).toContain('~ change   job lakeside');
    expect(await apply(['-f', folder, '--yes'], new Terminal(null))).toBe(0);
    expect(await countVersions()).toBe(before + 1);
  });

  test('a file alone changes what it holds, and nothing else', async () => {
    await apply(['-f', folder, '--yes'], new Terminal(null));
    const file = join(folder, 'some.yaml');
    await writeFile(
      file,
      'name: weekly\nsources: [sis.students]\ntargets: []\n---\nname: lms\nkind: csv\nsettings: { incoming: /data/lms, files: { people: { key: [id] } } }\n',
    );
    const before = await stateOf(api.hub, api.institutionId);
    const terminal = new Terminal(true);
    expect(await apply(['-f', file], terminal)).toBe(0);
    expect(terminal.out.filter((line) => /^[+~-]/.test(line))).toEqual([
      '+ create   system lms',
      '+ create   job weekly',
    ]);
    const after = await stateOf(api.hub, api.institutionId);
    expect(after.mappings).toEqual(before.mappings);
    expect(await diff(['-f', file], new Terminal(null))).toBe(0);
  });

  test('what the folder does not name stays, and is archived only with --prune', async () => {
    await apply(['-f', folder, '--yes'], new Terminal(null));
    const extra = { name: 'extra', sources: ['sis.students'], targets: [] };
    await api.post('jobs/create', extra);
    const careful = new Terminal(true);
    expect(await apply(['-f', folder], careful)).toBe(0);
    expect(careful.out).toEqual([
      expect.stringMatching(/left as they are: .*job extra.*--prune/),
      'Nothing to change.',
    ]);
    const drift = new Terminal(null);
    expect(await diff(['-f', folder], drift)).toBe(3);
    expect(drift.out).toContainEqual(expect.stringMatching(/^- archive {2}job extra \(not in the files/));
    const pruned = new Terminal(true);
    expect(await apply(['-f', folder, '--prune'], pruned)).toBe(0);
    expect(pruned.out).toContain('- archive  job extra');
    expect((await api.get('jobs/extra')).body).toMatchObject({ archived: true, version: 2 });
    const sample = await readSampleConfiguration('lakeside');
    const { jobs, systems } = await stateOf(api.hub, api.institutionId);
    expect([jobs.length, systems.length]).toEqual([sample.jobs.length, sample.systems.length]);
    expect(await diff(['-f', folder], new Terminal(null))).toBe(0);
  });

  test('every problem is told with its file and line, and nothing is changed', async () => {
    await edit('systems/hr.yaml', 'kind: csv', 'kind: cvs');
    await edit('systems/academic.yaml', 'encoding: utf-8', 'encoding: utf-99');
    await edit('jobs/lakeside.yaml', 'sis.students', 'sis.pupils');
    await edit('mappings/finance.accounts.yaml', 'create', 'creates');
    const before = await countVersions();
    const terminal = new Terminal(true);
    expect(await apply(['-f', folder], terminal)).toBe(2);
    expect(terminal.errors).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^systems\/hr\.yaml:3: "cvs" is no kind of system/),
        expect.stringMatching(/^systems\/academic\.yaml:8: /),
        expect.stringMatching(/^jobs\/lakeside\.yaml:4: there is no mapping sis\.pupils: one of /),
        expect.stringMatching(/^Refused: \d+ problems\. Nothing was changed\.$/),
      ]),
    );
    expect(terminal.asked).toEqual([]);
    expect(await countVersions()).toBe(before);
    await writeFile(join(folder, 'jobs', 'broken.yaml'), 'name: [');
    const broken = new Terminal(true);
    expect(await apply(['-f', folder], broken)).toBe(2);
    expect(broken.errors[0]).toMatch(/^jobs\/broken\.yaml:1: /);
  });

  test('what it would break elsewhere is told too', async () => {
    await apply(['-f', folder, '--yes'], new Terminal(null));
    const file = join(folder, 'mappings', 'sis.payments.yaml');
    await writeFile(file, (await readFile(file, 'utf8')).replace(/target:[\s\S]*$/, ''));
    const terminal = new Terminal(true);
    expect(await apply(['-f', file], terminal)).toBe(2);
    expect(terminal.errors.join('\n')).toMatch(/jobs lakeside.*not among what is given/);
  });

  test('a change that came between is noticed, and who may not is told so', async () => {
    await apply(['-f', folder, '--yes'], new Terminal(null));
    await edit('jobs/lakeside.yaml', 'percent: 10', 'percent: 33');
    const late = new Terminal(null);
    const meanwhile: CommandIo['ask'] = async () => {
      const job = await api.get('jobs/lakeside');
      const { definition } = job.body as { definition: object };
      const headers = { 'if-match': job.headers.get('etag') ?? '' };
      expect(await api.put('jobs/lakeside', { ...definition, partitions: 2 }, { headers })).toMatchObject({
        status: 200,
      });
      return true;
    };
    expect(await apply(['-f', folder], Object.assign(late, { ask: meanwhile }))).toBe(4);
    expect(await apply(['-f', folder, '--yes'], new Terminal(null, 'operator'))).toBe(5);
    expect(await diff(['-f', folder], new Terminal(null, 'nobody'))).toBe(5);
  });

  test('arguments that are none are told', async () => {
    for (const command of [apply, diff, exportFiles]) {
      const terminal = new Terminal(true);
      expect(await command(['--colour', 'red'], terminal)).toBe(2);
      expect(await command([], terminal)).toBe(2);
      expect(terminal.errors.join('\n')).toContain('-f FOLDER');
    }
    expect(await apply(['-f', join(folder, 'nowhere')], new Terminal(true))).toBe(2);
  });
});

describe('over HTTP', () => {
  const post = (path: string, body: object, headers = {}): Promise<Reply> => api.post(path, body, { headers });

  test('applying needs the state that the difference was seen on', async () => {
    const body = { configuration: { codeTables: [{ name: 'x', entries: [{ concept: 'a', codes: { sis: ['1'] } }] }] } };
    const seen = await post('configuration/diff', body);
    expect(seen).toMatchObject({
      status: 200,
      body: { valid: true, changes: [{ kind: 'code_table', action: 'create' }] },
    });
    expect(await post('configuration/apply', body)).toMatchObject({ status: 428 });
    expect(await post('configuration/apply', body, { 'if-match': '"other"' })).toMatchObject({
      status: 412,
      body: { currentEtag: seen.headers.get('etag') },
    });
    expect(await post('configuration/apply', body, { 'if-match': '0'.repeat(256) })).toMatchObject({ status: 400 });
    const done = await post('configuration/apply', body, { 'if-match': seen.headers.get('etag') ?? '' });
    expect(done).toMatchObject({ status: 200, body: { changes: [{ name: 'x' }] } });
    expect(done.headers.get('etag')).not.toBe(seen.headers.get('etag'));
    const wrong = { configuration: { codeTables: [{ name: 'x', entries: [] }] } };
    expect(await post('configuration/apply', wrong, { 'if-match': '*' })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/configuration/codeTables/0/entries' }] },
    });
    expect(
      await post('configuration/diff', {
        configuration: { institution: { code: 'mars', name: 'M', timeZone: 'UTC' } },
      }),
    ).toMatchObject({ body: { valid: false, problems: [{ pointer: '/institution/code' }] } });
  });

  test('the schema is there for every editor', async () => {
    expect(await api.get('configuration/schema', { as: 'nobody' })).toMatchObject({
      status: 200,
      body: { $schema: 'https://json-schema.org/draft/2020-12/schema', $defs: { mapping: { type: 'object' } } },
    });
  });
});

describe('export', () => {
  test.each(['lakeside', 'ipeds'] as const)(
    'of %s, applied to an empty platform, is the same configuration',
    async (name) => {
      const sample = await readSampleConfiguration(name);
      const { institutionId } = await applyConfiguration(api.hub, sample, 'test');
      const { key } = await createApiKey(api.hub, institutionId, { role: 'steward', name: 'Test desk', actor: 'test' });
      const before = api.token('steward');
      api.setToken('steward', key);
      const target = join(folder, 'exported');
      const terminal = new Terminal(null);
      expect(await exportFiles(['-f', target], terminal)).toBe(0);
      expect(await exportFiles(['-f', target], new Terminal(null))).toBe(2);
      await mkdir(join(target, 'jobs'), { recursive: true });
      await writeFile(join(target, 'jobs', 'stale.yaml'), 'name: stale\n');
      const forced = new Terminal(null);
      expect(await exportFiles(['-f', target, '--force'], forced)).toBe(0);
      expect(forced.errors).toEqual([expect.stringContaining('jobs/stale.yaml')]);
      await rm(join(target, 'jobs', 'stale.yaml'));
      expect(await diff(['-f', target], new Terminal(null))).toBe(0);
      api.setToken('steward', before);

      const { configuration, problems } = await judgeFolder(target);
      expect(problems).toEqual([]);
      if (configuration === null) throw new Error('refused');
      const elsewhere = await createDatabase();
      const hub = createHub({ url: elsewhere.url, role: 'concord_worker', max: 1 });
      try {
        const applied = await applyJudged(elsewhere.url, configuration, 'test');
        expect(sorted(await stateOf(hub, applied.institutionId))).toBe(sorted(sample));
        expect(sorted(await stateOf(api.hub, institutionId))).toBe(sorted(sample));
      } finally {
        await hub.close();
        await elsewhere.drop();
      }
    },
  );
});
