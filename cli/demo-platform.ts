import { createHash, randomUUID } from 'node:crypto';
import pg from 'pg';
import { readConfig } from '../config/env.js';
import type { Config } from '../config/env.js';
import { LaunchError } from '../launch/launch-error.js';
import { freePort } from '../launch/ports.js';
import type { ServerProcess } from '../launch/server-process.js';
import type * as story from '../samples/lakeside/story-platform.js';
import { applyJudged, judgeFolder } from '../worker/apply-folder.js';
import { createFirstKeys, prepareDatabase } from '../worker/prepare.js';
import { runDueOn } from '../worker/temporal-tasks.js';
import { ApiClient, until } from './api-client.js';
import { startProgram } from './programs.js';

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
  const starting = Promise.allSettled([
    startProgram({ ...program, name: 'worker' }),
    startProgram({ ...program, name: 'api' }),
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
    { secretary: new ApiClient(apiUrl, keys.secretary), steward: new ApiClient(apiUrl, keys.steward) },
    database,
    { config: readConfig(), databaseUrl, temporalAddress, institutionId, scope },
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

const applyConfigurationOf = async ({
  databaseUrl,
  configurationFolder,
}: DemoSetting): Promise<{ institutionId: number; keys: Awaited<ReturnType<typeof createFirstKeys>> }> => {
  const { configuration, problems } = await judgeFolder(configurationFolder);
  if (configuration === null)
    throw new LaunchError(`The sample configuration is wrong: ${problems.map(({ reason }) => reason).join('; ')}`);
  const { institutionId } = await applyJudged(databaseUrl, configuration, 'demo');
  return { institutionId, keys: await createFirstKeys(databaseUrl, institutionId, 'demo') };
};

interface Links {
  readonly self: string;
}

interface RunBody {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly finishedAt: string | null;
  readonly counts: {
    readonly rows?: Readonly<Record<string, number>>;
    readonly summary?: { readonly goldenWrites: number; readonly targetWrites: number };
  };
  readonly balance: { readonly balances: boolean } | null;
  readonly error: { readonly code: string; readonly detail: string | null } | null;
  readonly links: Links;
}

interface StartedBody {
  readonly runId: string | null;
  readonly workflowId: string;
}

interface ConflictBody {
  readonly id: string;
  readonly type: string;
  readonly goldenId: string;
  readonly group: string;
  readonly version: number;
  readonly candidates: readonly { readonly systems: readonly string[] }[];
  readonly links: Links;
}

interface HeldBody extends Omit<story.HeldReport, 'link'> {
  readonly links: Links;
}

interface BatchBody {
  readonly state: 'pending' | 'applied' | 'failed';
  readonly runId: string | null;
}

interface ResultsBody {
  readonly items: readonly {
    readonly result: string;
    readonly batchId: string | null;
    readonly current: ConflictBody | null;
  }[];
}

interface PreviewBody {
  readonly previewHash: string;
  readonly runs: readonly { readonly runId: string; readonly kind: string }[];
  readonly reversed: number;
  readonly kept: readonly { readonly group: string; readonly reason: string }[];
}

interface GoldenBody {
  readonly id: string;
  readonly status: string;
  readonly groups: readonly { readonly name: string; readonly value: unknown }[];
  readonly sources: readonly { readonly mapping: string; readonly deleted: boolean }[];
}

interface Place {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly institutionId: number;
  readonly scope: string;
}

const patienceSeconds = 120;
const statusOfResult: Readonly<Record<string, number>> = { decided: 200, not_found: 404, choice_not_possible: 422 };

/** Concord as its users have it: over HTTP. Only digests, counts and the id behind a source's key are looked up past it. */
class HttpPlatform implements story.DemoPlatform {
  constructor(
    private readonly api: { readonly secretary: ApiClient; readonly steward: ApiClient },
    private readonly database: pg.Pool,
    private readonly place: Place,
  ) {}

  async startRun(job: string, asOf: string): Promise<story.RunReport> {
    const { secretary } = this.api;
    const jobs = await secretary.list<{ id: string; definition: { name: string } }>('jobs');
    const found = jobs.find(({ definition }) => definition.name === job);
    if (found === undefined) throw new Error(`There is no job ${job}.`);
    return await this.whenOver(await secretary.post<StartedBody>(`jobs/${found.id}/runs`, { asOf }, newKey()));
  }

  async runDue(asOf: string): Promise<void> {
    await runDueOn(this.place, asOf, 'demo');
  }

  async rejected(runId: string): Promise<readonly story.RejectedReport[]> {
    return await this.api.secretary.list(`runs/${runId}/rejected`);
  }

  async findings(runId: string): Promise<readonly story.FindingReport[]> {
    return await this.api.secretary.list(`runs/${runId}/findings`);
  }

  async questions(): Promise<readonly story.QuestionReport[]> {
    const items = await this.api.secretary.list<ConflictBody>('conflicts/pending');
    return items.map((item) => this.toQuestion(item));
  }

  async heldChanges(): Promise<readonly story.HeldReport[]> {
    const items = await this.api.secretary.list<HeldBody>('held-changes');
    return items.map(({ links, ...held }) => ({ ...held, link: this.api.secretary.linkTo(links.self) }));
  }

  async decide(decision: story.Decision): Promise<story.DecisionReply> {
    const { questionId, version, reason } = decision;
    const choice = await this.choiceOf(decision);
    const reply = await this.api.secretary.send(`conflicts/${questionId}/decision`, { version, choice, reason });
    const body = reply.body as { batchId?: string; current?: ConflictBody };
    const current = body.current === undefined ? null : this.toQuestion(body.current);
    const run = reply.status === 200 && body.batchId !== undefined ? await this.whenCarriedOut(body.batchId) : null;
    return { status: reply.status, current, run };
  }

  async decideBatch(decisions: readonly story.Decision[]): Promise<readonly story.DecisionReply[]> {
    const choices = await Promise.all(decisions.map((decision) => this.choiceOf(decision)));
    const { items } = await this.api.secretary.post<ResultsBody>('conflicts/decisions:batch', {
      decisions: decisions.map(({ questionId: conflictId, version, reason }, index) => ({
        ...{ conflictId, version, choice: choices[index], reason },
      })),
    });
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
    const path = `held-changes/${held.id}/release`;
    const { batchId } = await this.api.steward.post<{ batchId: string }>(path, { version: held.version, reason });
    return await this.whenCarriedOut(batchId);
  }

  async previewRollback(runId: string): Promise<story.RollbackPreviewReport> {
    const path = `runs/${runId}/rollback/preview`;
    const { previewHash, runs, reversed, kept } = await this.api.steward.post<PreviewBody>(path, undefined);
    return { hash: previewHash, runs: runs.map((run) => ({ id: run.runId, kind: run.kind })), reversed, kept };
  }

  async rollBack(
    runId: string,
    { hash: previewHash }: story.RollbackPreviewReport,
    reason: string,
  ): Promise<story.RunReport> {
    const path = `runs/${runId}/rollback`;
    return await this.whenOver(await this.api.steward.post<StartedBody>(path, { previewHash, reason }, newKey()));
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
    const golden = await this.api.steward.get<GoldenBody>(`golden-records/${row.id}`);
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
    const { candidates } = await this.api.secretary.get<ConflictBody>(`conflicts/${questionId}`);
    return candidates.some(({ systems }) => systems.includes(take)) ? { take } : { keep: true };
  }

  private async whenOver({ runId, workflowId }: StartedBody): Promise<story.RunReport> {
    const { secretary } = this.api;
    const path = `runs?workflowId=${encodeURIComponent(workflowId)}`;
    const id =
      runId ??
      (await until(`The run of ${workflowId}`, patienceSeconds, async () => {
        const [run] = await secretary.list<{ id: string }>(path);
        return run?.id ?? null;
      }));
    const run = await until(`The end of run ${id}`, patienceSeconds, async () => {
      const found = await secretary.get<RunBody>(`runs/${id}`);
      return found.finishedAt === null ? null : found;
    });
    return this.toReport(run);
  }

  private async whenCarriedOut(batchId: string): Promise<story.RunReport> {
    const runId = await until(`Decision ${batchId}`, patienceSeconds, async () => {
      const batch = await this.api.secretary.get<BatchBody>(`decisions/${batchId}`);
      return batch.state === 'pending' ? null : batch.runId;
    });
    return await this.whenOver({ runId, workflowId: '' });
  }

  private toReport(run: RunBody): story.RunReport {
    if (run.error !== null) {
      process.stderr.write(`Run ${run.id} (${run.kind}): ${run.error.code}: ${run.error.detail ?? ''}\n`);
    }
    return {
      ...{ id: run.id, kind: run.kind, state: run.state },
      balanced: run.balance?.balances ?? false,
      rows: run.counts.rows ?? {},
      goldenWrites: run.counts.summary?.goldenWrites ?? 0,
      targetWrites: run.counts.summary?.targetWrites ?? 0,
      link: this.api.secretary.linkTo(run.links.self),
    };
  }

  private toQuestion(item: ConflictBody): story.QuestionReport {
    const { id, type: kind, goldenId, group, version, candidates, links } = item;
    return { id, kind, goldenId, group, version, candidates, link: this.api.secretary.linkTo(links.self) };
  }
}

const newKey = (): Readonly<Record<string, string>> => ({ 'idempotency-key': randomUUID() });

/* What is true and what the sources say: not when, by which run, or in which version. */
const digestQueries = [
  `select md5(string_agg(md5(concat_ws('|', id, entity_type_id, values::text, status, valid_from, valid_to)), '' order by id)) as digest
   from concord.golden_records where institution_id = $1 and status = 'active'`,
  `select md5(string_agg(md5(concat_ws('|', i.golden_id, i.statements::text, i.states)), ''
       order by i.mapping_id, i.entity_type_id, i.source_key, i.sub_key)) as digest
   from concord.record_images i join concord.cross_system_mappings m on m.id = i.mapping_id
   where i.institution_id = $1 and i.deleted_run is null and m.definition ? 'source'`,
];
