import { startProgram } from '../cli/programs.js';
import { createApiKey } from '../database/api-keys.js';
import { createHub } from '../database/hub.js';
import { indexNames } from '../database/name-index.js';
import { freePort } from '../launch/ports.js';
import { benchConfiguration } from './configuration.js';
import type { BenchSite } from './jobs.js';
import { between, connected, percentile, timed, usageOf, wordsOf, type Figure, type Usage } from './measure.js';
import { openPlatform } from './platform.js';
import { clientOf, timesOf, type Asked, type Client } from './requests.js';
import { emptied, sinkTable } from './stores.js';

/* J7: the API over as many golden records as the large table has rows, and one open question for ten of them. */

const base = '/api/secretary/data-sync';
const questionsOfHundred = 10;
/** Requests that are timed, and how many of them at once; the first ones warm up. */
const timedRequests = 400;
const lanes = 4;
const warmUp = 50;
const postLanes = 32;
const postSeconds = 10;
/** No caller is told to wait. */
const unlimited = String(1e8);

/** The golden records of a first load, found by their names, with questions; the worker is at rest. */
const buildRecords = async (site: BenchSite): Promise<{ readonly url: string; readonly key: string }> => {
  const { environment, config, say } = site;
  await emptied(environment.databaseUrl, sinkTable);
  const platform = await openPlatform(environment, config, 'bench_api');
  try {
    await platform.configure(benchConfiguration(false));
    const run = await platform.run('first-load');
    say(`J7: golden records in ${run.seconds.toFixed(1)} s`);
  } finally {
    await platform.close();
  }
  const url = platform.databaseUrl;
  const institutionId = await connected(url, async (client) => {
    const { rows } = await client.query<{ id: number }>('select id from concord.institutions');
    return rows[0]?.id ?? 0;
  });
  const hub = createHub({ url, role: 'concord_worker', max: 2 });
  let key: string;
  try {
    const spent = await timed(() => indexNames(hub, institutionId));
    say(`J7: names in ${spent.toFixed(1)} s`);
    ({ key } = await createApiKey(hub, institutionId, { role: 'steward', name: 'bench', actor: 'bench' }));
  } finally {
    await hub.close();
  }
  await connected(url, async (client) => {
    // As a run would have opened them, but for the disagreement.
    await client.query(
      `insert into concord.sync_conflict_resolutions (institution_id, job_id, opened_run, changed_run, kind, entity_type_id, golden_id,
         group_name, base, candidates, input_hash, due_at, subject_key)
       select g.institution_id, r.job_id, r.id, r.id, 'value', g.entity_type_id, g.id, 'phone', null,
         jsonb_build_array(
           jsonb_build_object('value', to_json('+41 ' || g.id)::text, 'images', jsonb_build_array(g.origin_image::text), 'systems', '["origin"]'::jsonb),
           jsonb_build_object('value', to_json('+49 ' || g.id)::text, 'images', '[]'::jsonb, 'systems', '["mirror"]'::jsonb)),
         md5(g.id::text)::uuid, r.started_at + make_interval(days => (g.id % 14)::int - 3), g.id
       from concord.golden_records g, (select id, job_id, started_at from concord.sync_runs order by id desc limit 1) r
       where g.id % 100 < ${String(questionsOfHundred)}`,
    );
    await client.query('vacuum (analyze)');
  });
  return { url, key };
};

interface Measured {
  readonly what: string;
  readonly times: readonly number[];
}

const measure = async (what: string, client: Client, of: (index: number) => Asked): Promise<Measured> => {
  const hasItems = (body: string): boolean => body.length > 20;
  await timesOf(warmUp, 1, (index) => client.ask(of(timedRequests + index), hasItems));
  return { what, times: await timesOf(timedRequests, lanes, (index) => client.ask(of(index), hasItems)) };
};

const milliseconds = (value: number): string => `${(value * 1000).toFixed(1)} ms`;

const latencyFigure = ({ what, times }: Measured, most: number, usage: Usage | null, content: string): Figure => {
  const [middle, late] = [percentile(times, 50), percentile(times, 95)];
  return {
    job: `J7 ${what} (${String(times.length)} requests, ${String(lanes)} at once)`,
    ...{ floor: '–', ours: `p50 ${milliseconds(middle)}, p95 ${milliseconds(late)}`, ratio: '–' },
    ...{ goal: `p95 ≤ ${milliseconds(most)}`, met: late <= most, worker: wordsOf(usage), content },
  };
};

/* Names, identifiers and keys as the large table has them; no two requests alike. */
const search = (rows: number, index: number): Asked => {
  const row = 1 + ((index * 7919) % rows);
  const ways = [
    `type=person&q=${encodeURIComponent(`okafor-${String(row % 9973)}`)}`,
    `type=person&q=${encodeURIComponent(`ama lindq`)}&limit=${String(20 + (index % 20))}`,
    `identifier=${encodeURIComponent(`reference:R${String(row).padStart(9, '0')}`)}`,
    `key=${encodeURIComponent(`origin:${String(row)}`)}`,
  ];
  return { method: 'GET', path: `${base}/golden-records?${ways[index % ways.length] ?? ''}` };
};

const record = (index: number): object => ({
  ...{ id: String(index), ref: `R${String(index)}`, given_name: 'Amara', family_name: 'Okafor' },
  ...{ birth_date: '1999-04-02', email: `p${String(index)}@lakeside.example`, phone: null, street: 'Old Mill Road 1' },
  ...{
    city: 'Chur',
    postcode: '7000',
    country: 'CH',
    kind: 'tuition',
    amount: '12.50',
    currency: 'CHF',
    active: 'true',
  },
  ...{ note: null, changed_at: '2026-01-01T00:00:00Z' },
});

/** Records a second that are checked one by one, each in a request of its own. */
const postsASecond = async (client: Client): Promise<number> => {
  const post = (index: number): Promise<number> =>
    client.ask({
      ...{ method: 'POST', path: `${base}/quality/validate` },
      body: JSON.stringify({ mapping: 'origin.source', records: [record(index)] }),
    });
  await timesOf(warmUp * 4, postLanes, post);
  const until = performance.now() + postSeconds * 1000;
  const start = performance.now();
  let count = 0;
  await Promise.all(
    Array.from({ length: postLanes }, async () => {
      while (performance.now() < until) {
        await post(count);
        count += 1;
      }
    }),
  );
  return count / ((performance.now() - start) / 1000);
};

/** Reading and validating over HTTP, by one API process. */
export const benchApi = async (site: BenchSite): Promise<Figure[]> => {
  const { environment, rows, say } = site;
  const { url, key } = await buildRecords(site);
  const apiPort = await freePort(0);
  const api = await startProgram({
    ...{ name: 'api', databaseUrl: url, temporalAddress: environment.temporalAddress, apiPort },
    folder: environment.folder,
    environment: {
      ...{ CONCORD_RATE_READ: unlimited, CONCORD_RATE_WRITE: unlimited, CONCORD_LOG_LEVEL: 'warn' },
    },
  });
  const client = clientOf(`http://127.0.0.1:${String(apiPort)}`, key, postLanes);
  try {
    const content = await connected(url, async (database) => {
      const { rows: found } = await database.query<{ golden: string; open: string }>(
        `select (select count(*) from concord.golden_records)::text as golden,
           (select count(*) from concord.sync_conflict_resolutions where state = 'open')::text as open`,
      );
      return `${found[0]?.golden ?? '0'} golden records, ${found[0]?.open ?? '0'} open questions`;
    });
    const figures: Figure[] = [];
    const measured = async (what: string, most: number, of: (index: number) => Asked): Promise<void> => {
      const before = usageOf(api.pid);
      const found = await measure(what, client, of);
      const figure = latencyFigure(found, most, between(before, usageOf(api.pid)), content);
      say(`${figure.job}: ${figure.ours}`);
      figures.push(figure);
    };
    await measured('overview', 0.1, () => ({ method: 'GET', path: `${base}/status/overview` }));
    await measured('golden search', 0.15, (index) => search(rows, index));
    await measured('inbox, a page', 0.15, (index) => ({
      method: 'GET',
      path: `${base}/conflicts/pending?limit=${String(50 + (index % 10))}`,
    }));
    const before = usageOf(api.pid);
    const rate = await postsASecond(client);
    figures.push({
      job: 'J7 validated POST (quality/validate, one record each)',
      ...{ floor: '–', ours: `${rate.toFixed(0)} POST/s`, ratio: '–', goal: '≥ 5000 POST/s', met: rate >= 5000 },
      ...{ worker: wordsOf(between(before, usageOf(api.pid))), content },
    });
    return figures;
  } finally {
    client.close();
    await api.stop();
  }
};
