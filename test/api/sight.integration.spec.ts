import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApiKey } from '../../database/api-keys.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import { ApiHarness, type Reply } from './api-harness.js';
import { configuration, person, World } from './builders.js';

/* Who is shown whom: scope by affiliation, restrictions that hold for the reader, masks; over every route that takes the id of
   something personal. */

const text = (name: string): EntityTypeDefinition['groups'][number] => ({
  name,
  attributes: [{ name, type: 'text' }],
  strategy: 'three_way',
  priority: ['sis'],
});
const reference = (name: string, to: string): EntityTypeDefinition['groups'][number] => ({
  ...text(name),
  attributes: [{ name, type: 'reference', references: to }],
});
const campus: Configuration = {
  ...configuration,
  institution: {
    ...configuration.institution,
    recipientClasses: ['statutory', 'front_office'],
    visibility: {
      ...{ organisation: 'organisation', code: 'code', name: 'name', parent: 'parent' },
      ...{ through: ['affiliation.organisation'], readers: { secretary: 'front_office' } },
    },
  },
  entityTypes: [
    { ...person, identifiers: [{ scheme: 'staff_number' }, { scheme: 'tax_number', sensitivity: 'sensitive' }] },
    {
      name: 'organisation',
      kind: 'mastered',
      subject: 'none',
      groups: [text('code'), text('name'), text('parent')],
      search: ['name'],
    },
    {
      ...{ name: 'affiliation', kind: 'reconciled', subject: { reference: 'person' }, naturalKey: ['person', 'kind'] },
      groups: [reference('person', 'person'), text('kind'), reference('organisation', 'organisation')],
    },
  ],
};

let api: ApiHarness;
let world: World;
let run: string;
let north: Person;
let south: Person;
let former: Person;
beforeAll(async () => {
  api = await ApiHarness.open();
  world = await World.build(api, campus);
  run = await world.run();
  const organisation = (code: string, parent: string | null): Promise<string> =>
    world.golden(run, {
      ...{ type: 'organisation', subject: null },
      values: [JSON.stringify(code), JSON.stringify(`${code} campus`), parent === null ? null : JSON.stringify(parent)],
    });
  const university = await organisation('LU', null);
  const northId = await organisation('N', 'LU');
  const lab = await organisation('N-LAB', 'N');
  const southId = await organisation('S', 'LU');
  north = await makePerson('North', 'E-1', lab);
  south = await makePerson('South', 'E-2', southId);
  former = await makePerson('Former', 'E-3', northId, '2026-11-19');
  expect(university).not.toBe(northId);
  const made = await api.post('keys', { name: 'Bound desk', role: 'secretary', organisations: ['N'] }, { as: 'admin' });
  expect(made).toMatchObject({ status: 201, body: { organisations: ['N'] } });
  api.setToken('nobody', (made.body as { key: string }).key);
  const steward = { name: 'Bound steward', role: 'steward', organisations: ['N'] };
  expect(await api.post('keys', steward, { as: 'admin' })).toMatchObject({ status: 400 });
});
afterAll(async () => {
  await api.close();
});

interface Person {
  readonly id: string;
  readonly affiliation: string;
  readonly image: string;
  readonly question: string;
  readonly restriction: string;
}

async function makePerson(family: string, key: string, organisation: string, validTo?: string): Promise<Person> {
  const id = await world.golden(run, {
    values: [JSON.stringify({ family, given: 'Amara' }), `"${family}@desk.example"`, `"T-${key}"`, null],
  });
  const affiliation = await world.golden(run, {
    ...{ type: 'affiliation', subject: id, values: [JSON.stringify(id), '"staff"', JSON.stringify(organisation)] },
    ...(validTo === undefined ? {} : { validTo }),
  });
  await world.reference(affiliation, 'person', id);
  await world.reference(affiliation, 'organisation', organisation);
  const image = await world.image(run, id, { key });
  await world.identifier(image, 'staff_number', key);
  await world.identifier(image, 'tax_number', `T-${key}`);
  const question = await world.question(run, id);
  const placed = await api.post('restrictions', {
    ...{ goldenId: id, recipientClass: 'statutory', authority: 'Request', reason: 'Asked for it' },
  });
  return { id, affiliation, image, question, restriction: (placed.body as { id: string }).id };
}

/* The secretary who is bound to the North campus. */
const bound = { as: 'nobody' } as const;
const withKey = (key: string): { as: 'nobody'; headers: Record<string, string> } => ({
  ...bound,
  headers: { 'idempotency-key': key },
});
const itemsOf = (reply: Reply): readonly Record<string, unknown>[] =>
  (reply.body as { items: Record<string, unknown>[] }).items;
const ids = (reply: Reply): unknown[] => itemsOf(reply).map(({ id }) => id);

/** Every route that names something of a person, with what it answers to somebody who sees them. */
const routesOf = (one: Person): readonly (readonly [string, () => Promise<Reply>])[] => {
  const golden = `golden-records/${one.id}`;
  return [
    ['golden', () => api.get(golden, bound)],
    ['affiliation', () => api.get(`golden-records/${one.affiliation}`, bound)],
    ['history', () => api.get(`${golden}/history`, bound)],
    ['as of', () => api.get(`${golden}/as-of?knownAt=2030-01-01T00:00:00Z`, bound)],
    ['provenance', () => api.get(`${golden}/provenance`, bound)],
    ['targets', () => api.get(`${golden}/targets`, bound)],
    ['reveal', () => api.post(`${golden}/reveal`, { groups: ['email'], reason: 'Certificate' }, bound)],
    ['question', () => api.get(`conflicts/${one.question}`, bound)],
    ['restriction', () => api.get(`restrictions/${one.restriction}`, bound)],
  ];
};

describe('a secretary who is bound to an organisation', () => {
  test('finds the people of it and of those below it, over every route; nobody else', async () => {
    for (const [name, ask] of routesOf(north)) expect([name, (await ask()).status]).toEqual([name, 200]);
    for (const hidden of [south, former])
      for (const [name, ask] of routesOf(hidden)) expect([name, (await ask()).status]).toEqual([name, 404]);
  });

  test('changes nothing of others', async () => {
    const decision = { version: 1, choice: { keep: true } };
    const place = { goldenId: south.id, recipientClass: 'front_office', authority: 'x', reason: 'x' };
    const replies = await Promise.all([
      api.post(`conflicts/${south.question}/decision`, decision, bound),
      api.post('restrictions', place, bound),
      api.post(`golden-records/${south.id}/sync`, undefined, withKey('sync')),
    ]);
    expect(replies.map(({ status }) => status)).toEqual([404, 404, 404]);
    // The first rows of a source are of anybody.
    expect((await api.post(`mappings/hr.staff/dry-run`, { limit: 1 }, bound)).status).toBe(403);
    const many = { decisions: [{ conflictId: south.question, ...decision }] };
    expect(await api.post('conflicts/decisions:batch', many, bound)).toMatchObject({
      body: { accepted: 0, items: [{ result: 'not_found' }] },
    });
    expect(await world.count('decision_batches')).toBe(0);
    expect(
      await world.count('restrictions where golden_id = $1 and recipient_class = $2', south.id, 'front_office'),
    ).toBe(0);
    expect(api.started).toEqual([]);
  });

  test('sees no more in lists and counts', async () => {
    expect(ids(await api.get('golden-records?type=person', bound))).toEqual([north.id]);
    expect(ids(await api.get('golden-records?type=affiliation', bound))).toEqual([north.affiliation]);
    expect(ids(await api.get('golden-records?type=person&q=amara', bound))).toEqual([north.id]);
    expect(ids(await api.get('golden-records?type=person&q=south', bound))).toEqual([]);
    expect(ids(await api.get('golden-records?type=person&identifier=staff_number:E-2', bound))).toEqual([]);
    expect(ids(await api.get('golden-records?key=hr:E-2', bound))).toEqual([]);
    expect(ids(await api.get('golden-records?key=hr:e-1', bound))).toEqual([north.id]);
    expect(await api.get('conflicts/pending', bound)).toMatchObject({
      body: { items: [{ id: north.question }], count: 1 },
    });
    expect(ids(await api.get('restrictions', bound))).toEqual([north.restriction]);
  });

  test('goes through what is found page by page, each record once', async () => {
    const pages = async (q: string): Promise<unknown[]> => {
      const found: unknown[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const after = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const reply = await api.get(`golden-records?type=person&q=${q}&limit=1${after}`);
        found.push(...ids(reply));
        cursor = (reply.body as { nextCursor: string | null }).nextCursor;
      }
      return found.sort();
    };
    expect(await pages('ama%20amara')).toEqual([north.id, south.id, former.id].sort());
    expect(await pages('amara%20nobody')).toEqual([]);
  });

  test('sees rejected, held and found rows of their people alone', async () => {
    const other = await world.run();
    await api.owner.query(
      `insert into rejected_records (institution_id, run_id, mapping_id, kind, source_key, position, reason, detail)
       select $1, $2, $3, 'rejected', key, '', 'family_is_there', '' from unnest(array['E-1', 'E-2', 'E-99', null]) key`,
      [api.institutionId, other, world.mappingIds['hr.staff']],
    );
    await api.owner.query(
      `insert into findings (institution_id, run_id, kind, mapping_id, source_key, golden_id)
       values ($1, $2, 'by_key', $3, 'E-1', null), ($1, $2, 'by_key', $3, 'E-2', null), ($1, $2, 'by_golden', $3, null, $4), ($1, $2, 'by_golden', $3, null, $5),
         ($1, $2, 'of_source', $3, null, null)`,
      [api.institutionId, other, world.mappingIds['hr.staff'], north.id, south.id],
    );
    const keys = async (path: string): Promise<unknown[]> =>
      itemsOf(await api.get(path, bound)).map((item) => item['sourceKey'] ?? item['goldenId'] ?? item['kind']);
    expect(await keys(`runs/${other}/rejected`)).toEqual(['E-1', 'rejected']);
    expect(await keys(`runs/${other}/findings`)).toEqual(['E-1', north.id, 'of_source']);
    const held = await world.held(other, { keys: ['E-1', 'E-2'] });
    expect(await keys(`held-changes/${held}/records`)).toEqual(['E-1']);
    await api.owner.query('update held_changes set row_count = 2 where id = $1', [held]);
    const release = { version: 1, reason: 'HR confirmed' };
    expect(await api.post(`held-changes/${held}/release`, release, bound)).toMatchObject({ status: 403 });
    const own = await world.held(other, { keys: ['E-1'] });
    await api.owner.query('update held_changes set row_count = 1 where id = $1', [own]);
    expect(await api.post(`held-changes/${own}/release`, release, bound)).toMatchObject({ status: 200 });
    expect(itemsOf(await api.get(`runs/${other}/rejected`, { as: 'secretary' }))).toHaveLength(4);
    await api.owner.query('delete from decision_batches');
  });

  test('of a rollback learns the whole in numbers, and of its records those they see', async () => {
    const kept = [north, south].map(({ id }) => ({ goldenId: id, reason: 'changed_since' as const, target: null }));
    api.previews.set(run, {
      ...{
        hash: 'h',
        runs: [],
        reversed: 9,
        keptCount: 2,
        kept,
        targets: [],
        questionsReopened: 0,
        questionsWithdrawn: 0,
      },
    });
    expect(await api.post(`runs/${run}/rollback/preview`, undefined, bound)).toMatchObject({
      body: { reversed: 9, keptCount: 2, kept: [{ goldenId: north.id }] },
    });
  });

  test('sees the tree of organisations, and which are theirs', async () => {
    const tree = (reply: Reply): unknown[] =>
      itemsOf(reply).map(({ code, parent, depth, yours }) => [code, parent, depth, yours]);
    expect(tree(await api.get('organisations', bound))).toEqual([
      ['LU', null, 0, false],
      ['N', 'LU', 1, true],
      ['N-LAB', 'N', 2, true],
      ['S', 'LU', 1, false],
    ]);
    expect(tree(await api.get('organisations?below=N', { as: 'admin' }))).toEqual([
      ['N', 'LU', 0, true],
      ['N-LAB', 'N', 1, true],
    ]);
    const { body } = await api.get('organisations?limit=2');
    const { nextCursor } = body as { nextCursor: string };
    expect(itemsOf(await api.get(`organisations?limit=2&cursor=${nextCursor}`)).map(({ code }) => code)).toEqual([
      'N-LAB',
      'S',
    ]);
  });

  test('bound to an organisation that is not there, sees nobody', async () => {
    const made = { role: 'secretary', name: 'Lost desk', actor: 'test', organisations: ['X'] } as const;
    const { key } = await createApiKey(api.hub, api.institutionId, made);
    const lost = { headers: { authorization: `Bearer ${key}` } };
    expect(ids(await api.get('golden-records?type=person', lost))).toEqual([]);
    expect((await api.get(`golden-records/${north.id}`, lost)).status).toBe(404);
  });
});

describe('restrictions', () => {
  test('are placed at once for whoever looks, and released by the steward alone', async () => {
    const one = await makePerson(
      'Hidden',
      'E-7',
      (await api.owner.query<{ id: string }>(`select id from concord.golden_records limit 1`)).rows[0]?.id ?? '',
    );
    await api.owner.query('delete from outbox; delete from target_due');
    await api.owner.query(
      `insert into watermarks (mapping_id, kind, institution_id, value, run_id) values ($1, 'baseline', $2, '', $3)`,
      [world.mappingIds['finance.people'], api.institutionId, run],
    );
    const body = {
      goldenId: one.id,
      recipientClass: 'front_office',
      to: '2026-12-24',
      authority: 'Court order',
      reason: 'Threat',
    };
    const as = 'secretary';
    expect((await api.get(`golden-records/${one.id}`, { as })).status).toBe(200);
    const placed = await api.post('restrictions', body, { as });
    expect(placed).toMatchObject({
      status: 201,
      body: { state: 'standing', placedBy: 'secretary:Test desk', authority: 'Court order', to: '2026-12-24' },
    });
    const { id } = placed.body as { id: string };
    expect(placed.headers.get('location')).toContain(`restrictions/${id}`);
    // Restricted against the class of secretaries: it is there for stewards alone.
    for (const path of [
      `golden-records/${one.id}`,
      `golden-records/${one.affiliation}`,
      `conflicts/${one.question}`,
      `restrictions/${id}`,
    ])
      expect([path, (await api.get(path, { as })).status, (await api.get(path)).status]).toEqual([path, 404, 200]);
    expect(ids(await api.get('golden-records?type=person&q=hidden', { as }))).toEqual([]);
    expect(ids(await api.get('golden-records?type=person&q=hidden'))).toEqual([one.id]);
    // Auditors are of no class: only what is kept from everybody is kept from them.
    expect((await api.get(`golden-records/${one.id}`, { as: 'auditor' })).status).toBe(200);
    expect(
      (await api.owner.query('select due from target_due where golden_id = $1 order by due', [one.id])).rows,
    ).toEqual([{ due: new Date(2026, 10, 20) }, { due: new Date(2026, 11, 25) }]);
    expect((await api.owner.query('select topic, subject from outbox order by id')).rows).toEqual([
      { topic: 'due', subject: `${id}-placed` },
    ]);
    expect(await api.post('restrictions', body)).toMatchObject({
      status: 409,
      body: { code: 'state_forbids', restrictionId: id },
    });
    expect((await api.post(`restrictions/${id}/release`, { reason: 'Over' }, { as })).status).toBe(403);
    expect(await api.post(`restrictions/${id}/release`, { reason: 'Over' })).toMatchObject({
      body: { state: 'released', releasedBy: 'steward:Test desk', releaseReason: 'Over' },
    });
    expect((await api.post(`restrictions/${id}/release`, { reason: 'Again' })).body).toMatchObject({
      releaseReason: 'Over',
    });
    expect(await world.count('outbox')).toBe(2);
    expect((await api.get(`golden-records/${one.id}`, { as })).status).toBe(200);
    const all = await api.post('restrictions', { ...body, recipientClass: '*', to: undefined });
    expect(all.status).toBe(201);
    expect((await api.get(`golden-records/${one.id}`, { as: 'auditor' })).status).toBe(404);
    expect(ids(await api.get(`restrictions?goldenId=${one.id}&state=standing`))).toHaveLength(2);
    expect(ids(await api.get(`restrictions?goldenId=${one.id}&state=released&recipientClass=front_office`))).toEqual([
      id,
    ]);
  });

  test('name a declared class and a period', async () => {
    const body = { goldenId: north.id, recipientClass: 'front_office', authority: 'x', reason: 'x' };
    expect(await api.post('restrictions', { ...body, recipientClass: 'press' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/recipientClass' }] },
    });
    expect(await api.post('restrictions', { ...body, from: '2026-12-02', to: '2026-12-01' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/to' }] },
    });
    expect(await api.post('restrictions', { ...body, goldenId: '999999' })).toMatchObject({ status: 404 });
    // One that begins later holds from then on.
    const later = await api.post('restrictions', { ...body, from: '2026-12-01' }, { as: 'secretary' });
    expect(later.status).toBe(201);
    expect((await api.get(`golden-records/${north.id}`, { as: 'secretary' })).status).toBe(200);
    api.clock.advance(12 * 86_400_000);
    expect((await api.get(`golden-records/${north.id}`, { as: 'secretary' })).status).toBe(404);
    api.clock.advance(-12 * 86_400_000);
    await api.owner.query('delete from restrictions where id = $1', [(later.body as { id: string }).id]);
  });
});

describe('masked values', () => {
  test('are dots for whoever may not see them, in every route', async () => {
    const golden = `golden-records/${north.id}`;
    for (const as of ['secretary', 'auditor'] as const) {
      for (const path of [
        golden,
        `${golden}/history`,
        `${golden}/as-of?knownAt=2030-01-01T00:00:00Z`,
        `${golden}/provenance`,
        'golden-records?type=person',
      ]) {
        const reply = await api.get(path, { as });
        expect([path, reply.status]).toEqual([path, 200]);
        expect(JSON.stringify(reply.body)).not.toContain('T-E-1');
        if (as === 'auditor') expect(JSON.stringify(reply.body)).not.toMatch(/North@desk|Amara/);
      }
    }
    expect(JSON.stringify((await api.get(golden)).body)).toContain('T-E-1');
  });

  test('find nobody for whoever may not see them', async () => {
    expect(ids(await api.get('golden-records?type=person&q=north', { as: 'secretary' }))).toEqual([north.id]);
    expect(ids(await api.get('golden-records?type=person&q=north', { as: 'auditor' }))).toEqual([]);
    expect(ids(await api.get('golden-records?type=person&q=T-E-1', { as: 'secretary' }))).toEqual([]);
    expect(ids(await api.get('golden-records?type=person&q=T-E-1'))).toEqual([north.id]);
    // A key of a system is no secret: an auditor comes with one.
    expect(ids(await api.get('golden-records?type=person&q=E-1', { as: 'auditor' }))).toEqual([north.id]);
  });

  test('are shown once with a reason, and that they were is kept for the auditor', async () => {
    const path = `golden-records/${north.id}/reveal`;
    const body = { groups: ['tax_number'], identifiers: ['tax_number'], reason: 'She asks for a certificate' };
    const shown = await api.post(path, body, { as: 'secretary' });
    expect(shown).toMatchObject({
      status: 200,
      body: {
        groups: [{ name: 'tax_number', value: 'T-E-1' }],
        identifiers: [{ scheme: 'tax_number', value: 'T-E-1' }],
      },
    });
    expect(shown.headers.get('cache-control')).toBe('no-store');
    expect((await api.post(path, body, { as: 'auditor' })).status).toBe(403);
    expect((await api.post(path, { ...body, reason: '' }, { as: 'secretary' })).status).toBe(400);
    expect(await api.post(path, { ...body, groups: ['shoe_size'] }, { as: 'secretary' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/groups/0' }] },
    });
    const listed = await api.get(`disclosures?goldenId=${north.id}`, { as: 'auditor' });
    expect(itemsOf(listed)[0]).toMatchObject({
      goldenId: north.id,
      ...{ groups: ['tax_number'], identifiers: ['tax_number'], actor: 'secretary:Test desk' },
      reason: 'She asks for a certificate',
    });
    expect(JSON.stringify(listed.body)).not.toContain('T-E-1');
    expect((await api.get('disclosures', { as: 'secretary' })).status).toBe(403);
    const stored = await api.owner.query(
      `select d::text as line from disclosures d union all select i::text from idempotency_keys i`,
    );
    expect(JSON.stringify(stored.rows)).not.toContain('T-E-1');
  });
});
