import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import pg from 'pg';
import { createApiKey } from '../../database/api-keys.js';
import { freePort } from '../../launch/ports.js';
import { startProgram } from '../harness/processes.js';
import type { ChildProgram } from '../harness/processes.js';
import { temporalAddress, uniqueSuffix } from '../harness/temporal.js';
import { Campus } from './campus.js';

/* Two workers and two APIs at once, restarted one after the other as an upgrade does, while runs go on and people decide. Nothing is
   lost, nothing is done twice, and whoever asks meets at worst a connection that is refused, and asks again. */

jest.setTimeout(600_000);
const scope = `.${uniqueSuffix()}`;
const base = '/api/secretary/data-sync';
let campus: Campus;
let key: string;
let owner: pg.Client;

/** One place of a process, taken by one after the other. */
class Seat {
  private program: ChildProgram | null = null;
  /** Activities that the processes of this seat carried out. */
  activities = 0;
  readonly exits: (number | string)[] = [];

  private constructor(
    readonly name: 'worker' | 'api',
    readonly port: number,
    private readonly metricsPort: number,
  ) {}

  static async of(name: 'worker' | 'api'): Promise<Seat> {
    return new Seat(name, await freePort(0), await freePort(0));
  }

  async start(): Promise<void> {
    this.program = startProgram({
      entry: `${this.name}/main`,
      args: ['--scope', scope],
      environment: {
        ...{ DATABASE_URL: campus.concordUrl, TEMPORAL_ADDRESS: temporalAddress(), CONCORD_LOG_LEVEL: 'warn' },
        ...{ CONCORD_API_PORT: String(this.port), CONCORD_METRICS_PORT: String(this.metricsPort) },
      },
    });
    await this.program.line(/ is up/, 120_000);
  }

  async untilReady(): Promise<void> {
    while (!(await this.isReady())) await pause(50);
  }

  async stop(): Promise<void> {
    const { program } = this;
    if (program === null) return;
    this.program = null;
    this.activities += await this.countActivities();
    await program.stop();
    this.exits.push(await program.exited);
  }

  private async isReady(): Promise<boolean> {
    try {
      return (await fetch(`http://127.0.0.1:${String(this.metricsPort)}/readyz`)).status === 200;
    } catch {
      return false;
    }
  }

  private async countActivities(): Promise<number> {
    if (this.name === 'api') return 0;
    const text = await (await fetch(`http://127.0.0.1:${String(this.metricsPort)}/metrics`)).text();
    return [...text.matchAll(/^concord_activity_duration_seconds_count\{.*outcome="done".*\} (\d+)$/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
  }
}

/** Whoever asks: of two addresses takes the one that answers, and asks again where a connection broke. */
class Caller {
  readonly statuses: number[] = [];
  private turn = 0;

  constructor(private readonly seats: readonly Seat[]) {}

  async ask<T>(method: 'GET' | 'POST', path: string, body?: object, idempotencyKey?: string): Promise<T> {
    for (;;) {
      const seat = this.seats[this.turn % this.seats.length];
      this.turn += 1;
      try {
        const reply = await fetch(`http://127.0.0.1:${String(seat?.port)}${base}/${path}`, {
          method,
          headers: {
            authorization: `Bearer ${key}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const answer = (await reply.json()) as T;
        this.statuses.push(reply.status);
        return answer;
      } catch {
        await pause(20); // refused or reset; the other one, or once more
      }
    }
  }
}

interface Run {
  readonly id: string;
  readonly state: string;
  readonly finishedAt: string | null;
  readonly balance: { readonly balances: boolean } | null;
}

interface Page<T> {
  readonly items: readonly T[];
}

beforeAll(async () => {
  campus = await Campus.open({ students: 120, employees: 60, both: 40 });
  owner = new pg.Client({ connectionString: campus.concordUrl });
  await owner.connect();
  ({ key } = await createApiKey(campus.hub, campus.institutionId, { role: 'steward', name: 'Desk', actor: 'test' }));
});
afterAll(async () => {
  await owner.end();
  await campus.close();
});

/* Both sides give some of the shared people another name, each its own: a question for each. */
const disagree = (round: number): void => {
  const shared = [...campus.employees.values()].filter(({ nid }) =>
    [...campus.students.values()].some((student) => student.nid === nid),
  );
  for (const employee of shared.slice(round * 2, round * 2 + 2)) {
    const student = [...campus.students.values()].find(({ nid }) => nid === employee.nid);
    if (student === undefined) continue;
    campus.students.set(student.id, { ...student, given: `${student.given} of the register` });
    campus.employees.set(employee.staff_no, { ...employee, given: `${employee.given} of the staff` });
  }
};

test('a rolling restart under load loses nothing and does nothing twice', async () => {
  const workers = [await Seat.of('worker'), await Seat.of('worker')];
  const apis = [await Seat.of('api'), await Seat.of('api')];
  const seats = [...workers, ...apis];
  try {
    await Promise.all(seats.map((seat) => seat.start()));
    for (const seat of seats) await seat.untilReady();
    const caller = new Caller(apis);
    const rolled = { out: false };
    const rolling = (async () => {
      for (const seat of [...seats, ...workers]) {
        await seat.stop();
        await seat.start();
        await seat.untilReady();
      }
    })().finally(() => (rolled.out = true));

    const decided = new Set<string>();
    const decideAll = async (): Promise<void> => {
      const { items } = await caller.ask<Page<{ id: string; version: number }>>('GET', 'conflicts/pending?limit=200');
      for (const { id, version } of items) {
        const choice = { version, choice: { take: 'sis' }, reason: 'the register knows' };
        const answer = await caller.ask<{ state: string }>('POST', `conflicts/${id}/decision`, choice);
        expect(answer.state).toBe('decided');
        decided.add(id);
      }
    };
    const runs: Run[] = [];
    for (let round = 0; round < 12 && (!rolled.out || round < 3); round += 1) {
      if (round > 0) {
        disagree(round - 1);
        await campus.change();
      }
      const { workflowId } = await caller.ask<{ workflowId: string }>(
        ...(['POST', `jobs/${String(campus.job())}/runs`, {}, `round-${String(round)}`] as const),
      );
      const find = async (): Promise<Run | undefined> =>
        (await caller.ask<Page<Run>>('GET', `runs?workflowId=${encodeURIComponent(workflowId)}`)).items[0];
      let run = await find();
      while (run === undefined || run.finishedAt === null) {
        await decideAll();
        await pause(30);
        run = await find();
      }
      runs.push(await caller.ask<Run>('GET', `runs/${run.id}`));
      await decideAll();
    }
    await rolling;

    // What was decided is carried out by runs of their own.
    const open = async (sql: string): Promise<number> =>
      Number((await owner.query<{ count: string }>(`select count(*) as count from ${sql}`)).rows[0]?.count);
    while ((await open(`concord.decision_batches where state = 'pending'`)) > 0) await pause(100);
    while ((await open('concord.sync_runs where finished_at is null')) > 0) await pause(100);

    expect(caller.statuses.filter((status) => status >= 400)).toEqual([]);
    expect(seats.flatMap(({ exits }) => exits)).toEqual(Array(6).fill(0));
    expect(runs.length).toBeGreaterThanOrEqual(3);
    expect(runs.map(({ state, balance }) => [/^completed/.test(state), balance?.balances])).toEqual(
      runs.map(() => [true, true]),
    );
    const { rows } = await owner.query(
      `select (select count(*)::int from concord.sync_conflict_resolutions where state = 'settled') as settled,
         (select count(*)::int from concord.sync_conflict_resolutions) as asked,
         (select count(*)::int from concord.decision_batches where state = 'applied') as applied,
         (select count(*)::int from concord.sync_runs where kind = 'decision' and state = 'completed') as runs,
         (select count(*)::int from concord.decision_batches) as batches,
         (select count(*)::int from concord.sync_runs where state not in ('completed', 'completed_with_questions')) as otherwise`,
    );
    const asked = decided.size;
    expect(asked).toBeGreaterThanOrEqual(4);
    expect(rows).toEqual([{ settled: asked, asked, applied: asked, batches: asked, runs: asked, otherwise: 0 }]);
    const { wanted, found } = await campus.compare();
    expect(found).toEqual(wanted);
    for (const seat of seats) await seat.stop();
    expect(workers.map(({ activities }) => activities > 0)).toEqual([true, true]);
  } finally {
    for (const seat of seats) await seat.stop();
  }
});
