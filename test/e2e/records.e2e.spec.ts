import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { until } from '../../cli/until.js';
import { startProgram } from '../../cli/programs.js';
import { createApiKey } from '../../database/api-keys.js';
import { createHub } from '../../database/hub.js';
import { freePort } from '../../launch/ports.js';
import type { ServerProcess } from '../../launch/server-process.js';
import { applyJudged, judgeFolder } from '../../worker/apply-folder.js';
import { prepareDatabase } from '../../worker/prepare.js';
import { createDatabase, type TestDatabase } from '../harness/database.js';
import { temporalAddress, uniqueSuffix } from '../harness/temporal.js';

/* What is done with single records, with workers and API as processes of their own, over HTTP. The steps build on one another. */

const patience = 90;

/** The API with one key; paths as links have them, so that a test need not take them apart. */
class Api {
  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {}

  async send(
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const response = await fetch(`${this.url}/api/secretary/data-sync/${path}`, {
      method: body === null ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined || body === null ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined || body === null ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  }

  async post<T>(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<T> {
    const reply = await this.send(path, body, headers);
    if (reply.status > 299) throw new Error(`${path}: ${JSON.stringify(reply.body)}`);
    return reply.body as T;
  }

  async get<T>(path: string): Promise<T> {
    return await this.post<T>(path, null);
  }

  /** The items of a list that fits on one page. */
  async list<T>(path: string): Promise<readonly T[]> {
    return (await this.get<{ items: readonly T[] }>(path)).items;
  }
}

let folder: string;
let databases: readonly TestDatabase[] = [];
let programs: readonly ServerProcess[] = [];
let registry: pg.Client;
let steward: Api;
let northDesk: Api;
let directory: string;

const text = (name: string, extra = ''): string =>
  `  - { name: ${name}, attributes: [{ name: ${name}, type: text }], strategy: three_way, priority: [registry, personnel]${extra} }\n`;

const files: Readonly<Record<string, string>> = {
  'institution.yaml': `code: college
name: College
timeZone: UTC
recipientClasses: [registry, finance, directory]
visibility:
  organisation: organisation
  code: code
  name: name
  parent: parent
  through: [affiliation.organisation]
`,
  'systems/registry.yaml': 'name: registry\nkind: postgresql\nsettings: { url: { env: CONCORD_SECRET_REGISTRY } }\n',
  'systems/personnel.yaml':
    'name: personnel\nkind: csv\nsettings:\n  incoming: { env: CONCORD_SECRET_INCOMING }\n  files: { staff: { file: staff.csv, key: [staff_no] } }\n',
  'systems/web.yaml':
    'name: web\nkind: csv\nsettings:\n  outgoing: { env: CONCORD_SECRET_OUTGOING }\n  files: { people: { file: people.csv, key: [person_no] } }\n',
  'entity-types/organisation.yaml': `name: organisation
kind: mastered
subject: none
groups:
${text('code')}${text('name')}${text('parent')}search: [name]
identifiers: [{ scheme: unit }]
corroboration: { name: [name] }
`,
  'entity-types/person.yaml': `name: person
kind: mastered
subject: self
groups:
  - { name: name, attributes: [{ name: given, type: text }, { name: family, type: text }], strategy: three_way, priority: [registry, personnel] }
${text('phone')}${text('number', ', sensitivity: open')}  - { name: birth_date, attributes: [{ name: birth_date, type: date }], strategy: three_way, priority: [registry], sensitivity: sensitive }
identifiers: [{ scheme: national_id, sensitivity: sensitive }]
corroboration: { name: [name.given, name.family], birthDate: birth_date }
`,
  'entity-types/affiliation.yaml': `name: affiliation
kind: reconciled
subject: { reference: person }
naturalKey: [person, organisation]
groups:
  - { name: person, attributes: [{ name: person, type: reference, references: person }], strategy: three_way, priority: [registry] }
  - { name: organisation, attributes: [{ name: organisation, type: reference, references: organisation }], strategy: three_way, priority: [registry] }
`,
  'mappings/registry.units.yaml': `name: registry.units
system: registry
entity: units
source:
  columns: [code, name, parent]
  key: [code]
  records:
    - entityType: organisation
      groups: { code: { from: code }, name: { from: name }, parent: { from: parent } }
      identifiers: { unit: { from: code } }
`,
  'mappings/registry.people.yaml': `name: registry.people
system: registry
entity: people
source:
  columns: [person_no, national_id, given, family, birth_date, phone, unit]
  key: [person_no]
  records:
    - entityType: person
      groups:
        name: { given: { from: given }, family: { from: family } }
        phone: { from: phone }
        number: { from: person_no }
        birth_date: { from: birth_date }
      identifiers: { national_id: { from: national_id } }
    - entityType: affiliation
      subKey: unit
      when: { field: unit, is: present }
      groups: {}
      references: { person: {}, organisation: { mapping: registry.units, key: [unit] } }
  rules:
    - { name: national_id_unique, field: national_id, check: unique, severity: reject }
target:
  root: person
  key: [{ column: person_no, source: true }]
  columns: [{ column: phone, from: phone }]
  recipientClass: registry
  create: false
  onEnd: keep
`,
  'mappings/registry.accounts.yaml': `name: registry.accounts
system: registry
entity: accounts
target:
  root: person
  key: [{ column: person_no, from: number }]
  columns: [{ column: given, from: name.given }, { column: phone, from: phone }]
  recipientClass: finance
  onEnd: delete
`,
  'mappings/web.people.yaml': `name: web.people
system: web
entity: people
target:
  root: person
  key: [{ column: person_no, from: number }]
  columns: [{ column: given, from: name.given }, { column: family, from: name.family }]
  recipientClass: directory
  onEnd: delete
  wholeFile: true
`,
  'mappings/personnel.staff.yaml': `name: personnel.staff
system: personnel
entity: staff
source:
  columns: [staff_no, national_id, given, family]
  key: [staff_no]
  completeByDefault: false
  records:
    - entityType: person
      groups: { name: { given: { from: given }, family: { from: family } } }
      identifiers: { national_id: { from: national_id } }
`,
  'jobs/all.yaml': `name: all
sources: [registry.units, registry.people, personnel.staff]
targets: [registry.people, registry.accounts, web.people]
`,
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'concord-records-'));
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, 'college', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  const delivery = join(folder, 'incoming', '1');
  mkdirSync(delivery, { recursive: true });
  mkdirSync(join(folder, 'outgoing'));
  directory = join(folder, 'outgoing', 'people.csv');
  writeFileSync(join(delivery, 'staff.csv'), 'staff_no,national_id,given,family\r\nS1,id-1,Zoë,Ångström\r\n');
  const [own, theirs] = [await createDatabase({ empty: true }), await createDatabase({ empty: true })];
  databases = [own, theirs];
  registry = new pg.Client({ connectionString: theirs.url });
  await registry.connect();
  await registry.query(`
    create table units (code text primary key, name text, parent text);
    insert into units values ('C', 'College', null), ('N', 'North', 'C'), ('S', 'South', 'C');
    create table people (person_no text primary key, national_id text, given text, family text, birth_date date, phone text, unit text);
    insert into people values ('P1', 'id-1', 'Zoë', 'Ångström', '1999-04-02', '1', 'N'), ('P2', 'id-2', 'Jonas', 'Weber', '1985-11-30', '2', 'S'),
      ('P3', 'id-3', 'Mei', 'Lin', '1990-01-12', '3', 'N'), ('P4', 'id-4', 'Ada', 'Okafor', '1991-01-12', '4', 'N');
    create table accounts (person_no text primary key, given text, phone text)`);
  await prepareDatabase(own.url);
  const { configuration, problems } = await judgeFolder(join(folder, 'college'));
  if (configuration === null) throw new Error(JSON.stringify(problems));
  const { institutionId } = await applyJudged(own.url, configuration, 'test');
  const apiPort = await freePort(0);
  const program = {
    ...{ databaseUrl: own.url, temporalAddress: temporalAddress(), scope: `.${uniqueSuffix()}`, folder, apiPort },
    environment: {
      CONCORD_SECRET_REGISTRY: theirs.url,
      CONCORD_SECRET_INCOMING: join(folder, 'incoming'),
      CONCORD_SECRET_OUTGOING: join(folder, 'outgoing'),
    },
  };
  programs = await Promise.all([
    startProgram({ ...program, name: 'worker' }),
    startProgram({ ...program, name: 'api' }),
  ]);
  const hub = createHub({ url: own.url, role: 'concord_api', max: 1 });
  const client = async (role: 'steward' | 'secretary', organisations: string[]): Promise<Api> => {
    const { key } = await createApiKey(hub, institutionId, { role, name: 'Test', actor: 'test', organisations });
    return new Api(`http://127.0.0.1:${apiPort}`, key);
  };
  steward = await client('steward', []);
  northDesk = await client('secretary', ['N']);
  await hub.close();
}, 120_000);

afterAll(async () => {
  await Promise.all(programs.map((program) => program.stop()));
  await registry.end();
  for (const database of databases) await database.drop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

interface Run {
  readonly id: string;
  readonly state: string;
  readonly finishedAt: string | null;
  readonly counts: { readonly rows?: Readonly<Record<string, number>> };
  readonly balance: { readonly balances: boolean } | null;
}
interface Golden {
  readonly id: string;
  readonly version: number;
  readonly status: string;
  readonly groups: readonly { readonly name: string; readonly value: unknown; readonly sticky: boolean }[];
}
interface Target {
  readonly mapping: string;
  readonly state: string;
  readonly version: number | null;
  readonly words: string;
}

let keys = 0;
const started = async (path: string): Promise<Run> => {
  keys += 1;
  const { runId, workflowId } = await steward.post<{ runId: string | null; workflowId: string }>(path, undefined, {
    'idempotency-key': `key-${keys}`,
  });
  const id =
    runId ??
    (await until('the run', patience, async () => {
      const [run] = await steward.list<Run>(`runs?workflowId=${encodeURIComponent(workflowId)}`);
      return run?.id ?? null;
    }));
  return await until('the end of the run', patience, async () => {
    const run = await steward.get<Run>(`runs/${id}`);
    return run.finishedAt === null ? null : run;
  });
};
const sync = (id: string): Promise<Run> => started(`golden-records/${id}/sync`);
const idOf = async (key: string): Promise<string> => {
  const [found] = await steward.list<{ id: string }>(`golden-records?type=person&key=registry:${key}`);
  if (found === undefined) throw new Error(`nobody is ${key}`);
  return found.id;
};
const phoneOf = async (id: string): Promise<unknown> =>
  (await steward.get<Golden>(`golden-records/${id}`)).groups.find(({ name }) => name === 'phone')?.value;
const accounts = async (): Promise<unknown[]> =>
  (
    await registry.query<{ person_no: string; phone: string }>('select person_no, phone from accounts order by 1')
  ).rows.map(({ person_no: number, phone }) => [number, phone]);
const listed = (): string[] =>
  readFileSync(directory, 'utf8')
    .split('\r\n')
    .slice(1, -1)
    .map((line) => line.split(',')[0] ?? '');
const targetsOf = async (id: string): Promise<Record<string, string>> => {
  const { items } = await steward.get<{ items: Target[] }>(`golden-records/${id}/targets`);
  return Object.fromEntries(items.map(({ mapping, state }) => [mapping, state]));
};
const allTold = { 'registry.people': 'told', 'registry.accounts': 'told', 'web.people': 'told' };

describe('single records', () => {
  test('are found by name once a run has written them', async () => {
    const [job] = await steward.list<{ id: string }>('jobs');
    expect(await started(`jobs/${job?.id ?? ''}/runs`)).toMatchObject({
      state: 'completed',
      balance: { balances: true },
    });
    const found = await until('the names', patience, async () => {
      const items = await steward.list<{ id: string; label: string }>('golden-records?type=person&q=angstrom zo');
      return items.length === 0 ? null : items;
    });
    expect(found).toMatchObject([{ id: await idOf('P1'), label: 'Zoë Ångström' }]);
    expect(await targetsOf(await idOf('P1'))).toEqual(allTold);
  });

  test('are seen by those who are bound to their organisation', async () => {
    const names = async (client: Api): Promise<string[]> =>
      (await client.list<{ label: string }>('golden-records?type=person')).map(({ label }) => label).sort();
    expect(await names(northDesk)).toEqual(['Ada Okafor', 'Mei Lin', 'Zoë Ångström']);
    expect(await names(steward)).toHaveLength(4);
    const tree = await northDesk.list<{ code: string; yours: boolean }>('organisations');
    expect(tree.map(({ code, yours }) => [code, yours])).toEqual([
      ['C', false],
      ['N', true],
      ['S', false],
    ]);
  });

  test('are synchronized alone: their rows, by key, and nobody else', async () => {
    const [p1, p2] = [await idOf('P1'), await idOf('P2')];
    await registry.query(`update people set phone = phone || '-new' where person_no in ('P1', 'P2')`);
    const begun = Date.now();
    const run = await sync(p1);
    const seconds = (Date.now() - begun) / 1000;
    expect(run).toMatchObject({ state: 'completed', balance: { balances: true } });
    expect(run.counts.rows).toMatchObject({ extracted: 1, changed: 1, missing: 0 });
    expect([await phoneOf(p1), await phoneOf(p2)]).toEqual(['1-new', '2']);
    expect(await accounts()).toEqual([
      ['P1', '1-new'],
      ['P2', '2'],
      ['P3', '3'],
      ['P4', '4'],
    ]);
    expect(await targetsOf(p1)).toEqual(allTold);
    // The one whose rows come in files is told as left out.
    const findings = await steward.list<{ kind: string; mapping: string }>(`runs/${run.id}/findings`);
    expect(findings).toMatchObject([{ kind: 'source_reads_no_keys', mapping: 'personnel.staff' }]);
    process.stderr.write(`one person was synchronized in ${seconds.toFixed(1)} s\n`);
    expect((await sync(p1)).counts.rows).toMatchObject({ extracted: 1, unchanged: 1 });
  });

  test('end where their row was read and is gone; nothing else is concluded', async () => {
    const [p3, p4] = [await idOf('P3'), await idOf('P4')];
    await registry.query(`delete from people where person_no in ('P3', 'P4')`);
    expect((await sync(p4)).counts.rows).toMatchObject({ extracted: 0, missing: 1, deleted: 1 });
    expect(await steward.get<Golden>(`golden-records/${p4}`)).toMatchObject({ status: 'ended' });
    expect(await steward.get<Golden>(`golden-records/${p3}`)).toMatchObject({ status: 'active' });
    expect((await accounts()).map((row) => (row as string[])[0])).toEqual(['P1', 'P2', 'P3']);
    expect(listed()).toEqual(['P1', 'P2', 'P3']);
    await registry.query(`insert into people values ('P4', 'id-4', 'Ada', 'Okafor', '1991-01-12', '44', 'N')`);
    expect((await sync(p4)).counts.rows).toMatchObject({ extracted: 1, new: 1 });
    expect(await phoneOf(p4)).toBe('44');
    expect(listed()).toEqual(['P1', 'P2', 'P3', 'P4']);
  });

  test('of a key that others have too, the rule still says so', async () => {
    const p4 = await idOf('P4');
    await registry.query(`update people set national_id = 'id-2', phone = '45' where person_no = 'P4'`);
    expect((await sync(p4)).counts.rows).toMatchObject({ extracted: 1, rejected: 1 });
    expect(await phoneOf(p4)).toBe('44');
    await registry.query(`update people set national_id = 'id-4', phone = '44' where person_no = 'P4'`);
    await sync(p4);
  });

  test('are taken back at once where they are restricted, and told again after the release', async () => {
    const p2 = await idOf('P2');
    const { id } = await steward.post<{ id: string }>('restrictions', {
      ...{ goldenId: p2, recipientClass: 'directory', authority: 'Request', reason: 'Asked for it' },
    });
    await until('the retraction', patience, async () => (listed().includes('P2') ? null : true));
    expect(await accounts()).toContainEqual(['P2', '2']);
    await until('the end of it', patience, async () =>
      (await targetsOf(p2))['web.people'] === 'withheld' ? true : null,
    );
    await steward.post(`restrictions/${id}/release`, { reason: 'She withdrew it' });
    await until('the row', patience, async () => (listed().includes('P2') ? true : null));
  });

  test('keep an override until it is lifted', async () => {
    const p1 = await idOf('P1');
    const nameOf = async (): Promise<unknown> =>
      (await steward.get<Golden>(`golden-records/${p1}`)).groups.find(({ name }) => name === 'name');
    const given = async (): Promise<string> =>
      (await registry.query<{ given: string }>(`select given from accounts where person_no = 'P1'`)).rows[0]?.given ??
      '';
    const value = { given: 'Zoe', family: 'Angstrom' };
    await steward.post(`golden-records/${p1}/override`, { group: 'name', value, reason: 'She told us' });
    await until('the override at the target', patience, async () => ((await given()) === 'Zoe' ? true : null));
    const refused = await steward.send(`golden-records/${p1}/override/lift`, { group: 'phone', reason: 'x' });
    expect(refused.status).toBe(409);
    await registry.query(`update people set given = 'Zoé' where person_no = 'P1'`);
    await until('the end of what is at work', patience, async () =>
      (await steward.list<Run>('runs')).every(({ finishedAt }) => finishedAt !== null) ? true : null,
    );
    await sync(p1);
    expect(await nameOf()).toMatchObject({ value, sticky: true });
    await steward.post(`golden-records/${p1}/override/lift`, { group: 'name', reason: 'The registry is right' });
    await until('the end of the override', patience, async () => ((await given()) === 'Zoé' ? true : null));
    expect(await nameOf()).toMatchObject({ value: { given: 'Zoé', family: 'Ångström' }, sticky: false });
  });

  test('tell their history, what was known when, and where each value comes from', async () => {
    const p1 = await idOf('P1');
    const versions = await steward.list<{
      version: number;
      words: string;
      knownAt: string;
      changes: { group: string }[];
    }>(`golden-records/${p1}/history`);
    expect(versions.map(({ version }) => version)).toEqual(
      [...versions.keys()].map((index) => versions.length - index),
    );
    expect(versions.at(0)?.words).toMatch(/^Name changed, decided by the steward/);
    expect(versions.at(-1)?.words).toMatch(/^The record was made/);
    const first = versions.at(-2)?.knownAt ?? '';
    const before = new Date(Date.parse(first) - 1).toISOString();
    const then = await steward.get<{ groups: { name: string; value: unknown }[] }>(
      `golden-records/${p1}/as-of?knownAt=${before}`,
    );
    expect(then.groups.find(({ name }) => name === 'phone')?.value).toBe('1');
    const { groups } = await steward.get<{ groups: { name: string; words: string; statements: object[] }[] }>(
      `golden-records/${p1}/provenance`,
    );
    expect(groups.find(({ name }) => name === 'name')).toMatchObject({
      words: expect.stringMatching(/^From registry \(record P1\)/),
      statements: [
        { system: 'personnel', state: 'live', agrees: false, value: { given: 'Zoë', family: 'Ångström' } },
        { system: 'registry', state: 'live', agrees: true },
      ],
    });
  });

  test('agree with a run over whole sources afterwards', async () => {
    const [job] = await steward.list<{ id: string }>('jobs');
    const last = await started(`jobs/${job?.id ?? ''}/runs`);
    expect(last).toMatchObject({ state: 'completed', balance: { balances: true } });
    expect(await accounts()).toEqual([
      ['P1', '1-new'],
      ['P2', '2-new'],
      ['P4', '44'],
    ]);
  });
});
