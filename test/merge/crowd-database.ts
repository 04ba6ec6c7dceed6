import type pg from 'pg';
import type { Connector } from '../../connectors/capabilities.js';
import { createConnector } from '../../connectors/registry.js';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import { SyncError } from '../../domain/errors.js';
import type { Stores } from '../harness/stores.js';
import { configurationOf, tableOf } from './crowd-configuration.js';
import { sightsInDatabase, type Sight } from './crowd-sight.js';
import { keyOf, type Crowd, type CrowdStep, type Keeping } from './crowd.js';
import {
  choiceOf,
  DirectConductor,
  directActivities,
  insertBatch,
  parentOfBatch,
  type NewBatch,
} from './database-world.js';
import { systemsOf } from './histories.js';
import { ABSENT, type Scenario, type Value } from './scenario.js';

/** A connector to a system that cannot be read just now: it drops out of the run alone. */
const unreachable = (connector: Connector): Connector => ({
  ...connector,
  catalogue: {
    ...connector.catalogue,
    describeEntity: () => Promise.reject(new SyncError('source_schema_changed', 'not now')),
  },
});

/** A crowd on PostgreSQL, played by the real activities. */
export class CrowdInDatabase {
  private readonly runs: string[] = [];
  private readonly conductor: DirectConductor;
  private last: string | null = null;
  private institutionId = 0;
  private jobId = 0;
  /** The sources that the run reads which is being planned; null: all. */
  private reading: readonly string[] | null = null;

  private constructor(
    private readonly scenario: Scenario,
    private readonly size: number,
    private readonly kind: Keeping['kind'],
    private readonly hub: Hub,
    private readonly systems: pg.Client,
    private readonly code: string,
    chunks: boolean,
  ) {
    const activities = directActivities(hub, {
      openConnector: ({ name, kind, settings }) => {
        const connector = createConnector(kind, settings);
        return this.reading?.includes(name) === false ? unreachable(connector) : connector;
      },
      ...(chunks ? { fewestInChunks: 1 } : {}),
    });
    this.conductor = new DirectConductor({
      ...activities,
      planExtract: async (run) => {
        try {
          return await activities.planExtract(run);
        } finally {
          this.reading = null;
        }
      },
    });
    this.conductor.parentOf = (id, batchId) => parentOfBatch(hub, id, batchId);
  }

  /** @param code what its institution and its tables are called by */
  static async open(
    { scenario, keeping, size }: Crowd,
    { hub, systems, database }: Stores,
    code: string,
  ): Promise<CrowdInDatabase> {
    const crowd = new CrowdInDatabase(scenario, size, keeping.kind, hub, systems, code, keeping.chunks);
    for (const system of systemsOf(scenario)) {
      await systems.query(`create table public.${tableOf(code, system)} (id text primary key, v text, name text)`);
      // Another record, so that a source from which all of ours are deleted is not an empty one.
      if (systemsOf(scenario, 'source').includes(system)) await crowd.edit(system, 'other', 'F');
    }
    const { institutionId } = await applyConfiguration(
      hub,
      configurationOf(scenario, code, database.url, keeping.kind),
      'test',
    );
    crowd.institutionId = institutionId;
    crowd.jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
    if (!keeping.fresh) await crowd.conductor.sync(institutionId, crowd.jobId);
    return crowd;
  }

  /** Carries out one step. */
  async play({ edits, run, decide, override, rollback }: CrowdStep): Promise<void> {
    const { conductor, institutionId, jobId } = this;
    this.last = null;
    for (const [index, edit] of (edits ?? []).entries())
      for (const [system, value] of Object.entries(edit)) await this.edit(system, keyOf(index), value);
    if (run !== undefined) {
      this.reading = run;
      this.done(await conductor.sync(institutionId, jobId));
    }
    if (decide !== undefined) this.done(await this.decide(decide));
    if (override !== undefined) this.done(await this.override(override));
    if (rollback !== undefined) this.done(await conductor.rollback(institutionId, jobId, this.runs[rollback] ?? ''));
  }

  private done(runId: string): void {
    this.runs.push(runId);
    this.last = runId;
  }

  /** A record of a reconciled type has no name: a row that we made is as its people make it. */
  private async edit(system: string, key: string, value: Value): Promise<void> {
    const table = `public.${tableOf(this.code, system)}`;
    if (value === ABSENT) await this.systems.query(`delete from ${table} where id = $1`, [key]);
    else
      await this.systems.query(
        `insert into ${table} (id, v, name) values ($1, $2, $3) on conflict (id) do update set v = excluded.v, name = excluded.name`,
        [key, value, this.kind === 'mastered' ? `Name ${key}` : null],
      );
  }

  private insert(client: pg.PoolClient, batch: Omit<NewBatch, 'institutionId' | 'jobId'>): Promise<string> {
    const { institutionId, jobId } = this;
    return insertBatch(client, { institutionId, jobId, ...batch });
  }

  private async decide(choices: NonNullable<CrowdStep['decide']>): Promise<string> {
    const apply = choices.find((choice) => choice !== null)?.apply;
    const batchId = await this.hub.transaction(this.institutionId, (client) =>
      apply === undefined ? this.decideValues(client, choices) : this.decideHeld(client, apply),
    );
    return this.conductor.settle(this.institutionId, this.jobId, batchId, apply === true ? 'release' : 'decision');
  }

  private async decideHeld(client: pg.PoolClient, apply: boolean): Promise<string> {
    const { rows } = await client.query<{ id: string; run: string }>(
      `select id::text, run_id::text as run from held_changes where state = 'held'`,
    );
    const [open] = rows;
    if (open === undefined) throw new Error('there is nothing held to decide');
    const [kind, state] = apply ? (['release', 'released'] as const) : (['discard', 'discarded'] as const);
    const batchId = await this.insert(client, { kind, parent: open.run, items: [{ heldId: open.id }] });
    await client.query(`update held_changes set state = $2, batch_id = $3, decided_by = 'test' where id = $1`, [
      open.id,
      state,
      batchId,
    ]);
    return batchId;
  }

  private async decideValues(client: pg.PoolClient, choices: NonNullable<CrowdStep['decide']>): Promise<string> {
    const { rows } = await client.query<{ id: string; run: string; key: string }>(
      `select c.id::text, c.opened_run::text as run, g.values[1] as key from sync_conflict_resolutions c
       join golden_records g on g.id = c.golden_id where c.state = 'open' and c.group_name = 'v'`,
    );
    const decided = choices.flatMap((wanted, index) => {
      if (wanted === null) return [];
      const open = rows.find(({ key }) => key === JSON.stringify(keyOf(index)));
      if (open === undefined) throw new Error(`there is no question to decide of ${keyOf(index)}`);
      return [{ ...open, choice: choiceOf(wanted) }];
    });
    const items = decided.map(({ id, choice }) => ({
      ...{ conflictId: id, choice },
      ...('value' in choice ? { value: JSON.stringify(choice.value) } : {}),
    }));
    const batchId = await this.insert(client, { kind: 'decision', parent: decided[0]?.run ?? null, items });
    for (const { id, choice } of decided)
      await client.query(
        `update sync_conflict_resolutions set state = 'decided', decision = $2, batch_id = $3, decided_by = 'test' where id = $1`,
        [id, JSON.stringify({ choice }), batchId],
      );
    return batchId;
  }

  private async override(values: NonNullable<CrowdStep['override']>): Promise<string> {
    const batchId = await this.hub.transaction(this.institutionId, async (client) => {
      const { rows } = await client.query<{ id: string; key: string }>(
        `select id::text, values[1] as key from golden_records where status = 'active'`,
      );
      const items = values.flatMap((value, index) => {
        if (value === undefined) return [];
        const goldenId = rows.find(({ key }) => key === JSON.stringify(keyOf(index)))?.id;
        return [{ goldenId, group: 'v', value: JSON.stringify(value) }];
      });
      return this.insert(client, { kind: 'override', parent: null, items });
    });
    return this.conductor.settle(this.institutionId, this.jobId, batchId, 'decision');
  }

  /** What there is to see of each record. */
  async look(): Promise<Sight[]> {
    const { scenario, hub, institutionId, last: run } = this;
    const actual = new Map<string, Map<string, Value>>();
    for (const system of systemsOf(scenario)) {
      const { rows } = await this.systems.query<{ id: string; v: Value }>(
        `select id, v from public.${tableOf(this.code, system)}`,
      );
      actual.set(system, new Map(rows.map(({ id, v }) => [id, v])));
    }
    const keys = Array.from({ length: this.size }, (_, index) => keyOf(index));
    return sightsInDatabase({ hub, institutionId, keys, actual, run, scenario });
  }
}
