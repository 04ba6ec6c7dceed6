import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { openDemoPlatform, yesterday, type OpenDemoPlatform } from '../../cli/demo-platform.js';
import { projectFolder } from '../../launch/project-folder.js';
import { generateLakeside } from '../../samples/lakeside/generator.js';
import { lakesideSecrets } from '../../samples/lakeside/install.js';
import { beginStory, lakesideStory } from '../../samples/lakeside/story.js';
import type { Narrator } from '../../samples/lakeside/story-platform.js';
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
  clients = [sis, finance];
  await Promise.all(clients.map((client) => client.connect()));
  opened = await openDemoPlatform({
    databaseUrl: concord.url,
    temporalAddress: temporalAddress(),
    scope: `.${uniqueSuffix()}`,
    folder,
    configurationFolder: join(projectFolder(), 'samples', 'lakeside', 'configuration'),
    secrets: lakesideSecrets(places),
  });
  told = await beginStory({ sis, finance, ...places }, opened.platform, generateLakeside({ dayOne: yesterday() }));
}, 120_000);

afterAll(async () => {
  await opened?.close();
  await Promise.all(clients.map((client) => client.end()));
  for (const database of databases) await database.drop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

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
