import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiHarness, base, type Ask, type Reply } from './api-harness.js';
import { World } from './builders.js';

let api: ApiHarness;
let world: World;
let system: number;
beforeAll(async () => {
  api = await ApiHarness.open();
  world = await World.build(api);
  const { rows } = await api.owner.query<{ id: number }>(
    `update data_source_configurations set settings = $2 where institution_id = $1 and name = 'hr' returning id`,
    [
      api.institutionId,
      JSON.stringify({
        incoming: { env: 'CONCORD_SECRET_NOBODY_READS' },
        files: { staff: { file: 'staff.csv', key: ['id'] }, leave: { file: 'leave-*.csv', key: ['id'] } },
      }),
    ],
  );
  system = rows[0]?.id ?? 0;
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  await api.owner.query('delete from uploads; delete from deliveries; delete from outbox');
});

const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
const staff = (rows: number, mark = ''): string =>
  ['id,given,family,email,start', ...Array.from({ length: rows }, (_, n) => `E-${n}${mark},A,B,,`), ''].join('\r\n');

interface Upload {
  readonly id: string;
  readonly state: string;
  readonly known: boolean;
  readonly files: readonly { name: string; received: number; links: { append?: string } }[];
}

const announce = (files: readonly object[], manifest?: object, ask: Ask = {}): Promise<Reply> =>
  api.post(
    `systems/${system}/deliveries`,
    { files, ...(manifest === undefined ? {} : { manifest }) },
    { as: 'operator', ...ask },
  );
const fileOf = (name: string, content: string): object => ({ name, sha256: sha256(content), bytes: content.length });
const send = (path: string, content: string, offset: number): Promise<Reply> =>
  api.post(`${path}?offset=${offset}`, undefined, {
    as: 'operator',
    text: content,
    headers: { 'content-type': 'application/octet-stream' },
  });
const at = (content: string, query: string): Promise<Reply> =>
  api.post(`systems/${system}/deliveries?${query}`, undefined, {
    as: 'operator',
    text: content,
    headers: { 'content-type': 'text/csv' },
  });
const spooled = (id: string, index = 0): string => readFileSync(join(api.spoolFolder, id, String(index)), 'utf8');
const words = (): Promise<number> => world.count(`outbox where topic = 'upload'`);

describe('a delivery that is announced', () => {
  test('is sent in parts that follow on, and is whole when the last byte is there', async () => {
    const content = staff(100);
    const { status, body, headers } = await announce([fileOf('staff.csv', content)], { complete: true });
    const upload = body as Upload;
    expect([status, upload]).toMatchObject([201, { state: 'open', known: false, files: [{ received: 0 }] }]);
    expect(headers.get('location')).toBe(`${base}/uploads/${upload.id}`);
    const path = upload.files[0]?.links.append ?? '';
    expect(await send(path, content.slice(0, 700), 0)).toMatchObject({
      status: 200,
      body: { state: 'open', files: [{ received: 700 }] },
    });
    expect(await words()).toBe(0);
    expect(await send(path, content.slice(700), 700)).toMatchObject({
      status: 200,
      body: { state: 'received', files: [{ received: content.length, links: {} }] },
    });
    expect(spooled(upload.id)).toBe(content);
    expect(await words()).toBe(1);
    // Nothing is asked of it again; what is sent once more changes nothing.
    expect(await send(path, 'x', 0)).toMatchObject({ status: 200, body: { state: 'received' } });
    expect(spooled(upload.id)).toBe(content);
    expect(await words()).toBe(1);
  });

  test('goes on where it broke off: the offset is told, and another one is refused', async () => {
    const content = staff(50_000);
    const upload = (await announce([fileOf('staff.csv', content)])).body as Upload;
    const path = `/${(upload.files[0]?.links.append ?? '').slice(1)}`;
    await new Promise<void>((resolve) => {
      const broken = request(new URL(api.url + path), {
        method: 'POST',
        headers: { authorization: `Bearer ${api.token('operator')}`, 'content-type': 'application/octet-stream' },
      });
      broken.on('error', () => resolve());
      broken.write(content.slice(0, 400_000), () => broken.destroy());
    });
    // The server writes what it has got by then; how much that is, it says itself.
    const seen = async (): Promise<Upload> =>
      (await api.get(`uploads/${upload.id}`, { as: 'operator' })).body as Upload;
    let received = -1;
    for (let now = (await seen()).files[0]?.received ?? 0; now !== received;) {
      received = now;
      await new Promise((resolve) => setImmediate(resolve));
      now = (await seen()).files[0]?.received ?? 0;
    }
    expect(await send(path, content, content.length)).toMatchObject({ status: 409, body: { code: 'offset_mismatch' } });
    const again = await announce([fileOf('staff.csv', content)]);
    expect(again).toMatchObject({ status: 200, body: { id: upload.id, known: true, state: 'open' } });
    const offset = (again.body as Upload).files[0]?.received ?? 0;
    expect(await send(path, content.slice(offset), offset)).toMatchObject({ body: { state: 'received' } });
    expect(sha256(spooled(upload.id))).toBe(sha256(content));
  });

  test('of several files is whole only with all of them; the same contents are the same upload', async () => {
    const files = [fileOf('staff.csv', staff(1)), fileOf('leave-nov.csv', 'id,from\r\nE-1,2026-11-01\r\n')];
    const upload = (await announce(files)).body as Upload;
    await send(upload.files[0]?.links.append ?? '', staff(1), 0);
    expect(await words()).toBe(0);
    expect(await send(upload.files[1]?.links.append ?? '', 'id,from\r\nE-1,2026-11-01\r\n', 0)).toMatchObject({
      body: { state: 'received' },
    });
    expect((await announce([...files].reverse())).body).toMatchObject({ id: upload.id, known: true });
    expect((await announce(files, { complete: true })).body).toMatchObject({ known: false });
  });

  test('bytes that are not those announced are thrown away, and asked for again', async () => {
    const content = staff(3);
    const upload = (await announce([fileOf('staff.csv', content)])).body as Upload;
    const path = upload.files[0]?.links.append ?? '';
    expect(await send(path, content.replace('E-1', 'E-9'), 0)).toMatchObject({
      status: 422,
      body: { code: 'delivery_incomplete', received: 0 },
    });
    expect(await send(path, `${content}more`, 0)).toMatchObject({ status: 413, body: { code: 'body_too_large' } });
    expect(await send(path, content, 0)).toMatchObject({ status: 200, body: { state: 'received' } });
  });

  test('what is no CSV file is refused by its first bytes; what has no header, when it is whole', async () => {
    const zip = `PK\u0003\u0004${'x'.repeat(100)}`;
    const upload = (await announce([fileOf('staff.csv', zip)])).body as Upload;
    expect(await send(upload.files[0]?.links.append ?? '', zip, 0)).toMatchObject({
      status: 415,
      body: { code: 'media_type_unsupported' },
    });
    const twice = 'id,id\r\n1,2\r\n';
    const bad = (await announce([fileOf('staff.csv', twice)])).body as Upload;
    expect(await send(bad.files[0]?.links.append ?? '', twice, 0)).toMatchObject({
      status: 422,
      body: { code: 'delivery_unreadable' },
    });
    expect(await api.get(`uploads/${bad.id}`, { as: 'operator' })).toMatchObject({
      body: { state: 'refused', errorCode: 'delivery_unreadable' },
    });
    expect(existsSync(join(api.spoolFolder, bad.id))).toBe(false);
    // Refused contents may be announced again, after the declaration was mended.
    expect((await announce([fileOf('staff.csv', twice)])).body).toMatchObject({ known: false });
  });

  test('names are of the declared files, and lead nowhere else; sizes have a limit', async () => {
    for (const name of [
      '../staff.csv',
      'payroll.csv',
      'manifest.json',
      '.staff.csv',
      'leave-/x.csv',
      'leave-x.csv.part',
    ])
      expect(await announce([{ name, sha256: sha256(''), bytes: 1 }])).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: '/files/0/name' }] },
      });
    const one = { sha256: sha256(''), bytes: 1 };
    expect(
      await announce([
        { name: 'leave-a.csv', ...one },
        { name: 'leave-b.csv', ...one },
      ]),
    ).toMatchObject({
      body: { errors: [{ pointer: '/files/1/name', code: 'repeated' }] },
    });
    expect(await announce([{ name: 'staff.csv', sha256: sha256(''), bytes: 10 ** 12 }])).toMatchObject({
      body: { errors: [{ pointer: '/files', code: 'too_large' }] },
    });
    expect(await announce([{ name: 'staff.csv', sha256: 'x', bytes: 1 }])).toMatchObject({ status: 400 });
    expect(await announce([fileOf('staff.csv', 'a')], { complete: true, scope: { campus: 5 } })).toMatchObject({
      body: { errors: [{ pointer: '/manifest/scope/campus' }] },
    });
  });

  test('a system that takes no files says so; another institution finds nothing', async () => {
    const { rows } = await api.owner.query<{ id: number }>(
      `select id from data_source_configurations where institution_id = $1 and name = 'sis'`,
      [api.institutionId],
    );
    const path = `systems/${rows[0]?.id ?? 0}/deliveries`;
    expect(await api.post(path, { files: [fileOf('staff.csv', 'a')] })).toMatchObject({
      body: { code: 'state_forbids' },
    });
    expect(await announce([fileOf('staff.csv', 'a')], undefined, { as: 'stranger' })).toMatchObject({ status: 404 });
    const upload = (await announce([fileOf('staff.csv', staff(2))])).body as Upload;
    expect(await api.get(`uploads/${upload.id}`, { as: 'stranger' })).toMatchObject({ status: 404 });
  });
});

describe('a file that is sent at once', () => {
  test('is whole with its reply; its manifest is made of the parameters', async () => {
    const content = staff(10);
    const reply = await at(content, 'file=staff.csv&complete=true&scope=campus=North&rows=10');
    expect(reply).toMatchObject({ status: 201, body: { state: 'received', known: false } });
    const { id } = reply.body as Upload;
    expect(spooled(id)).toBe(content);
    const { rows } = await api.owner.query<{ manifest: string }>('select manifest from uploads where id = $1', [id]);
    expect(JSON.parse(rows[0]?.manifest ?? '')).toEqual({
      ...{ complete: true, scope: { campus: 'North' } },
      files: { 'staff.csv': { sha256: sha256(content), rows: 10 } },
    });
    expect(await words()).toBe(1);
    expect(await at(content, 'file=staff.csv&complete=true&scope=campus=North&rows=10')).toMatchObject({
      status: 200,
      body: { id, known: true },
    });
    expect(await words()).toBe(1);
    expect(readdirSync(api.spoolFolder).filter((name) => name.startsWith('new-'))).toEqual([]);
  });

  test('of more than a limit, of another kind, or without a name is refused, and nothing is left behind', async () => {
    const before = readdirSync(api.spoolFolder).length;
    expect(await at('%PDF-1.7', 'file=staff.csv')).toMatchObject({ status: 415 });
    expect(await at('x'.repeat(65 * 1024 * 1024), 'file=staff.csv')).toMatchObject({ status: 413 });
    expect(await at(staff(1), 'complete=true')).toMatchObject({ body: { errors: [{ pointer: 'file' }] } });
    expect(await at(staff(1), 'file=payroll.csv')).toMatchObject({ body: { errors: [{ pointer: 'file' }] } });
    expect(readdirSync(api.spoolFolder)).toHaveLength(before);
    expect(await world.count('uploads')).toBe(0);
  });
});

describe('deliveries', () => {
  const delivered = async (
    state: string,
    facts: { digest?: string; run?: string; reason?: string } = {},
  ): Promise<string> => {
    const run = facts.run ?? (await world.run());
    const { rows } = await api.owner.query<{ id: string }>(
      `insert into deliveries (institution_id, system_id, digest, name, state, run_id, manifest, files, error_code, reason)
       values ($1, $2, $3, '2026-11-20', $4, $5, '{"complete": true, "scope": {}, "files": {}}', $6, $7, $8) returning id`,
      [
        ...[api.institutionId, system, facts.digest ?? sha256(String(Math.random())), state, run],
        JSON.stringify([{ entity: 'staff', name: 'staff.csv', bytes: 12, sha256: sha256('x') }]),
        ...[facts.reason === undefined ? null : 'delivery_incomplete', facts.reason ?? null],
      ],
    );
    return rows[0]?.id ?? '';
  };

  test('are listed newest first, with their files, and filtered', async () => {
    const run = await world.run();
    const accepted = await delivered('accepted', { run });
    const refused = await delivered('refused', { reason: 'staff.csv has 3 rows, its manifest says 4' });
    const list = async (query: string): Promise<Record<string, unknown>[]> =>
      ((await api.get(`deliveries?${query}`, { as: 'auditor' })).body as { items: Record<string, unknown>[] }).items;
    expect(await list('')).toMatchObject([
      {
        id: refused,
        state: 'refused',
        errorCode: 'delivery_incomplete',
        reason: 'staff.csv has 3 rows, its manifest says 4',
      },
      {
        id: accepted,
        state: 'accepted',
        system: 'hr',
        files: [{ entity: 'staff', bytes: 12 }],
        manifest: { complete: true },
      },
    ]);
    expect(await list(`run=${run}&system=${system}`)).toMatchObject([{ id: accepted }]);
    expect(await list('state=refused,seen')).toMatchObject([{ id: refused }]);
    expect(await list('to=2020-01-01T00:00:00Z')).toEqual([]);
    expect(await api.get(`deliveries/${refused}`)).toMatchObject({ body: { id: refused } });
    expect(await api.get(`deliveries/${refused}`, { as: 'stranger' })).toMatchObject({ status: 404 });
    const { nextCursor } = (await api.get('deliveries?limit=1')).body as { nextCursor: string };
    expect(await list(`limit=1&cursor=${nextCursor}`)).toMatchObject([{ id: accepted }]);
  });

  test('contents that a run has seen are the delivery that it is', async () => {
    const content = staff(4);
    const digest = sha256(`staff.csv\0${sha256(content)}\n`);
    const delivery = await delivered('accepted', { digest });
    expect(await announce([fileOf('staff.csv', content)])).toMatchObject({
      status: 200,
      body: { id: null, known: true, state: 'placed', delivery: { id: delivery, state: 'accepted' } },
    });
    expect(await at(content, 'file=staff.csv')).toMatchObject({ status: 200, body: { known: true, id: null } });
    expect(await words()).toBe(0);
  });
});
