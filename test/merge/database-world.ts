import pg from 'pg';
import { ConfigurationCache } from '../../activities/context.js';
import type { ActivityDependencies } from '../../activities/dependencies.js';
import type { OpenRunInput, SyncActivities } from '../../activities/contract.js';
import { createApply } from '../../activities/apply.js';
import { createDiff } from '../../activities/diff.js';
import { createExtract } from '../../activities/extract.js';
import { createGuard } from '../../activities/guard.js';
import { createLive } from '../../activities/live.js';
import { createMatch } from '../../activities/match.js';
import { createNames } from '../../activities/names.js';
import { createMerge } from '../../activities/merge.js';
import { createPublish } from '../../activities/publish.js';
import { createRollback } from '../../activities/rollback.js';
import { createRuns } from '../../activities/runs.js';
import { createStageBatch } from '../../activities/stage-batch.js';
import { createStandardize } from '../../activities/standardize.js';
import { createVerify } from '../../activities/verify.js';
import { createConnector } from '../../connectors/registry.js';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import { createHub, type Hub } from '../../database/hub.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import type { RunRef } from '../../domain/run.js';
import { ABSENT, type Expectation, type Scenario, type ScenarioWorld, type Step, type Value } from './scenario.js';

export type Activities = Omit<SyncActivities, 'post' | 'copyStores' | 'notePlan'>;

/** The activities over their dependencies, called by a test itself instead of by a workflow. */
export const directActivities = (hub: Hub, over: Partial<ActivityDependencies> = {}): Activities => {
  const dependencies: ActivityDependencies = {
    hub,
    configurations: new ConfigurationCache(hub),
    openConnector: ({ kind, settings }) => createConnector(kind, settings),
    heartbeat: () => undefined,
    cancelled: () => undefined,
    crashPoint: () => undefined,
    ...over,
  };
  return {
    ...createRuns(dependencies),
    ...createExtract(dependencies),
    ...createDiff(dependencies),
    ...createGuard(dependencies),
    ...createStandardize(dependencies),
    ...createMatch(dependencies),
    ...createMerge(dependencies),
    ...createApply(dependencies),
    ...createStageBatch(dependencies),
    ...createPublish(dependencies),
    ...createVerify(dependencies),
    ...createRollback(dependencies),
    ...createLive(dependencies),
    ...createNames(dependencies),
  };
};

/** How a run is carried out: by calling the activities in their order, or by starting a workflow. */
export interface Conductor {
  sync(institutionId: number, jobId: number): Promise<string>;
  settle(institutionId: number, jobId: number, batchId: string, kind: 'decision' | 'release'): Promise<string>;
  rollback(institutionId: number, jobId: number, runId: string): Promise<string>;
}

/** The procedure of the workflows without their patience. */
export class DirectConductor implements Conductor {
  private count = 0;

  constructor(private readonly activities: Activities) {}

  private async open(input: Omit<OpenRunInput, 'actor' | 'asOf'>): Promise<RunRef> {
    this.count += 1;
    const opened = await this.activities.openRun({
      ...input,
      actor: 'test',
      asOf: '2026-01-15',
      workflowId: `direct-${process.pid}-${this.count}-${Math.trunc(performance.now() * 1000)}`,
    });
    if (!('opened' in opened)) throw new Error('the job is occupied');
    return opened.opened;
  }

  private async finish(run: RunRef, types: readonly number[]): Promise<void> {
    for (const type of types) {
      await this.activities.match(run, type);
      await this.activities.merge(run, type);
      await this.activities.apply(run, type);
    }
    const targets = await this.activities.listTargets(run);
    for (const target of targets) await this.activities.publish(run, target);
    for (const target of targets) await this.activities.verify(run, target);
    await this.activities.closeRun(run, 'completed');
    await this.activities.dropStaging(run);
  }

  async sync(institutionId: number, jobId: number): Promise<string> {
    return this.resume(await this.open({ institutionId, jobId, kind: 'sync' }));
  }

  /** A run from its beginning, or where it reads anew. */
  async resume(run: RunRef): Promise<string> {
    const { activities } = this;
    const plan = await activities.planExtract(run);
    for (const partition of plan.partitions) await activities.extract(run, partition);
    await activities.diff(run);
    await activities.guard(run);
    const { entityTypes } = await activities.standardize(run);
    await this.finish(run, entityTypes);
    return run.runId;
  }

  async settle(institutionId: number, jobId: number, batchId: string, kind: 'decision' | 'release'): Promise<string> {
    const parent = await this.parentOf(institutionId, batchId);
    const run = await this.open({
      institutionId,
      jobId,
      kind,
      batchId,
      ...(parent === null ? {} : { parentRunId: parent }),
    });
    const { entityTypes } = await this.activities.stageBatch(run);
    await this.finish(run, entityTypes);
    return run.runId;
  }

  /** Set by the world, which knows the database. */
  parentOf: (institutionId: number, batchId: string) => Promise<string | null> = () => Promise.resolve(null);

  async rollback(institutionId: number, jobId: number, runId: string): Promise<string> {
    const run = await this.open({ institutionId, jobId, kind: 'rollback', rollbackOf: runId });
    const { runIds } = await this.activities.planRollback(run);
    for (const id of runIds) {
      await this.activities.rollBackTargets(run, id);
      await this.activities.rollBackGolden(run, id);
    }
    await this.activities.closeRun(run, 'completed');
    await this.activities.dropStaging(run);
    return run.runId;
  }
}

const key = 'thing-1';

/** A scenario's systems as tables of one database: id and value; an absent row is an absent record, null is explicitly empty. */
const configurationOf = (scenario: Scenario, code: string, url: string): Configuration => {
  const systems = Object.keys(scenario.systems);
  const sources = systems.filter((name) => scenario.systems[name]?.includes('source'));
  const targets = systems.filter((name) => scenario.systems[name]?.includes('target'));
  const mappings = systems.map((name): MappingDefinition => {
    const base = { name: `${name}.${code}_${name}`, system: name, entity: `${code}_${name}` };
    const source = {
      columns: ['id', 'v'],
      key: ['id'],
      records: [{ entityType: 'thing', groups: { key: { from: 'id' }, v: { from: 'v', blank: 'empty' as const } } }],
    };
    const target = {
      root: 'thing',
      key: [{ column: 'id', from: 'key' }],
      columns: [
        { column: 'id', from: 'key' },
        { column: 'v', from: 'v' },
      ],
      recipientClass: 'staff',
      create: true,
    };
    return { ...base, ...(sources.includes(name) ? { source } : {}), ...(targets.includes(name) ? { target } : {}) };
  });
  const nameOf = (system: string): string => `${system}.${code}_${system}`;
  const subsets = powerSet(sources);
  return {
    institution: { code, name: code, timeZone: 'UTC' },
    systems: systems.map((name) => ({ name, kind: 'postgresql', settings: { url } })),
    entityTypes: [
      {
        name: 'thing',
        kind: 'reconciled',
        subject: 'none',
        naturalKey: ['key'],
        groups: [
          { name: 'key', attributes: [{ name: 'key', type: 'text' }], strategy: 'source_priority', priority: [] },
          {
            name: 'v',
            attributes: [{ name: 'v', type: 'text' }],
            strategy: scenario.strategy,
            fallback: 'source_priority',
            priority: scenario.priority,
            reassertion: 'reassert',
            ...(scenario.authority === null ? {} : { authority: [{ systems: scenario.authority }] }),
          },
        ],
      },
    ],
    mappings,
    codeTables: [],
    jobs: subsets.map((subset) => ({
      name: `read-${subset.join('-')}`,
      sources: subset.map(nameOf),
      targets: targets.map(nameOf),
      partitions: 1,
    })),
  };
};

const powerSet = (items: readonly string[]): string[][] =>
  items
    .reduce<string[][]>((sets, item) => [...sets, ...sets.map((set) => [...set, item])], [[]])
    .filter((set) => set.length > 0);

/** The run that a batch of decisions is about. */
export const parentOfBatch = (hub: Hub, institutionId: number, batchId: string): Promise<string | null> =>
  hub.read(institutionId, async (client) => {
    const { rows } = await client.query<{ id: string | null }>(
      'select parent_run_id::text as id from decision_batches where id = $1',
      [batchId],
    );
    return rows[0]?.id ?? null;
  });

export interface NewBatch {
  readonly institutionId: number;
  readonly jobId: number;
  readonly kind: string;
  readonly parent: string | null;
  readonly items: readonly object[];
}

/** What a person decided, as the API stores it. */
export const insertBatch = async (
  client: pg.PoolClient,
  { institutionId, jobId, kind, parent, items }: NewBatch,
): Promise<string> => {
  const { rows } = await client.query<{ id: string }>(
    `insert into decision_batches (institution_id, job_id, kind, parent_run_id, actor, items) values ($1, $2, $3, $4, 'test', $5) returning id::text`,
    [institutionId, jobId, kind, parent, JSON.stringify(items)],
  );
  return rows[0]?.id ?? '';
};

type Choice = { readonly take: string } | { readonly keep: true } | { readonly value: Value };

/** A decision of a question about a value, as it is stored. */
export const choiceOf = ({ take, keep, value }: NonNullable<Step['decide']>): Choice =>
  take !== undefined ? { take } : keep === true ? { keep } : { value: value ?? null };

export interface StoredCandidate {
  readonly value: string;
  readonly systems: readonly string[];
}

/** Candidates of a question: value → systems. */
export const candidatesOf = (candidates: readonly StoredCandidate[]): Record<string, string[]> =>
  Object.fromEntries(
    candidates.map(({ value, systems }) => [(JSON.parse(value) as Value) ?? '(empty)', [...systems].sort()]),
  );

/** One scenario on real PostgreSQL, each system a table. */
export class DatabaseWorld implements ScenarioWorld {
  private readonly runs: string[] = [];
  private last: string | null = null;
  private institutionId = 0;
  private jobs = new Map<string, number>();

  private constructor(
    private readonly scenario: Scenario,
    private readonly hub: Hub,
    private readonly systems: pg.Client,
    private readonly conductor: Conductor,
    private readonly code: string,
  ) {}

  static async open(
    scenario: Scenario,
    url: string,
    code: string,
    conductorOf: (hub: Hub) => Conductor,
  ): Promise<DatabaseWorld> {
    const hub = createHub({ url, role: 'concord_worker', max: 8 });
    const systems = new pg.Client({ connectionString: url });
    await systems.connect();
    const conductor = conductorOf(hub);
    const world = new DatabaseWorld(scenario, hub, systems, conductor, code);
    for (const name of Object.keys(scenario.systems)) {
      await systems.query(`create table public.${code}_${name} (id text primary key, v text)`);
      // Another record, so that a source from which ours is deleted is not an empty one.
      if (scenario.systems[name]?.includes('source') === true)
        await systems.query(`insert into public.${code}_${name} values ('other', 'F')`);
    }
    const applied = await applyConfiguration(hub, configurationOf(scenario, code, url), 'test');
    world.institutionId = applied.institutionId;
    const loaded = await loadConfiguration(hub, applied.institutionId);
    world.jobs = new Map(loaded.jobs.map((job) => [job.definition.name, job.id]));
    if (conductor instanceof DirectConductor) conductor.parentOf = (id, batch) => parentOfBatch(hub, id, batch);
    return world;
  }

  async close(): Promise<void> {
    await this.systems.end();
    await this.hub.close();
  }

  async edit(values: Readonly<Record<string, Value>>): Promise<void> {
    this.last = null;
    for (const [system, value] of Object.entries(values)) {
      const table = `public.${this.code}_${system}`;
      if (value === ABSENT) await this.systems.query(`delete from ${table} where id = $1`, [key]);
      else
        await this.systems.query(`insert into ${table} values ($1, $2) on conflict (id) do update set v = excluded.v`, [
          key,
          value,
        ]);
    }
  }

  private jobOf(systems: readonly string[]): number {
    const sources = Object.keys(this.scenario.systems).filter((name) => systems.includes(name));
    return this.jobs.get(`read-${sources.join('-')}`) ?? 0;
  }

  private done(runId: string): void {
    this.runs.push(runId);
    this.last = runId;
  }

  async run(systems: readonly string[]): Promise<void> {
    this.done(await this.conductor.sync(this.institutionId, this.jobOf(systems)));
  }

  async decide(decision: NonNullable<Step['decide']>): Promise<void> {
    const { batchId, jobId, kind } = await this.hub.transaction(this.institutionId, (client) =>
      this.decideIn(client, decision),
    );
    this.done(await this.conductor.settle(this.institutionId, jobId, batchId, kind));
  }

  /** What the API's transaction does, for one question. */
  private async decideIn(
    client: pg.PoolClient,
    decision: NonNullable<Step['decide']>,
  ): Promise<{ batchId: string; jobId: number; kind: 'decision' | 'release' }> {
    const held = decision.apply !== undefined;
    const { rows } = await client.query<{ id: string; job: number; run: string }>(
      held
        ? `select id::text, job_id as job, run_id::text as run from held_changes where state = 'held'`
        : `select id::text, job_id as job, opened_run::text as run from sync_conflict_resolutions where state = 'open'`,
    );
    const [open] = rows;
    if (open === undefined) throw new Error('there is no question to decide');
    const kind = decision.apply === true ? 'release' : held ? 'discard' : 'decision';
    const choice = choiceOf(decision);
    const value = 'value' in choice ? { value: JSON.stringify(choice.value) } : {};
    const items = held ? [{ heldId: open.id }] : [{ conflictId: open.id, choice, ...value }];
    const { institutionId } = this;
    const batchId = await insertBatch(client, { institutionId, jobId: open.job, kind, parent: open.run, items });
    if (held) {
      await client.query(`update held_changes set state = $2, batch_id = $3, decided_by = 'test' where id = $1`, [
        open.id,
        decision.apply === true ? 'released' : 'discarded',
        batchId,
      ]);
    } else {
      await client.query(
        `update sync_conflict_resolutions set state = 'decided', decision = $2, batch_id = $3, decided_by = 'test' where id = $1`,
        [open.id, JSON.stringify({ choice }), batchId],
      );
    }
    return { batchId, jobId: open.job, kind: kind === 'release' ? 'release' : 'decision' };
  }

  async override(value: Value): Promise<void> {
    const jobId = [...this.jobs.values()].at(-1) ?? 0;
    const batchId = await this.hub.transaction(this.institutionId, async (client) => {
      const { rows } = await client.query<{ id: string }>('select id::text from golden_records where values[1] = $1', [
        JSON.stringify(key),
      ]);
      const items = [{ goldenId: rows[0]?.id, group: 'v', value: JSON.stringify(value) }];
      const { institutionId } = this;
      return insertBatch(client, { institutionId, jobId, kind: 'override', parent: null, items });
    });
    this.done(await this.conductor.settle(this.institutionId, jobId, batchId, 'decision'));
  }

  async rollback(run: number): Promise<void> {
    const jobId = [...this.jobs.values()].at(-1) ?? 0;
    this.done(await this.conductor.rollback(this.institutionId, jobId, this.runs[run] ?? ''));
  }

  async observe(): Promise<Expectation> {
    const actual: Record<string, Value> = {};
    for (const system of Object.keys(this.scenario.systems)) {
      const { rows } = await this.systems.query<{ v: Value }>(
        `select v from public.${this.code}_${system} where id = $1`,
        [key],
      );
      actual[system] = rows[0] === undefined ? ABSENT : rows[0].v;
    }
    return this.hub.read(this.institutionId, async (client) => ({
      golden: await this.golden(client),
      question: await this.question(client),
      actual,
      findings: await this.findings(client),
    }));
  }

  private async golden(client: pg.PoolClient): Promise<Value> {
    const { rows } = await client.query<{ v: string | null }>(
      `select values[2] as v from golden_records where status = 'active' and values[1] = $1`,
      [JSON.stringify(key)],
    );
    const stated = rows[0]?.v ?? null;
    return stated === null ? ABSENT : (JSON.parse(stated) as Value);
  }

  private async question(client: pg.PoolClient): Promise<Expectation['question']> {
    const value = await client.query<{ candidates: readonly StoredCandidate[] }>(
      `select candidates from sync_conflict_resolutions where state = 'open' and group_name = 'v'`,
    );
    const [open] = value.rows;
    if (open !== undefined) {
      return {
        kind: 'value',
        candidates: candidatesOf(open.candidates),
      };
    }
    const held = await client.query<{ system: string; raw: string | null }>(
      `select s.name as system, r.raw from held_rows r join held_changes h on h.id = r.held_id join cross_system_mappings m on m.id = r.mapping_id
       join data_source_configurations s on s.id = m.system_id where h.state = 'held' order by s.name`,
    );
    if (held.rows.length === 0) return null;
    const candidates: Record<string, string[]> = {};
    for (const { system, raw } of held.rows) {
      const cell = raw === null ? ABSENT : ((JSON.parse(raw) as Value[])[1] ?? '(empty)');
      candidates[cell] = [...(candidates[cell] ?? []), system];
    }
    return { kind: 'rolled_back_input', candidates };
  }

  private async findings(client: pg.PoolClient): Promise<string[]> {
    if (this.last === null) return [];
    const { rows } = await client.query<{ kind: string; system: string | null }>(
      `select distinct f.kind, s.name as system from findings f left join data_source_configurations s on s.id = f.system_id
       where f.run_id = $1 and (f.field is distinct from 'key')`,
      [this.last],
    );
    return rows.map(({ kind, system }) => `${kind}:${system ?? 'golden'}`).sort();
  }
}
