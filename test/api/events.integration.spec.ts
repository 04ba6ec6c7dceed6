import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createApi } from '../../api/application.js';
import { createRunStarter } from '../../api/temporal/run-starter.js';
import { createHub, type Hub } from '../../database/hub.js';
import { listen } from '../../database/listen.js';
import { createLog } from '../../platform/log.js';
import { EventStream, type Message } from '../harness/event-stream.js';
import { ApiHarness, base, testAccess } from './api-harness.js';
import { World } from './builders.js';

let api: ApiHarness;
let world: World;
const streams: EventStream[] = [];
beforeAll(async () => {
  api = await ApiHarness.open();
  world = await World.build(api);
});
afterEach(async () => {
  await Promise.all(streams.splice(0).map((stream) => stream.leave()));
});
afterAll(async () => {
  await api.close();
});

const open = async (
  query = '',
  options: { url?: string; headers?: Record<string, string>; token?: string | null } = {},
): Promise<EventStream> => {
  const token = options.token === undefined ? api.token('operator') : options.token;
  const stream = await EventStream.open(`${options.url ?? api.url}${base}/events${query}`, {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...options.headers,
  });
  streams.push(stream);
  return stream;
};

const lastId = async (): Promise<number> => {
  const { rows } = await api.owner.query<{ last: string }>(
    'select coalesce(max(position), 0) as last from events where institution_id = $1',
    [api.institutionId],
  );
  return Number(rows[0]?.last);
};

describe('a stream of events', () => {
  test('begins with the right headers and how long to wait before coming back', async () => {
    const stream = await open();
    expect(stream.response.status).toBe(200);
    expect(Object.fromEntries(stream.response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    expect(await stream.until(({ retry }) => retry !== undefined)).toEqual({ retry: '3000' });
  });

  test('tells of a run from its beginning to its end, in ids and counts, each as a CloudEvent', async () => {
    const stream = await open();
    const run = await world.run({ state: 'extract', finished: false });
    await api.owner.query(
      `insert into run_chunks (run_id, step, part, chunk, institution_id, counts) values ($1, 'extract', '7/0', 0, $2, '{"rows": 50000}')`,
      [run, api.institutionId],
    );
    await api.owner.query(`update sync_runs set state = 'merge' where id = $1`, [run]);
    await api.owner.query(
      `update sync_runs set state = 'failed', error_code = 'source_unreachable', finished_at = now(), counts = '{"summary": {"rejected": 2}}' where id = $1`,
      [run],
    );
    const failed = await stream.until(({ event }) => event === 'concord.job.failed');
    expect(stream.types()).toEqual([
      'concord.job.started',
      'concord.job.progressed',
      'concord.job.progressed',
      'concord.job.failed',
    ]);
    expect(failed).toEqual({
      id: expect.stringMatching(/^\d+$/),
      event: 'concord.job.failed',
      data: {
        ...{ specversion: '1.0', id: failed.id, source: base, type: 'concord.job.failed', subject: `runs/${run}` },
        ...{ time: expect.stringMatching(/^\d{4}-.*Z$/), datacontenttype: 'application/json' },
        data: {
          ...{ topic: 'run', runId: run, jobId: String(world.jobId), kind: 'sync', state: 'failed' },
          ...{ errorCode: 'source_unreachable', summary: { rejected: 2 } },
          links: { run: `${base}/runs/${run}`, job: `${base}/jobs/${world.jobId}` },
        },
      },
    });
    const ids = stream.messages.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));
    expect(ids).toEqual([...ids].sort((left, right) => left - right));
    expect(stream.messages[2]?.data?.data).toMatchObject({ step: 'extract', part: '7/0', chunk: 0 });
  });

  test('questions are told by statement and not by row, with how many are open', async () => {
    const run = await world.run();
    const goldens = [await world.golden(run), await world.golden(run), await world.golden(run)];
    await api.owner.query(`update sync_conflict_resolutions set state = 'withdrawn' where state = 'open'`);
    const stream = await open('?topics=inbox');
    await api.owner.query(
      `insert into sync_conflict_resolutions (institution_id, job_id, opened_run, changed_run, kind, entity_type_id, golden_id, group_name, candidates, input_hash)
       select $1, $2, $3, $3, 'value', $4, g, 'email', '[]', gen_random_uuid() from unnest($5::bigint[]) g`,
      [api.institutionId, world.jobId, run, world.typeId, goldens],
    );
    const opened = await stream.until(({ event }) => event === 'concord.conflict.opened');
    expect(opened.data?.data).toMatchObject({ topic: 'inbox', runId: run, count: 3, open: 3 });
    expect(opened.data?.data['ids']).toHaveLength(3);
    await api.owner.query(
      `update sync_conflict_resolutions set state = 'decided', decision = '{}' where opened_run = $1`,
      [run],
    );
    const decided = await stream.until(({ event }) => event === 'concord.conflict.decided');
    expect(decided.data?.data).toMatchObject({ count: 3, open: 0 });
  });

  test('held changes and jobs are told, and only what is asked for', async () => {
    const stream = await open(`?topics=held,job&job=${world.jobId}`);
    const run = await world.run();
    const held = await world.held(run);
    await api.owner.query(`update synchronization_jobs set version = version + 1 where id = $1`, [world.jobId]);
    await stream.until(({ event }) => event === 'concord.job.updated');
    expect(stream.types()).toEqual(['concord.change.held', 'concord.job.updated']);
    expect(stream.messages[1]).toMatchObject({ data: { subject: `held-changes/${held}`, data: { held: 1 } } });
  });

  test('goes on where it was left, by header or parameter', async () => {
    const before = await lastId();
    const [first, second] = [await world.run(), await world.run()];
    const started = (run: string) => (message: Message) => message.data?.data['runId'] === run;
    const byHeader = await open('?topics=run', { headers: { 'last-event-id': String(before) } });
    const one = await byHeader.until(started(first));
    await byHeader.until(started(second));
    const byParameter = await open(`?topics=run&lastEventId=${one.id ?? ''}`);
    await byParameter.until(started(second));
    expect(byParameter.messages.some(started(first))).toBe(false);
    // Nothing is told twice, also where what is new comes while what is old is read.
    const third = await world.run();
    await byHeader.until(started(third));
    const ids = byHeader.messages.flatMap(({ id }) => id ?? []);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('says where events are kept no more', async () => {
    await api.owner.query('delete from events');
    await world.run();
    const stream = await open('', { headers: { 'last-event-id': '1' } });
    expect(await stream.until(({ event }) => event === 'concord.stream.gap')).toMatchObject({
      id: String(await lastId()),
    });
  });

  test('is of one institution', async () => {
    const stranger = await open('', { token: api.token('stranger') });
    await world.run();
    await api.owner.query(`update synchronization_jobs set version = version + 1 where institution_id = $1`, [
      api.otherInstitutionId,
    ]);
    await stranger.until(({ event }) => event === 'concord.job.updated');
    expect(stranger.types()).toEqual(['concord.job.updated']);
  });

  test('a transaction that began first and ended last is not read past', async () => {
    const stream = await open('?topics=run');
    const slow = await api.owner.connect();
    const insert = `insert into sync_runs (institution_id, job_id, kind, workflow_id, actor, as_of, state, finished_at)
      values ($1, null, $3, $2, 'test', '2026-11-20', 'completed', now()) returning id`;
    try {
      await slow.query('begin');
      const first = await slow.query<{ id: string }>(insert, [
        api.institutionId,
        `due-run/slow-${Math.random()}`,
        'due',
      ]);
      // Runs of one kind are counted in one row: another kind, so that the second need not wait for the first.
      const second = await api.owner.query<{ id: string }>(insert, [
        ...[api.institutionId, `due-run/quick-${Math.random()}`, 'remap'],
      ]);
      await stream.until((message) => message.data?.data['runId'] === second.rows[0]?.id);
      await slow.query('commit');
      await stream.until((message) => message.data?.data['runId'] === first.rows[0]?.id);
    } finally {
      slow.release();
    }
    const ids = stream.messages.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));
    expect(ids).toEqual([...ids].sort((left, right) => left - right));
  });

  test('thousands of events reach a client that comes back, once and in order', async () => {
    const before = await lastId();
    const run = await world.run();
    await api.owner.query(
      `insert into run_chunks (run_id, step, part, chunk, institution_id) select $1, 'extract', '1/0', n, $2 from generate_series(1, 2500) n`,
      [run, api.institutionId],
    );
    const stream = await open('?topics=progress', { headers: { 'last-event-id': String(before) } });
    await stream.until(({ data }) => data?.data['chunk'] === 2500);
    const chunks = stream.messages.flatMap(({ data }) => (data === undefined ? [] : [data.data['chunk']]));
    expect(chunks).toEqual(Array.from({ length: 2500 }, (_, index) => index + 1));
  });

  test('parameters are checked before it begins', async () => {
    expect(await api.get('events?topics=weather')).toMatchObject({ status: 400 });
    expect(await api.get('events?run=x')).toMatchObject({ status: 404 });
    expect(await api.get('events', { headers: { 'last-event-id': 'x' } })).toMatchObject({
      status: 400,
      body: { code: 'validation_failed' },
    });
  });
});

describe('tickets', () => {
  const ticket = async (): Promise<string> => {
    const { body, status } = await api.post('events/tickets', undefined, { as: 'secretary' });
    expect(status).toBe(201);
    return (body as { ticket: string }).ticket;
  };

  test('let in once, and say where', async () => {
    const { body } = await api.post('events/tickets', undefined, { as: 'secretary' });
    const { ticket: own, links } = body as { ticket: string; links: { events: string } };
    expect(links.events).toBe(`${base}/events?ticket=${own}`);
    const stream = await open(`?ticket=${own}`, { token: null });
    await stream.until(({ retry }) => retry !== undefined);
    const again = await open(`?ticket=${own}`, { token: null });
    expect(again.response.status).toBe(401);
  });

  test('are good for a minute, here alone, and stored as a hash', async () => {
    const own = await ticket();
    const { rows } = await api.owner.query('select * from event_tickets');
    expect(JSON.stringify(rows)).not.toContain(own);
    expect(await api.get(`runs?ticket=${own}`, { as: 'nobody' })).toMatchObject({ status: 401 });
    api.clock.advance(61_000);
    const late = await open(`?ticket=${own}`, { token: null });
    expect(late.response.status).toBe(401);
  });
});

describe('two processes', () => {
  let hub: Hub;
  let other: Awaited<ReturnType<typeof createApi>>;
  beforeAll(async () => {
    hub = createHub({ url: api.databaseUrl, role: 'concord_api', max: 4 });
    other = await createApi({
      ...{ hub, log: createLog({ level: 'silent', name: 'test' }), clock: api.clock },
      starter: createRunStarter({} as never),
      heartbeatMilliseconds: 30,
      spoolFolder: api.spoolFolder,
      access: testAccess,
      readiness: { check: async () => [] },
      previewRollback: () => Promise.reject(new Error('nobody asks')),
      listenForEvents: (heard) =>
        listen({
          ...{ url: api.databaseUrl, role: 'concord_api', channel: 'concord_events', heard },
          failed: () => undefined,
        }),
    });
    await other.listen({ port: 0, host: '127.0.0.1' });
  });
  afterAll(async () => {
    await other.close();
    await hub.close();
  });

  test('both tell the same; a client that changes over misses nothing; a ticket of one is good at the other', async () => {
    const url = await other.getUrl();
    const here = await open('?topics=run');
    const there = await open('?topics=run', { url });
    const run = await world.run();
    const of = (id: string) => (message: Message) => message.data?.data['runId'] === id;
    const told = await here.until(of(run));
    expect(await there.until(of(run))).toEqual(told);
    await there.leave();
    const missed = await world.run();
    const back = await open('?topics=run', { headers: { 'last-event-id': told.id ?? '' } });
    await back.until(of(missed));
    const { body } = await api.post('events/tickets', undefined, { as: 'steward' });
    const own = (body as { ticket: string }).ticket;
    const byTicket = await open(`?ticket=${own}`, { url, token: null });
    expect(byTicket.response.status).toBe(200);
  });

  test('a stream on which nothing happens shows that it is still there', async () => {
    const stream = await open('?topics=job', { url: await other.getUrl() });
    await stream.until(({ comment }) => comment === true);
  });

  test('listening goes on after the connection broke, with what came meanwhile', async () => {
    const stream = await open('?topics=run');
    await stream.until(({ retry }) => retry !== undefined);
    await api.owner.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like 'listen %'`,
    );
    const run = await world.run();
    await stream.until((message) => message.data?.data['runId'] === run);
  });
});
