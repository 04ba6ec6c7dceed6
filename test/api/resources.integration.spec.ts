import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { loadConfiguration } from '../../database/configuration-store.js';
import { ApiHarness, type Reply } from './api-harness.js';
import { person, staffMapping, World } from './builders.js';

let api: ApiHarness;
let world: World;
beforeAll(async () => {
  api = await ApiHarness.open();
  world = await World.build(api);
});
afterAll(async () => {
  await api.close();
});

const etag = (reply: Reply): string => reply.headers.get('etag') ?? '';
const matching = (tag: string): { headers: Record<string, string> } => ({ headers: { 'if-match': tag } });
const idOf = (reply: Reply): string => (reply.body as { id: string }).id;
const remove = (path: string, tag: string): Promise<Reply> => api.ask('DELETE', path, matching(tag));
const act = (path: string, tag: string, body?: object): Promise<Reply> => api.post(path, body, matching(tag));

const lms = { name: 'lms', kind: 'csv', settings: { incoming: '/data/lms', files: { people: { key: ['id'] } } } };
const countries = { name: 'countries', entries: [{ concept: 'CH', codes: { sis: ['756'] } }] };
const course = {
  ...{ name: 'course', kind: 'mastered', subject: 'none' },
  groups: [{ name: 'title', attributes: [{ name: 'title', type: 'text' }], strategy: 'three_way', priority: ['sis'] }],
};

describe('the life of something configured', () => {
  test.each([
    ['systems', lms, { ...lms, owner: 'Faculty' }, '/owner'],
    ['code-tables', countries, { ...countries, entries: [{ concept: 'CH', codes: { sis: ['CH'] } }] }, '/entries'],
    ['entity-types', course, { ...course, subject: 'self' }, '/subject'],
  ] as const)(
    '%s: made, changed, gone back, archived, restored; nothing of it is lost',
    async (path, first, second, pointer) => {
      const made = await api.post(path, first);
      expect(made).toMatchObject({
        status: 201,
        body: { name: first.name, version: 1, archived: false, definition: first },
      });
      const self = `${path}/${idOf(made)}`;
      expect(made.headers.get('location')).toBe(`/api/secretary/data-sync/${self}`);
      expect(await api.post(path, first)).toMatchObject({ status: 409, body: { code: 'name_taken' } });

      const changed = await api.put(self, second, matching('"1"'));
      expect(changed).toMatchObject({
        status: 200,
        body: { version: 2, changedBy: 'steward:Test desk', definition: second },
      });
      expect(etag(changed)).toBe('"2"');
      expect(await api.put(self, second, matching('"2"'))).toMatchObject({ status: 200, body: { version: 2 } });

      const reverted = await act(`${self}/revert`, '"2"', { version: 1 });
      expect(reverted).toMatchObject({ status: 200, body: { version: 3, definition: first } });
      expect(await remove(self, '"3"')).toMatchObject({ status: 200, body: { version: 4, archived: true } });
      expect(await api.put(self, second, matching('"4"'))).toMatchObject({
        status: 409,
        body: { code: 'state_forbids' },
      });
      expect((await api.get(`${path}?name=${first.name}`)).body).toMatchObject({ items: [], count: 0 });
      expect((await api.get(`${path}?archived=true&name=${first.name}`)).body).toMatchObject({
        items: [{ version: 4 }],
      });
      expect(await act(`${self}/restore`, '"4"')).toMatchObject({ status: 200, body: { version: 5, archived: false } });
      expect(await act(`${self}/restore`, '"5"')).toMatchObject({ status: 409, body: { code: 'state_forbids' } });

      const history = await api.get(`${self}/versions?limit=4`);
      expect(history.body).toMatchObject({
        items: [
          { version: 5, action: 'restored', differences: [] },
          { version: 4, action: 'archived', differences: [] },
          { version: 3, action: 'reverted', differences: [{ pointer }] },
          { version: 2, action: 'changed', changedBy: 'steward:Test desk', differences: [{ pointer }] },
        ],
      });
      const next = (history.body as { nextCursor: string }).nextCursor;
      expect((await api.get(`${self}/versions?limit=4&cursor=${next}`)).body).toMatchObject({
        items: [{ version: 1, action: 'created' }],
        nextCursor: null,
      });
      expect((await api.get(`${self}/versions/2`)).body).toMatchObject({ definition: second });
      expect(await api.get(`${self}/versions/77`)).toMatchObject({ status: 404 });
      expect(await api.get(self, { headers: { 'if-none-match': '"5"' } })).toMatchObject({ status: 304 });
      expect((await api.get(`${path}/${first.name}`)).body).toMatchObject({ id: idOf(made) });
      expect(await api.get(self, { as: 'stranger' })).toMatchObject({ status: 404 });
    },
  );

  test('a change without If-Match, or on an older version, is refused with what changed meanwhile', async () => {
    const made = await api.post('systems', { ...lms, name: 'library' });
    const self = `systems/${idOf(made)}`;
    await api.put(self, { ...lms, name: 'library', owner: 'Library' }, matching('"1"'));
    for (const late of [
      (headers: object) => api.put(self, { ...lms, name: 'library' }, headers),
      (headers: object) => api.ask('DELETE', self, headers),
      (headers: object) => api.post(`${self}/revert`, { version: 1 }, headers),
    ]) {
      expect(await late({})).toMatchObject({ status: 428, body: { currentEtag: '"2"' } });
      expect(await late(matching('"1"'))).toMatchObject({
        status: 412,
        body: {
          ...{ currentEtag: '"2"', changedBy: 'steward:Test desk', changedAt: expect.any(String) },
          diff: [{ pointer: '/owner', before: null, after: 'Library' }],
        },
      });
    }
  });

  test('of two changes on one version one holds', async () => {
    const made = await api.post('code-tables', { ...countries, name: 'race' });
    const self = `code-tables/${idOf(made)}`;
    const variants = ['a', 'b'].map((concept) => ({ name: 'race', entries: [{ concept, codes: { sis: ['1'] } }] }));
    const replies = await Promise.all(variants.map((body) => api.put(self, body, matching('"1"'))));
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 412]);
    expect((await api.get(`${self}/versions`)).body).toMatchObject({ items: [{ version: 2 }, { version: 1 }] });
  });

  test('what others refer to cannot be archived, and they are named', async () => {
    const hr = await api.get('systems/hr');
    expect((await api.get('systems/hr/dependents')).body).toMatchObject({
      items: expect.arrayContaining([
        { kind: 'mapping', name: 'hr.staff', how: 'maps an entity of it' },
        { kind: 'entity_type', name: 'person', how: 'ranks it in its priority' },
      ]),
    });
    expect(await remove(`systems/${idOf(hr)}`, etag(hr))).toMatchObject({
      status: 409,
      body: { code: 'in_use', dependents: expect.arrayContaining([expect.objectContaining({ name: 'hr.staff' })]) },
    });
    const mapping = await api.get('mappings/hr.staff');
    expect(await remove(`mappings/${idOf(mapping)}`, etag(mapping))).toMatchObject({
      status: 409,
      body: { dependents: [{ kind: 'job', name: 'people', how: 'reads it' }] },
    });
  });

  test('what is wrong is refused with pointers, and stored nowhere', async () => {
    expect(await api.post('systems', { ...lms, name: 'wrong', kind: 'cvs' })).toMatchObject({
      status: 422,
      body: { code: 'configuration_invalid', errors: [{ pointer: '/kind' }] },
    });
    expect(await api.post('systems', { ...lms, name: 'wrong', settings: { inbox: '/x' } })).toMatchObject({
      status: 422,
      body: { errors: expect.arrayContaining([expect.objectContaining({ pointer: '/settings/inbox' })]) },
    });
    expect(await api.post('entity-types', { ...course, name: 'Wrong Name', groups: [{ name: 'x' }] })).toMatchObject({
      status: 422,
      body: { errors: expect.arrayContaining([expect.objectContaining({ pointer: '/groups/0' })]) },
    });
    expect(await api.post('systems', { ...lms, colour: 'red' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/colour', code: 'unknown' }] },
    });
    expect(await world.count(`configuration_versions where definition ->> 'name' ilike 'wrong%'`)).toBe(0);
  });

  test('lists are filtered, sorted and cut', async () => {
    const names = async (query: string): Promise<string[]> =>
      ((await api.get(`systems?${query}`)).body as { items: { name: string }[] }).items.map(({ name }) => name);
    const all = await names('sort=name&limit=200');
    expect(all).toEqual([...all].sort());
    expect(await names('sort=-name&limit=200')).toEqual([...all].reverse());
    expect(await names('kind=postgresql&sort=name')).toEqual(['finance', 'sis']);
    const first = (await api.get('systems?sort=-changedAt&limit=2')).body as { nextCursor: string; count: number };
    expect(first.count).toBe(all.length);
    expect(await names(`sort=-changedAt&limit=2&cursor=${first.nextCursor}`)).toHaveLength(2);
    expect(await api.get(`systems?sort=name&cursor=${first.nextCursor}`)).toMatchObject({
      status: 400,
      body: { code: 'cursor_mismatch' },
    });
    expect(await api.get('systems?sort=colour')).toMatchObject({ status: 400 });
  });
});

describe('secrets', () => {
  test('are named, and an open one is refused without being told', async () => {
    const open = (settings: object): Promise<Reply> =>
      api.post('systems', { name: 'leak', kind: 'postgresql', settings });
    for (const settings of [
      { url: 'postgres://me:s3cret@host/db' },
      { url: { env: 'CONCORD_SECRET_X' }, password: 's3cret' },
    ]) {
      const reply = await open(settings);
      expect(reply.status).toBe(422);
      expect(JSON.stringify(reply.body)).not.toContain('s3cret');
    }
  });

  test('that stand in the database all the same never leave it', async () => {
    await api.owner.query(
      `insert into data_source_configurations (institution_id, name, kind, settings, updated_by)
       values ($1, 'legacy', 'postgresql', '{"url": "postgres://me:s3cret@host/db", "token": "s3cret"}', 'test')`,
      [api.institutionId],
    );
    const replies = [await api.get('systems/legacy'), await api.get('systems?name=legacy')];
    expect(replies[0]).toMatchObject({ status: 200, body: { definition: { settings: { url: '•••', token: '•••' } } } });
    expect(JSON.stringify(replies.map(({ body }) => body))).not.toContain('s3cret');
    await api.owner.query(`delete from data_source_configurations where name = 'legacy'`);
  });
});

describe('an entity type with records', () => {
  test('keeps what they are read by; everything else of it may change', async () => {
    const { corroboration: _corroboration, ...plain } = person;
    const type = { ...plain, name: 'member' };
    const made = await api.post('entity-types', type);
    const self = `entity-types/${idOf(made)}`;
    await api.owner.query(
      `insert into golden_records (id, institution_id, entity_type_id, values, created_run, updated_run)
       values (nextval('golden_ids'), $1, $2, '{"a"}', 1, 1)`,
      [api.institutionId, idOf(made)],
    );
    const [name, email, tax, start] = type.groups;
    if (name === undefined || email === undefined || tax === undefined || start === undefined)
      throw new Error('groups');
    const refused: readonly (readonly [object, string])[] = [
      [{ ...type, kind: 'posted' }, 'has to stay mastered'],
      [{ ...type, groups: [email, name, tax, start] }, 'group name has to stay in its place'],
      [{ ...type, groups: [name, email, tax] }, 'group start cannot be removed'],
      [{ ...type, groups: [name, { ...email, multiValued: true }, tax, start] }, 'one value and several'],
      [
        { ...type, groups: [name, { ...email, attributes: [{ name: 'email', type: 'date' }] }, tax, start] },
        'of type text',
      ],
      [{ ...type, groups: [{ ...name, attributes: name.attributes.slice(1) }, email, tax, start] }, 'several'],
    ];
    for (const [body, reason] of refused) {
      const reply = await api.put(self, body, matching('"1"'));
      expect([reason, reply.status, JSON.stringify(reply.body)]).toEqual([
        reason,
        422,
        expect.stringContaining(reason),
      ]);
    }
    const grown = {
      ...type,
      groups: [
        { ...name, attributes: [...name.attributes, { name: 'middle', type: 'text' }] },
        { ...email, sensitivity: 'sensitive', priority: ['sis'] },
        ...[tax, start],
        { name: 'phone', attributes: [{ name: 'phone', type: 'text' }], strategy: 'manual', priority: [] },
      ],
    };
    expect(await api.put(self, grown, matching('"1"'))).toMatchObject({ status: 200, body: { version: 2 } });
  });
});

describe('rules', () => {
  test('are part of their mapping: a change of one is a new version of both', async () => {
    const before = await api.get('mappings/hr.staff');
    const rule = { name: 'id_given', field: 'id', severity: 'reject', check: 'required' };
    const made = await api.post('rules', { mapping: 'hr.staff', rule });
    expect(made).toMatchObject({ status: 201, body: { mapping: 'hr.staff', version: 1, definition: rule } });
    const self = `rules/${idOf(made)}`;
    expect(await api.post('rules', { mapping: 'hr.staff', rule })).toMatchObject({ status: 409 });
    const rulesOf = async (): Promise<unknown[]> =>
      ((await api.get('mappings/hr.staff')).body as { definition: typeof staffMapping }).definition.source?.rules?.map(
        ({ name, severity }) => [name, severity],
      ) ?? [];
    expect((await api.get('mappings/hr.staff')).body).toMatchObject({ version: Number(etag(before).slice(1, -1)) + 1 });
    expect(await rulesOf()).toContainEqual(['id_given', 'reject']);

    expect(await api.put(self, { ...rule, severity: 'warn' }, matching('"1"'))).toMatchObject({ body: { version: 2 } });
    expect(await rulesOf()).toContainEqual(['id_given', 'warn']);
    expect(await remove(self, '"2"')).toMatchObject({ status: 200, body: { archived: true, version: 3 } });
    expect(await rulesOf()).toHaveLength(3);
    expect(await act(`${self}/revert`, '"3"', { version: 1 })).toMatchObject({
      status: 200,
      body: { archived: false, definition: { severity: 'reject' } },
    });
    expect((await api.get(`${self}/versions`)).body).toMatchObject({
      items: [{ action: 'reverted' }, { action: 'archived' }, { action: 'changed' }, { action: 'created' }],
    });
    expect((await api.get('rules?check=required&sort=name')).body).toMatchObject({
      items: [{ name: 'family_is_there' }, { name: 'id_given' }],
    });
  });

  test('that would not do are refused with pointers into the rule', async () => {
    const rule = { name: 'odd', field: 'nowhere', severity: 'warn', check: 'required' };
    const reply = await api.post('rules', { mapping: 'hr.staff', rule });
    expect(reply).toMatchObject({ status: 422, body: { errors: [{ detail: expect.stringContaining('nowhere') }] } });
    expect(await api.post('rules', { mapping: 'finance.people', rule })).toMatchObject({ status: 409 });
    expect(await api.post('rules', { mapping: 'nobody.nothing', rule })).toMatchObject({ status: 404 });
  });
});

describe('mappings', () => {
  const pupils = { ...staffMapping, name: 'lms.people', system: 'lms', entity: 'people' };

  test('are made, listed by system, and archived once no job names them', async () => {
    const made = await api.post('mappings', pupils);
    expect(made).toMatchObject({ status: 201, body: { version: 1, definition: pupils } });
    expect((await api.get('mappings?system=lms')).body).toMatchObject({
      items: [{ name: 'lms.people', system: 'lms', entity: 'people', reads: true, writes: false }],
      count: 1,
    });
    expect(await remove(`mappings/${idOf(made)}`, '"1"')).toMatchObject({
      status: 200,
      body: { archived: true, version: 2 },
    });
    expect(await act(`mappings/${idOf(made)}/restore`, '"2"')).toMatchObject({ status: 200, body: { version: 3 } });
    const loaded = await loadConfiguration(api.hub, api.institutionId);
    expect(loaded.mappings.find(({ definition }) => definition.name === 'lms.people')?.definition).toEqual(pupils);
  });
});

describe('jobs', () => {
  const job = { name: 'weekly', sources: ['hr.staff'], targets: [] };
  const schedule = { calendar: { hour: 1, minute: 30, daysOfWeek: ['SUNDAY'] }, timeZone: 'Europe/London' };

  test('are changed and shown with their next times, across the change of the clock', async () => {
    const made = await api.post('jobs/create', { ...job, schedule });
    const { jobId } = made.body as { jobId: string };
    api.clock.set('2027-03-10T12:00:00Z');
    const shown = await api.get(`jobs/${jobId}`);
    expect(shown.body).toMatchObject({
      ...{ paused: null, archived: false, changedBy: 'steward:Test desk' },
      schedule: {
        rhythm: 'every Sunday at 01:30 (Europe/London)',
        next: [
          { at: '2027-03-14T01:30:00.000Z', local: '2027-03-14T01:30:00+00:00' },
          { at: '2027-03-21T01:30:00.000Z', local: '2027-03-21T01:30:00+00:00' },
          { at: '2027-04-04T00:30:00.000Z', local: '2027-04-04T01:30:00+01:00' },
          { at: '2027-04-11T00:30:00.000Z' },
          { at: '2027-04-18T00:30:00.000Z' },
        ],
        notes: [expect.stringMatching(/put forward on 2027-03-28: that time of day does not occur/)],
      },
    });
    const frozen = { ...schedule, freeze: [{ from: '2027-03-20', to: '2027-04-05', reason: 'end of term' }] };
    await api.owner.query('delete from outbox');
    expect(await api.put(`jobs/${jobId}`, { ...job, schedule: frozen }, matching('"1"'))).toMatchObject({
      status: 200,
      body: {
        version: 2,
        schedule: {
          next: [{ at: '2027-03-14T01:30:00.000Z' }, { at: '2027-04-11T00:30:00.000Z' }, {}, {}, {}],
          notes: expect.arrayContaining(['No run from 2027-03-20 to 2027-04-05: end of term.']),
        },
      },
    });
    expect(await world.count(`outbox where topic = 'schedules'`)).toBe(1);

    api.clock.set('2027-03-25T12:00:00Z');
    const start = (): Promise<Reply> =>
      api.post(`jobs/${jobId}/runs`, {}, { headers: { 'idempotency-key': 'frozen' } });
    expect(await start()).toMatchObject({ status: 409, body: { code: 'freeze_window' } });
    api.clock.set('2027-04-06T12:00:00Z');
    expect(await start()).toMatchObject({ status: 202 });
  });

  test('are paused with a reason and resumed; a paused one cannot be started', async () => {
    const { jobId } = (await api.post('jobs/create', { ...job, name: 'rests' })).body as { jobId: string };
    await api.owner.query('delete from outbox');
    const paused = await api.post(`jobs/${jobId}/pause`, { reason: 'moving' }, { as: 'operator' });
    expect(paused).toMatchObject({
      status: 200,
      body: { version: 1, paused: { reason: 'moving', by: 'operator:Test desk' } },
    });
    expect(await world.count(`outbox where topic = 'schedules'`)).toBe(1);
    expect(await api.post(`jobs/${jobId}/pause`, { reason: 'again' })).toMatchObject({ status: 409 });
    expect((await api.get('jobs?paused=true')).body).toMatchObject({ items: [{ name: 'rests' }], count: 1 });
    const start = (): Promise<Reply> =>
      api.post(`jobs/${jobId}/runs`, {}, { headers: { 'idempotency-key': 'paused' } });
    expect(await start()).toMatchObject({
      status: 409,
      body: { code: 'state_forbids', detail: expect.stringContaining('operator:Test desk: moving') },
    });
    expect(await api.post(`jobs/${jobId}/resume`, undefined)).toMatchObject({ status: 200, body: { paused: null } });
    expect(await start()).toMatchObject({ status: 202 });
    expect(await api.post(`jobs/${jobId}/resume`, undefined)).toMatchObject({ status: 409 });
  });
});

describe('the institution', () => {
  test('is changed with its classes of recipients, and gone back', async () => {
    const before = await api.get('institution', { as: 'secretary' });
    expect(before.body).toMatchObject({ definition: { code: 'lakeside', timeZone: 'Europe/London' } });
    const { definition } = before.body as { definition: { code: string; name: string; timeZone: string } };
    const changed = { ...definition, name: 'Riverside', recipientClasses: ['statutory', 'directory'] };
    expect(await api.put('institution', changed, {})).toMatchObject({ status: 428 });
    const reply = await api.put('institution', changed, matching(etag(before)));
    expect(reply).toMatchObject({ status: 200, body: { definition: changed } });
    expect((await loadConfiguration(api.hub, api.institutionId)).institution).toEqual({
      id: api.institutionId,
      ...changed,
    });
    expect(await api.put('institution', { ...changed, code: 'other' }, matching(etag(reply)))).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/code' }] },
    });
    expect(
      await api.put('institution', { ...changed, recipientClasses: ['nobody'] }, matching(etag(reply))),
    ).toMatchObject({
      status: 422,
      body: { errors: [{ detail: expect.stringContaining('mappings finance.people') }] },
    });
    const { version } = before.body as { version: number };
    expect(await act('institution/revert', etag(reply), { version })).toMatchObject({
      status: 200,
      body: { definition },
    });
    expect((await api.get('institution/versions')).body).toMatchObject({
      items: [
        { action: 'reverted' },
        { action: 'changed', differences: [{ pointer: '/name' }, { pointer: '/recipientClasses' }] },
        { version: 2, action: 'changed' },
        { version: 1, action: 'created' },
      ],
    });
  });
});
