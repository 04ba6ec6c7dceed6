import { createHash, randomUUID } from 'node:crypto';
import pg from 'pg';
import { allOf, connect, dataOf, itemsOf } from '../client/client.js';
import type { ConcordClient, Schemas } from '../client/client.js';
import { readConfig } from '../config/env.js';
import type { Config } from '../config/env.js';
import { LaunchError } from '../launch/launch-error.js';
import { freePort } from '../launch/ports.js';
import type { ServerProcess } from '../launch/server-process.js';
import type * as story from '../samples/lakeside/story-platform.js';
import { applyJudged, judgeFolder } from '../worker/apply-folder.js';
import { firstKeysOf, prepareDatabase, type FirstKeys } from '../worker/prepare.js';
import { runDueOn } from '../worker/temporal-tasks.js';
import { startProgram } from './programs.js';
import { until } from './until.js';

/** What Concord is started with for the demo. */
export interface DemoSetting {
  /** A database of its own as its owner, and Temporal. */
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  /** Follows ids and names of task queues: separates installations that share a Temporal namespace. */
  readonly scope: string;
  /** Where logs go. */
  readonly folder: string;
  /** The configuration to apply, and the secrets that it names. */
  readonly configurationFolder: string;
  readonly secrets: Readonly<Record<string, string>>;
  /** With which visitors sign in; absent: nobody does. */
  readonly password?: string;
}

export interface OpenDemoPlatform {
  readonly platform: story.DemoPlatform;
  /** Where a browser finds the API. */
  readonly apiUrl: string;
  close(): Promise<void>;
}

/** Yesterday at Lakeside: then day 2, on which people decide, is today. */
export const yesterday = (): string =>
  new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Zurich' }).format(new Date(Date.now() - 86_400_000));

/** Starts workers and API, applies the configuration, and speaks to them over HTTP with a secretary's and a steward's key. */
export const openDemoPlatform = async (setting: DemoSetting): Promise<OpenDemoPlatform> => {
  const { databaseUrl, temporalAddress, scope, folder } = setting;
  await prepareDatabase(databaseUrl);
  const apiPort = await freePort(0);
  const program = { databaseUrl, temporalAddress, scope, folder, apiPort, environment: setting.secrets };
  const api = { ...program.environment, ...passwordOf(setting) };
  const starting = Promise.allSettled([
    startProgram({ ...program, name: 'worker' }),
    startProgram({ ...program, environment: api, name: 'api' }),
  ]);
  const institution = await applyConfigurationOf(setting).catch((error: unknown) => ({ error }));
  const settled = await starting;
  const programs = settled.flatMap((one): ServerProcess[] => (one.status === 'fulfilled' ? [one.value] : []));
  const close = async (): Promise<void> => {
    await Promise.all(programs.map((each) => each.stop()));
  };
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed !== undefined || 'error' in institution) {
    await close();
    throw failed?.reason ?? ('error' in institution ? institution.error : undefined);
  }
  const database = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  const apiUrl = `http://127.0.0.1:${String(apiPort)}`;
  const { institutionId, keys } = institution;
  const platform = new HttpPlatform(
    {
      secretary: connect({ url: apiUrl, token: keys.secretary }),
      steward: connect({ url: apiUrl, token: keys.steward }),
    },
    database,
    { apiUrl, config: readConfig(), databaseUrl, temporalAddress, institutionId, scope },
  );
  return {
    platform,
    apiUrl,
    async close(): Promise<void> {
      await database.end();
      await close();
    },
  };
};

const passwordOf = ({ password }: DemoSetting): Readonly<Record<string, string>> =>
  password === undefined ? {} : { CONCORD_DEMO_PASSWORD_HASH: createHash('sha256').update(password).digest('hex') };

const applyConfigurationOf = async ({
  databaseUrl,
  configurationFolder,
}: DemoSetting): Promise<{ institutionId: number; keys: FirstKeys }> => {
  const { configuration, problems } = await judgeFolder(configurationFolder);
  if (configuration === null)
    throw new LaunchError(`The sample configuration is wrong: ${problems.map(({ reason }) => reason).join('; ')}`);
  const { institutionId } = await applyJudged(databaseUrl, configuration, 'demo');
  const keys = await firstKeysOf(databaseUrl, institutionId, 'demo');
  if (keys === null) throw new LaunchError('The database of the demo has been used before.');
  return { institutionId, keys };
};

interface Place {
  readonly apiUrl: string;
  readonly config: Config;
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly institutionId: number;
  readonly scope: string;
}

type Started = Pick<Schemas['StartedRunView'], 'runId' | 'workflowId'>;

interface RunCounts {
  readonly rows?: Readonly<Record<string, number>>;
  readonly summary?: { readonly goldenWrites: number; readonly targetWrites: number };
}

const patienceSeconds = 120;
/** Items of a page. */
const limit = 200;
const statusOfResult: Readonly<Record<string, number>> = { decided: 200, not_found: 404, choice_not_possible: 422 };

/** Concord as its users have it: over HTTP. Only digests, counts and the id behind a source's key are looked up past it. */
class HttpPlatform implements story.DemoPlatform {
  constructor(
    private readonly api: { readonly secretary: ConcordClient; readonly steward: ConcordClient },
    private readonly database: pg.Pool,
    private readonly place: Place,
  ) {}

  async startRun(job: string, asOf: string, { dryRun } = { dryRun: false }): Promise<story.RunReport> {
    const { secretary } = this.api;
    for await (const { id, definition } of itemsOf((cursor) =>
      secretary.GET('/jobs', { params: { query: { cursor } } }),
    )) {
      if (definition['name'] !== job) continue;
      return await this.whenOver(
        await dataOf(
          secretary.POST('/jobs/{jobId}/runs', {
            params: { path: { jobId: id }, header: newKey() },
            body: { asOf, dryRun },
          }),
        ),
      );
    }
    throw new Error(`There is no job ${job}.`);
  }

  async runDue(asOf: string): Promise<void> {
    await runDueOn(this.place, asOf, 'demo');
  }

  async rejected(runId: string): Promise<readonly story.RejectedReport[]> {
    return await allOf((cursor) =>
      this.api.secretary.GET('/runs/{runId}/rejected', { params: { path: { runId }, query: { limit, cursor } } }),
    );
  }

  async findings(runId: string): Promise<readonly story.FindingReport[]> {
    return await allOf((cursor) =>
      this.api.secretary.GET('/runs/{runId}/findings', { params: { path: { runId }, query: { limit, cursor } } }),
    );
  }

  async questions(): Promise<readonly story.QuestionReport[]> {
    const items = await allOf((cursor) =>
      this.api.secretary.GET('/conflicts/pending', { params: { query: { limit, cursor } } }),
    );
    return items.map((item) => this.toQuestion(item));
  }

  async heldChanges(): Promise<readonly story.HeldReport[]> {
    const items = await allOf((cursor) =>
      this.api.secretary.GET('/held-changes', { params: { query: { limit, cursor } } }),
    );
    return items.map(({ links, ...held }) => ({ ...held, link: this.linkTo(links) }));
  }

  async decide(decision: story.Decision): Promise<story.DecisionReply> {
    const { questionId, version, reason } = decision;
    const { data, error, response } = await this.api.secretary.POST('/conflicts/{conflictId}/decision', {
      params: { path: { conflictId: questionId } },
      body: { version, choice: await this.choiceOf(decision), reason },
    });
    if (data !== undefined)
      return { status: response.status, current: null, run: await this.whenCarriedOut(data.batchId) };
    const current = 'current' in error ? this.toQuestion(error.current as Schemas['ConflictView']) : null;
    return { status: response.status, current, run: null };
  }

  async decideBatch(decisions: readonly story.Decision[]): Promise<readonly story.DecisionReply[]> {
    const choices = await Promise.all(decisions.map((decision) => this.choiceOf(decision)));
    const { items } = await dataOf(
      this.api.secretary.POST('/conflicts/decisions:batch', {
        body: {
          decisions: decisions.map(({ questionId: conflictId, version, reason }, index) => ({
            ...{ conflictId, version, choice: choices[index] ?? {}, reason },
          })),
        },
      }),
    );
    const replies: story.DecisionReply[] = [];
    for (const { result, batchId, current } of items) {
      replies.push({
        status: statusOfResult[result] ?? 409,
        current: current === null ? null : this.toQuestion(current),
        run: batchId === null ? null : await this.whenCarriedOut(batchId),
      });
    }
    return replies;
  }

  async release(held: story.HeldReport, reason: string): Promise<story.RunReport> {
    const { batchId } = await dataOf(
      this.api.steward.POST('/held-changes/{heldId}/release', {
        params: { path: { heldId: held.id } },
        body: { version: held.version, reason },
      }),
    );
    return await this.whenCarriedOut(batchId);
  }

  async previewRollback(runId: string): Promise<story.RollbackPreviewReport> {
    const { previewHash, runs, reversed, kept } = await dataOf(
      this.api.steward.POST('/runs/{runId}/rollback/preview', { params: { path: { runId } } }),
    );
    return { hash: previewHash, runs: runs.map((run) => ({ id: run.runId, kind: run.kind })), reversed, kept };
  }

  async rollBack(
    runId: string,
    { hash: previewHash }: story.RollbackPreviewReport,
    reason: string,
  ): Promise<story.RunReport> {
    return await this.whenOver(
      await dataOf(
        this.api.steward.POST('/runs/{runId}/rollback', {
          params: { path: { runId }, header: newKey() },
          body: { previewHash, reason },
        }),
      ),
    );
  }

  async findRecord(entityType: string, mapping: string, sourceKey: string): Promise<story.RecordReport | null> {
    const { rows } = await this.database.query<{ id: string }>(
      `select i.golden_id as id from concord.record_images i
         join concord.cross_system_mappings m on m.id = i.mapping_id
         join concord.entity_types t on t.id = i.entity_type_id
       where i.institution_id = $1 and t.name = $2 and m.name = $3 and i.source_key = $4 order by i.sub_key limit 1`,
      [this.place.institutionId, entityType, mapping, sourceKey],
    );
    const [row] = rows;
    if (row === undefined) return null;
    const golden = await dataOf(
      this.api.steward.GET('/golden-records/{goldenId}', { params: { path: { goldenId: row.id } } }),
    );
    return {
      id: golden.id,
      status: golden.status,
      values: Object.fromEntries(golden.groups.map(({ name, value }) => [name, value])),
      sources: golden.sources.filter(({ deleted }) => !deleted).map((source) => source.mapping),
    };
  }

  async goldenCounts(): Promise<Readonly<Record<string, number>>> {
    const { rows } = await this.database.query<{ name: string; count: number }>(
      `select t.name, count(*)::int as count from concord.golden_records g join concord.entity_types t on t.id = g.entity_type_id
       where g.institution_id = $1 and g.status = 'active' group by t.name`,
      [this.place.institutionId],
    );
    return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
  }

  async goldenDigest(): Promise<string> {
    const digest = createHash('sha256');
    for (const sql of digestQueries) {
      const { rows } = await this.database.query<{ digest: string | null }>(sql, [this.place.institutionId]);
      digest.update(rows[0]?.digest ?? '');
    }
    return digest.digest('hex');
  }

  /** A system that is no candidate is one whose value stands. */
  private async choiceOf({ questionId, take }: story.Decision): Promise<{ take: string } | { keep: true }> {
    const { candidates } = await dataOf(
      this.api.secretary.GET('/conflicts/{conflictId}', { params: { path: { conflictId: questionId } } }),
    );
    return candidates.some(({ systems }) => systems.includes(take)) ? { take } : { keep: true };
  }

  private async whenOver({ runId, workflowId }: Started): Promise<story.RunReport> {
    const { secretary } = this.api;
    const id =
      runId ??
      (await until(`The run of ${workflowId}`, patienceSeconds, async () => {
        const { items } = await dataOf(secretary.GET('/runs', { params: { query: { workflowId } } }));
        return items[0]?.id ?? null;
      }));
    const run = await until(`The end of run ${id}`, patienceSeconds, async () => {
      const found = await dataOf(secretary.GET('/runs/{runId}', { params: { path: { runId: id } } }));
      return found.finishedAt === null ? null : found;
    });
    return this.toReport(run);
  }

  private async whenCarriedOut(batchId: string): Promise<story.RunReport> {
    const runId = await until(`Decision ${batchId}`, patienceSeconds, async () => {
      const batch = await dataOf(this.api.secretary.GET('/decisions/{batchId}', { params: { path: { batchId } } }));
      return batch.state === 'pending' ? null : batch.runId;
    });
    return await this.whenOver({ runId, workflowId: '' });
  }

  private toReport(run: Schemas['RunView']): story.RunReport {
    if (run.error !== null) {
      process.stderr.write(`Run ${run.id} (${run.kind}): ${run.error.code}: ${run.error.detail ?? ''}\n`);
    }
    const { rows, summary } = run.counts as RunCounts;
    return {
      ...{ id: run.id, kind: run.kind, state: run.state },
      balanced: run.balance?.balances ?? false,
      rows: rows ?? {},
      goldenWrites: summary?.goldenWrites ?? 0,
      targetWrites: summary?.targetWrites ?? 0,
      link: this.linkTo(run.links),
    };
  }

  private toQuestion(item: Schemas['ConflictView']): story.QuestionReport {
    const { id, type: kind, goldenId, group, version, candidates, links } = item;
    return { id, kind, goldenId, group, version, candidates, link: this.linkTo(links) };
  }

  private linkTo(links: Readonly<Record<string, string>>): string {
    return `${this.place.apiUrl}${links['self'] ?? ''}`;
  }
}

const newKey = () => ({ 'Idempotency-Key': randomUUID() });

/* What is true and what the sources say: not when, by which run, or in which version. */
const digestQueries = [
  `select md5(string_agg(md5(concat_ws('|', id, entity_type_id, values::text, status, valid_from, valid_to)), '' order by id)) as digest
   from concord.golden_records where institution_id = $1 and status = 'active'`,
  `select md5(string_agg(md5(concat_ws('|', i.golden_id, i.statements::text, i.states)), ''
       order by i.mapping_id, i.entity_type_id, i.source_key, i.sub_key)) as digest
   from concord.record_images i join concord.cross_system_mappings m on m.id = i.mapping_id
   where i.institution_id = $1 and i.deleted_run is null and m.definition ? 'source'`,
];
