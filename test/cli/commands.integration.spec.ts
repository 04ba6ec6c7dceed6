import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiHarness } from '../api/api-harness.js';
import { World } from '../api/builders.js';
import { Concord } from './concord.js';

let api: ApiHarness;
let world: World;
let run: string;
let golden: string;
let steward: Concord;
let operator: Concord;
const opened: Concord[] = [];

beforeAll(async () => {
  api = await ApiHarness.open();
  world = await World.build(api);
  steward = concord(api.token('steward'));
  operator = concord(api.token('operator'));
});
afterAll(async () => {
  for (const one of opened) one.close();
  await api.close();
});
beforeEach(async () => {
  await api.owner.query('delete from sync_conflict_resolutions; delete from decision_batches; delete from outbox');
  run = await world.run({
    state: 'completed_with_questions',
    counts: { rows: { extracted: 10, unchanged: 8, changed: 2 }, summary: { goldenWrites: 2, targetWrites: 2 } },
  });
  golden = await world.golden(run);
});

const concord = (key: string | null, url: string | null = api.url): Concord => {
  const made = new Concord({ url, key });
  opened.push(made);
  return made;
};

describe('looking', () => {
  test('jobs as a table for people and as JSON for programs', async () => {
    const shown = await steward.run('jobs');
    expect(shown.exitCode).toBe(0);
    expect(shown.out).toMatch(/^ID +NAME +SOURCES +TARGETS +NEWEST RUN +WAITS\n\d+ +people +sis\.students hr\.staff/);
    expect(shown.out).not.toContain('\u001b[');
    const { out } = await steward.run('jobs --json');
    expect(JSON.parse(out)).toMatchObject({ items: [{ definition: { name: 'people' } }] });
  });

  test('colours on a terminal, unless NO_COLOR or --no-color say otherwise', async () => {
    expect((await steward.run('runs', { terminal: true })).out).toContain('\u001b[');
    expect((await steward.run('runs --no-color', { terminal: true })).out).not.toContain('\u001b[');
    const plain = new Concord({ url: api.url, key: api.token('steward'), colours: false });
    opened.push(plain);
    expect((await plain.run('runs', { terminal: true })).out).not.toContain('\u001b[');
  });

  test('keys of several columns with bars between their cells', async () => {
    await world.setAside(run, { key: 'ZH\u001f12' });
    await world.image(run, golden, { key: 'ZH1\u001f2' });
    expect((await steward.run(`rejected ${run}`)).out).toMatch(/ ZH\|12 /);
    expect((await steward.run(`person show ${golden}`)).out).toMatch(/ ZH1\|2$/m);
  });

  test('a run in words with its counts', async () => {
    const shown = await steward.run(`run show ${run}`);
    expect(shown).toMatchObject({ exitCode: 0, err: '' });
    expect(shown.out).toContain('The synchronization is done.');
    expect(shown.out).toMatch(/rows +10 extracted, 8 unchanged, 2 changed/);
    expect(shown.out).toMatch(/sums balance +yes/);
    const { out } = await steward.run(`run show ${run} --json`);
    expect(JSON.parse(out)).toMatchObject({ id: run, state: 'completed_with_questions' });
  });

  test('a run that is over is watched to its end at once: 3 where a person has to decide', async () => {
    await world.question(run, golden);
    expect(await steward.run(`run show ${run} --watch -q`)).toMatchObject({ exitCode: 3, err: '' });
    const quiet = await world.run();
    expect(await steward.run(`run show ${quiet} --watch`)).toMatchObject({ exitCode: 0 });
    const aside = await world.run();
    await world.rejected(aside);
    expect(await steward.run(`run show ${aside} --watch`)).toMatchObject({ exitCode: 0 });
    const failed = await world.run({ state: 'failed', error: 'source_unreachable' });
    expect(await steward.run(`run show ${failed} --watch`)).toMatchObject({ exitCode: 1 });
  });

  test('6 where a run went on without a system, be there questions or not', async () => {
    const unusable = [{ name: 'hr.staff', code: 'source_unreachable', detail: 'ENOENT' }];
    const without = await world.run({ counts: { unusable } });
    const shown = await steward.run(`run show ${without} --watch`);
    expect(shown).toMatchObject({ exitCode: 6 });
    expect(shown.out).toContain('It went on without hr.staff (source_unreachable: ENOENT).');
    await world.question(without, golden);
    expect(await steward.run(`run show ${without} --watch`)).toMatchObject({ exitCode: 6 });
  });

  test('3 also where the change that holds rows back is that of an earlier run', async () => {
    const held = await world.held(run);
    const later = await world.run();
    const shown = await steward.run(`run show ${later} --watch`);
    expect(shown).toMatchObject({ exitCode: 3 });
    expect(shown.out).toMatch(/held before +1: concord held/);
    await api.owner.query(`update held_changes set state = 'discarded' where id = $1`, [held]);
    expect(await steward.run(`run show ${later} --watch`)).toMatchObject({ exitCode: 0 });
  });

  test('a list is followed over its pages up to the limit', async () => {
    for (let count = 0; count < 5; count += 1) await world.run({ state: 'cancelled' });
    const { out } = await steward.run('runs --state cancelled --limit 3 --json');
    expect((JSON.parse(out) as { items: unknown[] }).items).toHaveLength(3);
    expect((await steward.run('runs --state cancelled --limit 3')).out).toContain('--limit shows more');
    expect((await steward.run('runs --state cancelled --limit 500')).out).not.toContain('--limit shows more');
  });

  test('a record with its provenance', async () => {
    const image = await world.image(run, golden, { key: 'E-77' });
    await world.identifier(image, 'staff_number', 'E-77');
    const found = await steward.run('person find staff_number:E-77 --json');
    expect(JSON.parse(found.out)).toMatchObject({ items: [{ id: golden, type: 'person' }] });
    const shown = await steward.run(`person show ${golden}`);
    expect(shown.out).toMatch(new RegExp(`^person ${golden} active, version 1\n`));
    expect(shown.out).toContain('Okafor, Amara');
    expect(shown.out).toMatch(/staff_number +E-77 +hr/);
  });

  test('a restriction is placed on a record and released, each with a reason', async () => {
    expect(await steward.run(`restrict place ${golden} --class statutory --reason asked`)).toMatchObject({
      exitCode: 2,
    });
    const placed = await steward.run(
      `restrict place ${golden} --class statutory --authority "request of the person" --reason "at the desk" --json`,
    );
    expect(placed).toMatchObject({ exitCode: 0, err: '' });
    const { id } = JSON.parse(placed.out) as { id: string };
    expect((await steward.run('restrict --state standing')).out).toMatch(
      new RegExp(`^${id} +person ${golden} +statutory +standing`, 'm'),
    );
    expect(await concord(api.token('secretary')).run(`restrict release ${id} --reason no`)).toMatchObject({
      exitCode: 5,
    });
    expect(await steward.run(`restrict release ${id} --reason withdrawn`)).toMatchObject({ exitCode: 0 });
    expect((await steward.run('restrict --state standing')).out).toBe('Nothing is restricted.\n');
    expect(await operator.run('restrict')).toMatchObject({ exitCode: 5 });
  });

  test('one record alone is synchronized by a run of its own; a run that is over is not cancelled', async () => {
    const begun = api.started.length;
    const image = await world.image(run, golden, { mapping: 'sis.students', key: 'E-78' });
    await world.identifier(image, 'staff_number', 'E-78');
    await api.owner.query('update record_images set read_run = $2 where id = $1', [image, run]);
    expect(await steward.run('person sync staff_number:E-78 --no-watch')).toMatchObject({ exitCode: 0, err: '' });
    expect(api.started.slice(begun)).toHaveLength(1);
    expect(await operator.run(`run cancel ${run}`)).toMatchObject({ exitCode: 2 });
    expect(await operator.run(`run cancel ${run} --reason late`)).toMatchObject({ exitCode: 4 });
  });

  test('who may what needs no server', async () => {
    const nobody = concord(null, null);
    const shown = await nobody.run('roles operator');
    expect(shown.exitCode).toBe(0);
    expect(shown.out).toMatch(/^run:start +yes$/m);
    expect(shown.out).toMatch(/^question:count +counts$/m);
    expect(shown.out).not.toContain('question:decide');
  });
});

describe('deciding', () => {
  test('one question, on the version that was looked at', async () => {
    const id = await world.question(run, golden);
    expect((await steward.run('conflicts')).out).toContain('hr: amara@hr.example | sis: amara@sis.example');
    const decided = await steward.run(`decide ${id} --take hr --reason "confirmed by phone"`);
    expect(decided).toMatchObject({ exitCode: 0, err: '' });
    expect(decided.out).toMatch(/^Decided\./);
    const { out } = await steward.run(`conflicts show ${id} --json`);
    expect(JSON.parse(out)).toMatchObject({
      status: 'decided',
      decision: { choice: { take: 'hr' }, reason: 'confirmed by phone', by: 'steward:Test desk' },
    });
  });

  test('on an outdated version: 4, and what to do', async () => {
    const id = await world.question(run, golden, { version: 2 });
    const refused = await steward.run(`decide ${id} --keep --seen 1`);
    expect(refused).toMatchObject({ exitCode: 4, out: '' });
    expect(refused.err).toMatch(/^Error \[conflict_changed\] /);
    expect(refused.err).toContain('What to do: Look at it again');
    expect(refused.err).toMatch(/^trace [0-9a-f]{32}$/m);
    const told = await steward.run(`decide ${id} --keep --seen 1 --json`);
    expect(JSON.parse(told.err)).toMatchObject({ error: { code: 'conflict_changed', current: { id } }, exitCode: 4 });
  });

  test('many from a file, each with a result of its own', async () => {
    const [one, two] = [await world.question(run, golden), await world.question(run, await world.golden(run))];
    const csv = `id,version,take,keep,value,reason\n${one},1,hr,,,\n${two},9,,yes,,no hurry\n`;
    const many = await steward.run('decide -f - --reason "domain changed"', { input: csv });
    expect(many.exitCode).toBe(4);
    expect(many.out).toMatch(/^1 decided, 1 refused\./);
    expect(many.out).toMatch(new RegExp(`^${two} +conflict_changed`, 'm'));
    const wrong = await steward.run('decide -f -', { input: 'id,version,tke\n1,1,hr\n' });
    expect(wrong).toMatchObject({ exitCode: 2 });
    expect(wrong.err).toContain('tke is no column of decisions');
  });

  test('no choice, and two of them, are no decision', async () => {
    const id = await world.question(run, golden);
    for (const line of [`decide ${id}`, `decide ${id} --take hr --keep`, 'decide', `decide ${id} --value "{"`])
      expect([line, (await steward.run(line)).exitCode]).toEqual([line, 2]);
  });

  test('a held change', async () => {
    const id = await world.held(run);
    expect((await steward.run('held')).out).toMatch(new RegExp(`^${id} `, 'm'));
    expect((await steward.run(`held show ${id}`)).out).toMatch(/hr\.staff +E-1 +delete/);
    expect(await steward.run(`held release ${id}`)).toMatchObject({ exitCode: 2 });
    expect(await steward.run(`held release ${id} --reason confirmed`)).toMatchObject({ exitCode: 0 });
    expect(await steward.run(`held discard ${id} --reason no --seen 1`)).toMatchObject({ exitCode: 4 });
  });
});

describe('starting and taking back', () => {
  test('a run of a job, by its name, once for one key', async () => {
    const begun = api.started.length;
    const line = 'run people --idempotency-key tuesday --as-of 2026-11-20';
    expect(await operator.run(line)).toMatchObject({ exitCode: 0 });
    expect(await operator.run(line)).toMatchObject({ exitCode: 0 });
    expect(api.started.slice(begun)).toMatchObject([{ type: 'syncRun' }]);
    const unknown = await operator.run('run nobody');
    expect(unknown).toMatchObject({ exitCode: 1 });
    expect(unknown.err).toContain('There are: people.');
  });

  test('a rollback is looked at first, and needs somebody who says yes', async () => {
    api.previews.set(run, {
      hash: 'b7c1f0aa-58a2-4d05-93f9-a27ae41e8f0a',
      runs: [{ runId: run, kind: 'sync' }],
      reversed: 2,
      keptCount: 1,
      kept: [{ goldenId: golden, reason: 'changed_since', target: null }],
      targets: [{ mapping: 'finance.people', rows: 2 }],
      ...{ questionsReopened: 0, questionsWithdrawn: 1 },
    });
    const preview = await steward.run(`rollback ${run} --preview`);
    expect(preview.exitCode).toBe(0);
    expect(preview.out).toContain('set back 2 values; 2 rows of finance.people');
    expect(preview.out).toContain('changed since by a later run');
    expect(await steward.run(`rollback ${run}`)).toMatchObject({ exitCode: 2 });
    const begun = api.started.length;
    const alone = await steward.run(`rollback ${run} --reason "a wrong file"`);
    expect(alone.exitCode).toBe(3);
    expect(alone.err).toContain('--seen b7c1f0aa-58a2-4d05-93f9-a27ae41e8f0a');
    expect(api.started.length).toBe(begun);
    expect(await steward.run(`rollback ${run} --reason "a wrong file" --yes --no-watch`)).toMatchObject({
      exitCode: 0,
    });
    expect(api.started.at(-1)).toMatchObject({ type: 'rollbackRun' });
  });
});

describe('configuration and keys', () => {
  test('what is configured is exported as files, which agree with it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'concord-export-'));
    expect(await steward.run(`export ${folder}`)).toMatchObject({ exitCode: 0, err: '' });
    // What the tests seed is no configuration that a person could apply: mended first.
    const settings = '{ incoming: /data/hr, files: { staff: { file: staff.csv, key: [staff_no] } } }';
    writeFileSync(join(folder, 'systems', 'hr.yaml'), `name: hr\nkind: csv\nsettings: ${settings}\nowner: hr-office\n`);
    expect(await steward.run(`apply ${folder}/systems/hr.yaml --yes`)).toMatchObject({ exitCode: 0, err: '' });
    expect(await steward.run(`diff ${folder}`)).toMatchObject({
      exitCode: 0,
      out: 'The platform is as the files say.\n',
    });
    expect(await steward.run(`export ${folder}`)).toMatchObject({ exitCode: 2 });
    const job = join(folder, 'jobs', 'people.yaml');
    writeFileSync(job, 'name: people\nsources: [sis.students]\ntargets: [finance.people]\n');
    const differs = await steward.run(`diff ${job} --json`);
    expect(differs.exitCode).toBe(3);
    expect(JSON.parse(differs.out)).toMatchObject({ changes: [{ kind: 'job', name: 'people', action: 'change' }] });
    expect(await steward.run(`apply ${job}`)).toMatchObject({ exitCode: 3 });
    expect(await steward.run(`apply ${job} --yes`)).toMatchObject({ exitCode: 0 });
    expect((await steward.run('jobs show people')).out).toMatch(/^reads +sis\.students$/m);
    writeFileSync(job, 'name: people\nsources: [nowhere.at.all]\ntargets: []\n');
    const wrong = await steward.run(`apply ${job} --yes`);
    expect(wrong).toMatchObject({ exitCode: 2, out: '' });
    expect(wrong.err).toMatch(/people\.yaml:2: /);
    expect(await operator.run(`diff ${folder}`)).toMatchObject({ exitCode: 5 });
    rmSync(folder, { recursive: true });
  });

  test('keys are made, shown once, rotated and revoked by an admin', async () => {
    const admin = concord(api.token('admin'));
    expect(await steward.run('keys')).toMatchObject({ exitCode: 5 });
    const { out } = await admin.run('keys create "Registry import" --role operator --json');
    const made = JSON.parse(out) as { id: string; key: string };
    expect(await concord(made.key).run('jobs')).toMatchObject({ exitCode: 0 });
    expect((await admin.run('keys --role operator')).out).toMatch(
      new RegExp(`^${made.id} +Registry import +operator +active`, 'm'),
    );
    expect((await admin.run('keys')).out).not.toContain(made.key);
    const rotated = JSON.parse((await admin.run(`keys rotate ${made.id} --json`)).out) as { id: string; key: string };
    expect(await concord(made.key).run('jobs')).toMatchObject({ exitCode: 5 });
    expect(await concord(rotated.key).run('jobs')).toMatchObject({ exitCode: 0 });
    expect(await admin.run(`keys revoke ${rotated.id}`)).toMatchObject({ exitCode: 0 });
    expect(await concord(rotated.key).run('jobs')).toMatchObject({ exitCode: 5 });
    expect(await admin.run('keys create somebody')).toMatchObject({ exitCode: 2 });
  });
});

describe('what goes wrong', () => {
  test('a wrong command line', async () => {
    for (const line of ['frobnicate', 'runs --state nowhere', 'runs --limit many', 'run', 'run cancel', 'runs --frob'])
      expect([line, (await steward.run(line)).exitCode]).toEqual([line, 2]);
    expect((await steward.run('rusn')).err).toContain('Did you mean one of run, runs?');
  });

  test('no key, an unknown one, and a role that may not', async () => {
    const keyless = await concord(null).run('jobs');
    expect(keyless).toMatchObject({ exitCode: 5 });
    expect(keyless.err).toContain('concord login');
    const folder = mkdtempSync(join(tmpdir(), 'concord-'));
    writeFileSync(join(folder, 'institution.yaml'), 'code: x\nname: X\ntimeZone: UTC\n');
    for (const line of ['jobs', `diff ${folder}`]) {
      const strange = await concord('concord_live_nobody_nothing').run(line);
      expect(strange).toMatchObject({ exitCode: 5, err: expect.stringContaining('[unauthenticated]') });
      expect(strange.err).toContain(`Asked at ${api.url}: `);
    }
    rmSync(folder, { recursive: true });
    const blind = await operator.run('conflicts');
    expect(blind).toMatchObject({ exitCode: 5 });
    expect(blind.err).toContain('secretary');
  });

  test('nothing listens there, or something else does', async () => {
    const nowhere = await concord('key', 'http://127.0.0.1:1').run('jobs');
    expect(nowhere).toMatchObject({ exitCode: 1 });
    expect(nowhere.err).toContain('does not answer at http://127.0.0.1:1');
    expect(await concord('key', 'nowhere').run('jobs')).toMatchObject({ exitCode: 2 });
  });

  test('what is not there', async () => {
    expect(await steward.run('run show 999999')).toMatchObject({ exitCode: 1 });
    expect(await steward.run('conflicts show 999999')).toMatchObject({ exitCode: 1 });
  });
});

describe('kept keys', () => {
  test('are tried, kept for their owner alone, and used by name', async () => {
    const kept = concord(null);
    const refused = await kept.run('login', { input: 'concord_live_nobody_nothing\n' });
    expect(refused).toMatchObject({ exitCode: 5 });
    expect(await kept.run('login --profile boss', { input: `${api.token('steward')}\n` })).toMatchObject({
      exitCode: 0,
    });
    expect(await kept.run('login --profile machine', { input: api.token('operator') })).toMatchObject({ exitCode: 0 });
    expect(statSync(kept.configFile).mode & 0o077).toBe(0);
    expect(await kept.run('conflicts')).toMatchObject({ exitCode: 0 });
    expect(await kept.run('conflicts --profile machine')).toMatchObject({ exitCode: 5 });
    expect(await kept.run('jobs --profile nobody')).toMatchObject({ exitCode: 2 });
    const { profiles } = JSON.parse(readFileSync(kept.configFile, 'utf8')) as { profiles: object };
    expect(Object.keys(profiles)).toEqual(['boss', 'machine']);
    writeFileSync(kept.configFile, 'not json');
    expect(await kept.run('jobs')).toMatchObject({ exitCode: 2 });
  });
});
