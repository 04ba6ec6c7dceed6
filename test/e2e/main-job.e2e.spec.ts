import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { changesOf } from '../../activities/run-plan.js';
import { openDemoPlatform, yesterday, type OpenDemoPlatform } from '../../cli/demo-platform.js';
import { createHub, type Hub } from '../../database/hub.js';
import type { ChangeCounts, RunPlan } from '../../domain/run-plan.js';
import { projectFolder } from '../../launch/project-folder.js';
import { generateLakeside } from '../../samples/lakeside/generator.js';
import { lakesideSecrets } from '../../samples/lakeside/install.js';
import { beginStory, lakesideStory } from '../../samples/lakeside/story.js';
import type { DemoPlatform, Narrator } from '../../samples/lakeside/story-platform.js';
import type { Told } from '../../samples/lakeside/told.js';
import { createDatabase, type TestDatabase } from '../harness/database.js';
import { temporalAddress, uniqueSuffix } from '../harness/temporal.js';

/* The main job from end to end: four systems, workers and API as processes of their own, everything over HTTP. The steps build
   on one another. */

let folder: string;
let databases: readonly TestDatabase[] = [];
let clients: readonly pg.Client[] = [];
let opened: OpenDemoPlatform | undefined;
let told: Told;
let hub: Hub | undefined;
/** What dry runs said, and what the runs then did. */
const rehearsals: { readonly leftOut: RunPlan['leftOut']; readonly plan: ChangeCounts; readonly done: ChangeCounts }[] =
  [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'concord-main-job-'));
  const make = (): Promise<TestDatabase> => createDatabase({ empty: true });
  const [concord, sisDatabase, financeDatabase] = [await make(), await make(), await make()];
  databases = [concord, sisDatabase, financeDatabase];
  const places = {
    sisUrl: sisDatabase.url,
    financeUrl: financeDatabase.url,
    hrIncoming: join(folder, 'hr', 'incoming'),
    academicIncoming: join(folder, 'academic', 'incoming'),
    academicOutgoing: join(folder, 'academic', 'outgoing'),
  };
  const sis = new pg.Client({ connectionString: places.sisUrl });
  const finance = new pg.Client({ connectionString: places.financeUrl });
  const owner = new pg.Client({ connectionString: concord.url });
  clients = [sis, finance, owner];
  await Promise.all(clients.map((client) => client.connect()));
  opened = await openDemoPlatform({
    databaseUrl: concord.url,
    temporalAddress: temporalAddress(),
    scope: `.${uniqueSuffix()}`,
    folder,
    configurationFolder: join(projectFolder(), 'samples', 'lakeside', 'configuration'),
    secrets: lakesideSecrets(places),
  });
  hub = createHub({ url: concord.url, role: 'concord_worker', max: 2 });
  const platform = rehearsing(opened.platform, owner);
  told = await beginStory({ sis, finance, ...places }, platform, generateLakeside({ dayOne: yesterday() }));
}, 120_000);

afterAll(async () => {
  await opened?.close();
  await hub?.close();
  await Promise.all(clients.map((client) => client.end()));
  for (const database of databases) await database.drop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

/** The platform, which tells what the first run of each day would do before it does it. */
const rehearsing = (platform: DemoPlatform, database: pg.Client): DemoPlatform => {
  const days = new Set<string>();
  const startRun: DemoPlatform['startRun'] = async (job, asOf) => {
    if (days.has(asOf)) return await platform.startRun(job, asOf);
    days.add(asOf);
    const dry = await platform.startRun(job, asOf, { dryRun: true });
    const { rows } = await database.query<{ plan: RunPlan; institution: number }>(
      `select counts -> 'plan' as plan, institution_id as institution from concord.sync_runs where id = $1`,
      [dry.id],
    );
    const [told] = rows;
    if (told === undefined || hub === undefined) throw new Error('a dry run left no plan');
    const { leftOut, ...plan } = told.plan;
    const run = await platform.startRun(job, asOf);
    const done = await hub.read(told.institution, (client) => changesOf(client, { runId: run.id }));
    rehearsals.push({ leftOut, plan, done });
    return run;
  };
  return new Proxy(platform, {
    get(target, name) {
      if (name === 'startRun') return startRun;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
};

/** Keeps what did not hold. */
class Checks implements Narrator {
  count = 0;
  readonly notHeld: string[] = [];

  chapter(): void {
    // The test's name says it.
  }

  say(): void {
    // Nobody reads along.
  }

  check(name: string, holds: boolean, detail = ''): void {
    this.count += 1;
    if (!holds) this.notHeld.push(detail === '' ? name : `${name}: ${detail}`);
  }
}

test.each(lakesideStory.map((step) => [step.outcome, step.title, step] as const))(
  '%s. %s',
  async (_outcome, _title, { tell }) => {
    const checks = new Checks();
    await tell(told, checks);
    expect(checks.notHeld).toEqual([]);
    expect(checks.count).toBeGreaterThan(0);
  },
  120_000,
);

test('every dry run said what the run then did: records that refer to others, files and tables, questions and what is held', () => {
  expect(rehearsals.length).toBeGreaterThanOrEqual(3);
  for (const { leftOut, plan, done } of rehearsals) {
    expect(leftOut).toEqual([]);
    expect(plan).toEqual(done);
  }
  const [first] = rehearsals;
  expect(first?.plan.records.map(({ entityType }) => entityType)).toEqual(
    expect.arrayContaining(['affiliation', 'enrolment', 'person']),
  );
});
