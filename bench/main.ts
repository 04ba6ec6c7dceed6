/* `npm run bench -- [J1g] [J2] [J1p] [J6] [J7] [--rows 1000000] [--pairs 5]`: our times beside the floors of the same machine in the
   same run. Prints a table; ends with 1 where a target does not hold what it should, for then no figure counts. */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { readConfig } from '../config/env.js';
import { bringUp } from '../launch/environment.js';
import { searchAttributes } from '../worker/search-attributes.js';
import { benchApi } from './api.js';
import { benchChanges, benchFirstLoad, benchPosted, benchSmall, type BenchSite } from './jobs.js';
import type { Figure } from './measure.js';
import { buildStores } from './stores.js';

const jobs = { J1g: benchFirstLoad, J2: benchChanges, J1p: benchPosted, J6: benchSmall, J7: benchApi } as const;
type JobName = keyof typeof jobs;
const isJob = (name: string): name is JobName => Object.hasOwn(jobs, name);

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: 'string', default: '1000000' }, pairs: { type: 'string', default: '5' } },
});
const [rows, pairs] = [Number(values.rows), Number(values.pairs)];
const unknown = positionals.filter((name) => !isJob(name));
if (unknown.length > 0 || !Number.isInteger(rows) || rows < 1 || !Number.isInteger(pairs) || pairs < 1) {
  throw new Error(`Usage: npm run bench -- [${Object.keys(jobs).join('] [')}] [--rows N] [--pairs N]`);
}
const wanted = positionals.length === 0 ? Object.keys(jobs).filter(isJob) : positionals.filter(isJob);

const tell = (figures: readonly Figure[]): void => {
  say('');
  for (const { job, floor, ours, ratio, goal, met, worker, content } of figures) {
    const verdict = met === null ? '' : met ? '  met' : '  MISSED';
    say(`${job}: floor ${floor} | ours ${ours} | ratio ${ratio} | goal ${goal}${verdict}`);
    say(`    worker ${worker} | content ${content}`);
  }
};

const config = readConfig();
// The embedded server as everywhere: everything that makes data safe is on.
const environment = await bringUp({ name: 'bench', config, fresh: true, searchAttributes });
try {
  const version = environment.postgres?.version ?? 'as configured';
  say(`PostgreSQL ${version}, Node ${process.versions.node}, ${String(cpus().length)} × ${cpus()[0]?.model ?? '?'}`);
  const built = await buildStores(environment.databaseUrl, rows);
  say(`A table of ${String(built.count)} rows × 17 columns, digest ${built.digest}.`);
  const site: BenchSite = { environment, config, pairs, rows, say };
  const figures: Figure[] = [];
  for (const name of wanted) figures.push(...(await jobs[name](site)));
  tell(figures);
} finally {
  await environment.stop();
}
