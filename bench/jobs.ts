import type { Config } from '../config/env.js';
import type { Environment } from '../launch/environment.js';
import { benchConfiguration, benchSchema, smallConfiguration, smallJobs } from './configuration.js';
import { copyThrough, journalledUpsert, readAndHash } from './floors.js';
import { between, connected, median, pairFigure, seconds, spreadOf, timed, wordsOf, type Figure } from './measure.js';
import { openPlatform, type BenchRun, type Platform } from './platform.js';
import {
  buildSmallStores,
  changeOnePercent,
  emptied,
  floorTable,
  sameContent,
  sinkTable,
  sourceTable,
} from './stores.js';

export interface BenchSite {
  readonly environment: Environment;
  readonly config: Config;
  readonly pairs: number;
  /** Of the large table. */
  readonly rows: number;
  readonly say: (line: string) => void;
}

interface Pair {
  readonly floor: number;
  readonly ours: number;
}

/** What the worker needs before it does anything. */
const tellRest = ({ say }: BenchSite, platform: Platform): void => {
  say(`The worker at rest: ${wordsOf(platform.workerUsage())}.`);
};

const floorOnce = async ({ environment: { databaseUrl } }: BenchSite): Promise<number> => {
  await emptied(databaseUrl, sinkTable);
  const spent = await timed(() => copyThrough(databaseUrl, sourceTable, sinkTable));
  await sameContent(databaseUrl, sinkTable, sourceTable);
  await emptied(databaseUrl, sinkTable);
  return spent;
};

const tellPair = ({ say }: BenchSite, job: string, { floor, ours }: Pair): void => {
  say(`${job}: floor ${seconds(floor)}, ours ${seconds(ours)}, ratio ${(ours / floor).toFixed(2)}`);
};

const tellSteps = async ({ say }: BenchSite, platform: Platform, run: BenchRun): Promise<void> => {
  const times = [...(await platform.stepTimes(run))].map(([name, spent]) => `${name} ${seconds(spent)}`);
  say(`  steps: ${times.join(', ')}; the whole ${seconds(run.seconds)}`);
};

const nameOf = (job: string, pair: number): string => (pair === 0 ? `${job} (warming up)` : job);

/** A posted type, table to table, checked. The first pair warms up. */
export const benchPosted = async (site: BenchSite): Promise<Figure[]> => {
  const { environment, config, pairs: wanted } = site;
  const platform = await openPlatform(environment, config, 'bench_posted');
  try {
    await platform.configure(benchConfiguration(false));
    tellRest(site, platform);
    const pairs: Pair[] = [];
    let content = '';
    let before = platform.workerUsage();
    for (let index = 0; index <= wanted; index += 1) {
      const floor = await floorOnce(site);
      if (index === 1) before = platform.workerUsage();
      const run = await platform.run('posted');
      content = await sameContent(environment.databaseUrl, sinkTable, sourceTable);
      tellPair(site, nameOf('J1p', index), { floor, ours: run.seconds });
      if (index > 0) pairs.push({ floor, ours: run.seconds });
      if (index === wanted) await tellSteps(site, platform, run);
    }
    const used = between(before, platform.workerUsage());
    const usage = used === null ? null : { ...used, cpuSeconds: used.cpuSeconds / Math.max(1, wanted) };
    return [pairFigure('J1p posted, table to table', pairs, { most: 2.2, usage, content })];
  } finally {
    await platform.close();
  }
};

/** The first load into golden records and one target; a new hub and a new worker for each. The first pair warms up. */
export const benchFirstLoad = async (site: BenchSite): Promise<Figure[]> => {
  const { environment, config, pairs: wanted } = site;
  const pairs: Pair[] = [];
  let content = '';
  let usage = null;
  for (let index = 0; index <= wanted; index += 1) {
    const floor = await floorOnce(site);
    const platform = await openPlatform(environment, config, 'bench_load');
    try {
      await platform.configure(benchConfiguration(false));
      tellRest(site, platform);
      const run = await platform.run('first-load');
      usage = platform.workerUsage();
      content = await sameContent(environment.databaseUrl, sinkTable, sourceTable);
      tellPair(site, nameOf('J1g', index), { floor, ours: run.seconds });
      if (index > 0) pairs.push({ floor, ours: run.seconds });
      await tellSteps(site, platform, run);
    } finally {
      await platform.close();
    }
  }
  return [pairFigure('J1g first load', pairs, { most: 12, usage, content })];
};

interface BudgetedPair extends Pair {
  readonly budget: number;
  /** The budget by the floor of this very run, where that is told apart. */
  readonly byFloor?: number;
}

/** Seconds of the upsert with which the budget of changed rows was made. */
const budgetedUpsert = 0.55;
const changesBudget = `3 × an upsert of ${seconds(budgetedUpsert)} + 1 s`;

const isWithin = (pairs: readonly BudgetedPair[], budgetOf: (pair: BudgetedPair) => number): boolean =>
  median(pairs.map((pair) => pair.ours / budgetOf(pair))) <= 1;

const byFloorWords = (pairs: readonly BudgetedPair[]): string => {
  const [first] = pairs;
  if (first?.byFloor === undefined) return '';
  const budgetOf = ({ byFloor, budget }: BudgetedPair): number => byFloor ?? budget;
  return `; by this run's floor ${seconds(median(pairs.map(budgetOf)))}, ${isWithin(pairs, budgetOf) ? 'met' : 'MISSED'}; as budgeted`;
};

const budgetFigure = (
  job: string,
  pairs: readonly BudgetedPair[],
  facts: { readonly goal: string; readonly worker: string; readonly content: string },
): Figure => ({
  job,
  floor: seconds(median(pairs.map(({ floor }) => floor))),
  ours: seconds(median(pairs.map(({ ours }) => ours))),
  ratio: spreadOf(pairs.map(({ floor, ours }) => ours / floor)),
  goal: `${facts.goal}: ${seconds(median(pairs.map(({ budget }) => budget)))}${byFloorWords(pairs)}`,
  met: isWithin(pairs, ({ budget }) => budget),
  worker: facts.worker,
  content: facts.content,
});

/** Runs after a first load: nothing changed, 1% changed by full read, 1% changed by watermark. */
export const benchChanges = async (site: BenchSite): Promise<Figure[]> => {
  const { environment, config, pairs } = site;
  const { databaseUrl } = environment;
  const platform = await openPlatform(environment, config, 'bench_changes');
  /** Rounds of a job, each with the floor and the budget that are found right before it. The first warms up. */
  const measured = async (
    job: string,
    goal: string,
    before: () => Promise<Omit<BudgetedPair, 'ours'>>,
  ): Promise<{ figure: Figure; ours: number }> => {
    const found: BudgetedPair[] = [];
    let [content, worker] = ['', ''];
    for (let round = 0; round <= pairs; round += 1) {
      const floors = await before();
      const used = platform.workerUsage();
      const run = await platform.run('first-load');
      worker = wordsOf(between(used, platform.workerUsage()));
      content = await sameContent(databaseUrl, sinkTable, sourceTable);
      const pair = { ...floors, ours: run.seconds };
      tellPair(site, nameOf(job, round), pair);
      if (round > 0) found.push(pair);
      await tellSteps(site, platform, run);
      await platform.untilIndexed(run);
    }
    const figure = budgetFigure(job, found, { goal, worker, content });
    return { figure, ours: median(found.map(({ ours }) => ours)) };
  };
  const upserted = async (more: number): Promise<Omit<BudgetedPair, 'ours'>> => {
    const after = await changeOnePercent(databaseUrl);
    const floor = await timed(() => journalledUpsert(databaseUrl, sourceTable, floorTable, after));
    return { floor, budget: more + 3 * budgetedUpsert + 1, byFloor: more + 3 * floor + 1 };
  };
  try {
    await platform.configure(benchConfiguration(false));
    await emptied(databaseUrl, sinkTable);
    await platform.untilIndexed(await platform.run('first-load'));
    await emptied(databaseUrl, floorTable);
    await copyThrough(databaseUrl, sourceTable, floorTable);

    const nothing = await measured('J2 nothing changed', '1.6 × read and hash', async () => {
      const floor = await timed(() => readAndHash(databaseUrl, sourceTable));
      return { floor, budget: 1.6 * floor };
    });
    const full = await measured('J2 1% changed, full read', `nothing changed + ${changesBudget}`, () =>
      upserted(nothing.ours),
    );
    await platform.configure(benchConfiguration(true));
    // The first read by watermark has nothing to begin after: it reads all.
    await platform.untilIndexed(await platform.run('first-load'));
    const marked = await measured('J2 1% changed, watermark', changesBudget, () => upserted(0));
    return [nothing.figure, full.figure, marked.figure];
  } finally {
    await platform.close();
  }
};

const several = async (times: number, work: () => Promise<number>): Promise<number[]> => {
  const found: number[] = [];
  for (let index = 0; index < times; index += 1) found.push(await work());
  return found;
};

const smallRuns = 15;
const rounds = 3;

/** Runs over 200 records: alone, and twenty jobs at once. Every record changes before each. */
export const benchSmall = async (site: BenchSite): Promise<Figure[]> => {
  const { environment, config, say } = site;
  const { databaseUrl } = environment;
  await buildSmallStores(databaseUrl);
  const platform = await openPlatform(environment, config, 'bench_small');
  const changeAll = async (tables: readonly string[]): Promise<void> => {
    await connected(databaseUrl, async (client) => {
      for (const table of tables) await client.query(`update ${benchSchema}.${table} set amount = amount + 1`);
    });
  };
  const checked = async (): Promise<string> => {
    let content = '';
    for (const { from, to } of smallJobs)
      content = await sameContent(databaseUrl, `${benchSchema}.${to}`, `${benchSchema}.${from}`);
    return content;
  };
  try {
    for (const small of smallJobs) await platform.configure(smallConfiguration(small));
    for (const { job } of smallJobs) await platform.run(job);
    const [alone] = smallJobs;
    if (alone === undefined) throw new Error('no small table');
    const before = platform.workerUsage();
    const times = await several(smallRuns, async () => {
      await changeAll([alone.from]);
      return (await platform.run(alone.job)).seconds;
    });
    const afterAlone = platform.workerUsage();
    say(`J6 alone: ${times.map(seconds).join(', ')}`);
    const spent = await several(rounds, async () => {
      await changeAll(smallJobs.map(({ from }) => from));
      return timed(() => Promise.all(smallJobs.map(({ job }) => platform.run(job))));
    });
    const rate = smallJobs.length / median(spent);
    const content = await checked();
    const most = 1.2;
    const least = 12;
    return [
      {
        job: 'J6 a run over 200 records alone (p50)',
        ...{ floor: '–', ours: seconds(median(times)), ratio: '–' },
        ...{ goal: `≤ ${String(most)} s (development server)`, met: median(times) <= most },
        ...{ worker: wordsOf(between(before, afterAlone)), content },
      },
      {
        job: 'J6 20 jobs at once',
        ...{ floor: '–', ours: `${rate.toFixed(1)} runs/s`, ratio: '–' },
        // The goal is for Temporal on PostgreSQL; the development server is what is here.
        ...{ goal: `≥ ${String(least)} runs/s (Temporal on PostgreSQL)`, met: rate >= least ? true : null },
        ...{ worker: wordsOf(between(afterAlone, platform.workerUsage())), content },
      },
    ];
  } finally {
    await platform.close();
  }
};
