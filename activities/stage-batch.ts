import type { PoolClient } from 'pg';
import { goldenJson, readGolden, type GoldenJson } from '../database/golden-rows.js';
import { recreate, stagingColumns, stagingOf, recreateDelta } from '../database/staging.js';
import { EMPTY, type Stated } from '../domain/canonical.js';
import type { PlannedStatement } from '../domain/merge.js';
import { packStatements, type GoldenState, type ImageState } from '../domain/record-merge.js';
import {
  applyStatement,
  planDecision,
  planDiscard,
  planLift,
  planOverride,
  type SettlementPlan,
} from '../domain/settlement.js';
import { compilePolicies } from '../domain/authority.js';
import type { RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import type { GroupPolicy } from '../domain/strategy.js';
import { CopySink } from '../platform/copy-sink.js';
import type { PreparedRun } from './contract.js';
import { readRun, type EntityTypeRef, type InstitutionContext } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { missingHash } from './diff.js';
import { stageIdentityRows } from './identity.js';
import { fenced, takeLease, type Lease } from './lease.js';
import { heldTargets, postHeld } from './post-held.js';
import {
  addPlan,
  finishPlans,
  goldenPlanOf,
  ImageReader,
  imagesJson,
  imagesStamp,
  planColumns,
  type ImageJson,
} from './merge.js';
import { canonicalRecordTools } from './references.js';
import { recordAsRead } from './staged-source.js';
import { stageReplayedRows } from './stage-replay.js';
import { standardizeStaged } from './standardize.js';

/** A person's choice about one group of one golden record. */
interface Choice {
  readonly goldenId: string;
  readonly typeId: number;
  readonly group: string;
  readonly take?: string;
  readonly keep?: boolean;
  readonly value?: Stated;
  readonly override: boolean;
  /** An override ends. */
  readonly lift?: boolean;
}

interface Batch {
  readonly id: string;
  readonly kind: 'decision' | 'release' | 'discard' | 'override' | 'replay';
  readonly items: readonly Readonly<Record<string, unknown>>[];
}

const batchOf = async (client: PoolClient, run: RunRef): Promise<Batch | null> => {
  const { rows } = await client.query<Batch>(
    'select id::text, kind, items from decision_batches where settle_run_id = $1',
    [run.runId],
  );
  return rows[0] ?? null;
};

/** The decided questions of a batch, as the API wrote them. */
const choicesOf = async (client: PoolClient, batch: Batch, only: readonly string[] | null): Promise<Choice[]> => {
  if (batch.kind === 'override') {
    const choices: Choice[] = [];
    for (const item of batch.items) {
      const { rows } = await client.query<{ type: number }>(
        'select entity_type_id as type from golden_records where id = $1',
        [item['goldenId']],
      );
      const typeId = rows[0]?.type;
      if (typeId === undefined) continue;
      choices.push({
        goldenId: String(item['goldenId']),
        typeId,
        group: String(item['group']),
        ...(item['lift'] === true ? { lift: true } : { value: String(item['value']) }),
        override: true,
      });
    }
    return choices.filter(({ goldenId }) => only === null || only.includes(goldenId));
  }
  const { rows } = await client.query<{
    id: string;
    golden: string;
    type: number;
    group: string;
    decision: { choice: { take?: string; keep?: boolean } };
  }>(
    `select id::text, golden_id::text as golden, entity_type_id as type, group_name as "group", decision from sync_conflict_resolutions
     where batch_id = $1 and kind = 'value' and state = 'decided' and ($2::bigint[] is null or golden_id = any ($2)) order by golden_id, id`,
    [batch.id, only],
  );
  return rows.map(({ id, golden, type, group, decision: { choice } }) => {
    // What the choice comes to, as values are stored.
    const value = batch.items.find((item) => item['conflictId'] === id)?.['value'];
    return {
      ...{ goldenId: golden, typeId: type, group, override: false },
      ...(choice.take === undefined ? {} : { take: choice.take }),
      ...(choice.keep === undefined ? {} : { keep: choice.keep }),
      ...(typeof value === 'string' ? { value } : {}),
    };
  });
};

/** Types of which a decision makes two records one: `apply` does that, whatever else is planned for them. */
const typesToUnite = async (client: PoolClient, batch: Batch): Promise<number[]> => {
  const { rows } = await client.query<{ type: number }>(
    `select distinct entity_type_id as type from sync_conflict_resolutions
     where batch_id = $1 and kind = 'duplicate' and state = 'decided' and decision #> '{choice,same}' = 'true'`,
    [batch.id],
  );
  return rows.map(({ type }) => type);
};

const settlementOf = (
  choice: Choice,
  group: number,
  golden: GoldenState,
  images: readonly ImageState[],
  policy: GroupPolicy,
): SettlementPlan => {
  const live = images.filter((image) => !image.deleted);
  const parties = live.map((image) => ({
    image: image.id,
    system: image.system,
    target: image.target,
    stored: image.statements[group] ?? { value: null, state: 'live' as const, settled: 0 },
  }));
  if (choice.lift === true) return planLift(parties, golden.values[group] ?? EMPTY, policy);
  if (choice.override) return planOverride(parties, choice.value ?? EMPTY);
  const taken = live.find((image) => image.system === choice.take && image.statements[group]?.state === 'open');
  const value = choice.keep === true ? golden.values[group] : (taken?.statements[group]?.value ?? choice.value);
  return planDecision(parties, value ?? EMPTY, { sticky: policy.strategy === 'sticky_human' });
};

const withStatements = (
  images: readonly ImageState[],
  planned: ReadonlyMap<number, readonly PlannedStatement[]>,
  version: number,
): object[] =>
  images
    .filter(
      (image) => !image.deleted && [...planned.values()].some((list) => list.some((one) => one.image === image.id)),
    )
    .map((image) => {
      const statements = image.statements.map((statement, group) => {
        const plan = planned.get(group)?.find((one) => one.image === image.id);
        return plan === undefined ? statement : applyStatement(statement, plan, version);
      });
      const untold = [...planned.values()].some((list) =>
        list.some((one) => one.image === image.id && one.settle === 'never'),
      );
      const packed = packStatements(statements);
      return {
        id: image.id,
        ord: null,
        deleted: false,
        untold,
        effect: true,
        statements: packed.statements,
        states: packed.states,
        settled_version: packed.settledVersion,
        settled: packed.settled,
      };
    });

interface Staging {
  readonly dependencies: ActivityDependencies;
  readonly run: RunRef;
  readonly lease: Lease;
  readonly context: InstitutionContext;
}

/** Plans of the choices about one entity type's records into its plan table. `replan`: only these, whose plans were taken out. */
const stageChoices = async (
  staging: Staging,
  type: EntityTypeRef,
  choices: readonly Choice[],
  replan: boolean,
): Promise<void> => {
  const { dependencies, run, lease, context } = staging;
  const table = stagingOf(run.runId).plan(type.id);
  const tools = canonicalRecordTools(type.definition);
  const reader = new ImageReader(dependencies, context, type);
  const policies = compilePolicies(type.definition);
  const { asOf } = await readRun(dependencies.hub, run);
  const ids = [...new Set(choices.map(({ goldenId }) => goldenId))];
  const { rows } = await dependencies.hub.read(run.institutionId, (client) =>
    client.query<{ id: string; golden: GoldenJson; images: readonly ImageJson[] | null; stamp: string | null }>(
      `select g.id::text as id, ${goldenJson} as golden, ${imagesJson('g.id')} as images, ${imagesStamp('g.id')} as stamp
       from golden_records g where g.id = any ($1::bigint[]) order by g.id`,
      [ids],
    ),
  );
  await fenced(
    dependencies.hub,
    lease,
    async (client) => {
      if (!replan) await recreate(client, table, stagingColumns.plan);
      const sink = new CopySink(client, `copy ${table} (${planColumns}) from stdin`);
      for (const row of rows) {
        const golden = readGolden(row.golden);
        const images = await reader.read(row.images);
        const version = golden.version + 1;
        const planned = new Map<number, readonly PlannedStatement[]>();
        let next: GoldenState = { ...golden, version };
        const questions: object[] = [];
        for (const choice of choices.filter(({ goldenId }) => goldenId === row.id)) {
          const group = type.definition.groups.findIndex(({ name }) => name === choice.group);
          if (group < 0) continue;
          const policy = policies(golden.values, asOf)[group];
          if (policy === undefined) continue;
          const plan = settlementOf(choice, group, golden, images, policy);
          planned.set(group, plan.statements);
          next = setGroup(next, group, plan, version);
          if (choice.override)
            questions.push({ kind: 'value', group: choice.group, base: null, candidates: null, hash: null });
        }
        await addPlan(sink, {
          goldenId: row.id,
          basedOn: golden.version,
          stamp: row.stamp,
          golden: goldenPlanOf(next, tools),
          images: withStatements(images, planned, version),
          questions,
          findings: [],
        });
      }
      await sink.finish();
      if (!replan) await finishPlans(client, run, lease, type, table);
    },
    'bulk',
  );
};

const setGroup = (golden: GoldenState, group: number, plan: SettlementPlan, version: number): GoldenState => {
  const put = <T>(list: readonly T[], value: T): T[] => list.map((one, index) => (index === group ? value : one));
  return {
    ...golden,
    values: put(golden.values, plan.golden.value as Stated | null),
    versions: put(golden.versions, version),
    origins: put(golden.origins, plan.golden.origin),
    sticky: [...golden.sticky.filter((index) => index !== group), ...(plan.golden.sticky ? [group] : [])].sort(
      (left, right) => left - right,
    ),
  };
};

/** Held rows `r` of changes `h`, beside the image `i` that we hold of each. */
const heldRows = `held_rows r join held_changes h on h.id = r.held_id
  left join record_images i on i.mapping_id = r.mapping_id and i.source_key = r.source_key and i.main and i.deleted_run is null`;

/** Whether a held row is what its system says, as far as we know: the image is as it was when the row was held, or an earlier attempt
 *  carried this out. A row of whose system something else was seen since is left alone: should it say the same again, that is a change. */
const stillHeld = `(i.raw_hash is not distinct from r.known_hash or i.raw_hash = r.raw_hash)`;

/** The rows of released held changes take the place of an extraction. */
const stageHeldRows = async (
  client: PoolClient,
  run: RunRef,
  lease: Lease,
  context: InstitutionContext,
  batch: Batch,
): Promise<number[]> => {
  const posted = await heldTargets(client, context, batch.id);
  const held = `select r.* from ${heldRows} where h.batch_id = ${BigInt(batch.id)} and h.state = 'released' and ${stillHeld}
    and r.mapping_id <> all ('{${posted.map(({ id }) => id).join(',')}}'::integer[])`;
  const { rows } = await client.query<{ id: number }>(`select distinct mapping_id as id from (${held}) r order by 1`);
  const staging = stagingOf(run.runId);
  for (const { id } of rows) {
    await recreate(client, staging.raw(id), stagingColumns.raw);
    await recreateDelta(client, run.runId, id);
    await client.query(
      `insert into ${staging.raw(id)} (part, key, raw, hash, scope) select 0, source_key, raw, raw_hash, scope_key from (${held}) r where r.mapping_id = $1 and r.raw is not null`,
      [id],
    );
    await client.query(
      `insert into ${staging.delta(id)} (key, class, hash)
       select r.source_key, case when r.operation = 'delete' then 'm' when i.id is null then 'n' else 'c' end::"char", i.raw_hash
       from (${held}) r left join record_images i on i.mapping_id = r.mapping_id and i.source_key = r.source_key and i.main and i.deleted_run is null
       where r.mapping_id = $1 and (r.operation <> 'delete' or i.id is not null)`,
      [id],
    );
    await client.query(
      `delete from rolled_back_inputs b using (${held}) r where b.mapping_id = r.mapping_id and b.source_key = r.source_key
         and b.raw_hash = coalesce(r.raw_hash, '${missingHash}')`,
    );
    await recordAsRead(client, lease, id);
  }
  return rows.map(({ id }) => id);
};

/** What a release lets through: held rows, or the rows of identity questions. */
const stageReleased = async (
  client: PoolClient,
  run: RunRef,
  lease: Lease,
  context: InstitutionContext,
  batch: Batch,
): Promise<number[]> => {
  const held = await stageHeldRows(client, run, lease, context, batch);
  const identities = await stageIdentityRows(client, run, batch.id);
  for (const id of identities) await recordAsRead(client, lease, id);
  return [...held, ...identities];
};

/** Rows that a person discards after a rollback: known and overruled where we hold their record, remembered where we do not. */
const stageDiscard = async (staging: Staging, batch: Batch): Promise<PreparedRun> => {
  const { dependencies, run, lease, context } = staging;
  const { hub } = dependencies;
  const rows = await hub.read(run.institutionId, async (client) => {
    const found = await client.query<{
      mapping: number;
      key: string;
      raw: string | null;
      hash: string | null;
      image: string | null;
      golden: string | null;
    }>(
      `select r.mapping_id as mapping, r.source_key as key, r.raw, r.raw_hash::text as hash, i.id::text as image, i.golden_id::text as golden
       from ${heldRows} where h.batch_id = $1 and h.cause = 'rolled_back_input' and ${stillHeld}`,
      [batch.id],
    );
    return found.rows;
  });
  const types = new Map<
    number,
    { golden: string; image: string; values: readonly (Stated | null)[]; raw: string; hash: string }[]
  >();
  for (const row of rows) {
    if (row.image === null || row.golden === null || row.raw === null || row.hash === null) continue;
    const mapping = context.mapping(row.mapping);
    const type = context.mainType(mapping);
    const values =
      context
        .source(mapping)
        .standardize(JSON.parse(row.raw) as RawRow)
        .records.find(({ subKey }) => subKey === '')?.values ?? [];
    const list = types.get(type.id) ?? [];
    list.push({ golden: row.golden, image: row.image, values, raw: row.raw, hash: row.hash });
    types.set(type.id, list);
  }
  for (const [typeId, discarded] of types) await stageDiscarded(staging, context.entityType(typeId), discarded);
  await fenced(hub, lease, async (client) => {
    await client.query(
      `update rolled_back_inputs b set discarded = true from ${heldRows}
       where h.batch_id = $1 and ${stillHeld} and b.mapping_id = r.mapping_id and b.source_key = r.source_key and b.raw_hash = coalesce(r.raw_hash, '${missingHash}')`,
      [batch.id],
    );
  });
  return { entityTypes: [...types.keys()], nothingToDo: types.size === 0 };
};

const stageDiscarded = async (
  { dependencies, run, lease, context }: Staging,
  type: EntityTypeRef,
  discarded: readonly {
    golden: string;
    image: string;
    values: readonly (Stated | null)[];
    raw: string;
    hash: string;
  }[],
): Promise<void> => {
  const table = stagingOf(run.runId).plan(type.id);
  const reader = new ImageReader(dependencies, context, type);
  const { rows } = await dependencies.hub.read(run.institutionId, (client) =>
    client.query<{ id: string; golden: GoldenJson; images: readonly ImageJson[] | null; stamp: string | null }>(
      `select g.id::text as id, ${goldenJson} as golden, ${imagesJson('g.id')} as images, ${imagesStamp('g.id')} as stamp
       from golden_records g where g.id = any ($1::bigint[]) order by g.id`,
      [discarded.map(({ golden }) => golden)],
    ),
  );
  await fenced(
    dependencies.hub,
    lease,
    async (client) => {
      await recreate(client, table, stagingColumns.plan);
      const sink = new CopySink(client, `copy ${table} (${planColumns}) from stdin`);
      for (const row of rows) {
        const golden = readGolden(row.golden);
        const images = await reader.read(row.images);
        const planned = new Map<number, PlannedStatement[]>();
        for (const one of discarded.filter(({ golden: id }) => id === row.id)) {
          const image = images.find(({ id }) => id === one.image);
          for (const [group, value] of one.values.entries()) {
            if (value === null || value === (image?.statements[group]?.value ?? null)) continue;
            planned.set(group, [...(planned.get(group) ?? []), planDiscard(one.image, value, image?.target ?? false)]);
          }
        }
        await addPlan(sink, {
          goldenId: row.id,
          basedOn: golden.version,
          stamp: row.stamp,
          golden: null,
          images: withStatements(images, planned, golden.version),
          questions: [],
          findings: [],
        });
      }
      await sink.finish();
      await finishPlans(client, run, lease, type, table);
      // What a rollback brings back is what was known before this.
      await client.query(
        `insert into change_set_entries (run_id, kind, row_id, institution_id, before, outcome, subject_key)
         select $1, 'image', i.id, $2, to_jsonb(i), 'written', i.subject_key from record_images i where i.id = any ($3::bigint[]) on conflict do nothing`,
        [run.runId, run.institutionId, discarded.map(({ image }) => image)],
      );
      await client.query(
        `update record_images i set raw = d.raw, raw_hash = d.hash from unnest($1::bigint[], $2::text[], $3::uuid[]) as d (id, raw, hash) where i.id = d.id`,
        [discarded.map(({ image }) => image), discarded.map(({ raw }) => raw), discarded.map(({ hash }) => hash)],
      );
    },
    'bulk',
  );
};

/** Plans decided choices again whose records moved since. */
export const restageChoices = async (
  dependencies: ActivityDependencies,
  run: RunRef,
  lease: Lease,
  context: InstitutionContext,
  type: EntityTypeRef,
  moved: readonly string[],
): Promise<void> => {
  const choices = await dependencies.hub.read(run.institutionId, async (client) => {
    const batch = await batchOf(client, run);
    return batch === null ? [] : choicesOf(client, batch, moved);
  });
  await stageChoices(
    { dependencies, run, lease, context },
    type,
    choices.filter(({ typeId }) => typeId === type.id),
    true,
  );
};

export const createStageBatch = (dependencies: ActivityDependencies) => ({
  /** A settle run stages what people decided in place of an extraction: plans of decisions and overrides, rows of releases. */
  async stageBatch(run: RunRef): Promise<PreparedRun> {
    const { hub, configurations } = dependencies;
    const context = await configurations.of(run.institutionId);
    const lease = await takeLease(hub, run, 'standardize', '');
    const staging: Staging = { dependencies, run, lease, context };
    const batch = await hub.read(run.institutionId, (client) => batchOf(client, run));
    if (batch === null) return { entityTypes: [], nothingToDo: true };
    if (batch.kind === 'release' || batch.kind === 'replay') {
      const targets = await hub.read(run.institutionId, (client) => heldTargets(client, context, batch.id));
      for (const mapping of targets) await postHeld(dependencies, { run, lease, context, batchId: batch.id, mapping });
      const stage = batch.kind === 'release' ? stageReleased : stageReplayedRows;
      const mappings = await fenced(hub, lease, (client) => stage(client, run, lease, context, batch), 'bulk');
      return standardizeStaged(
        dependencies,
        run,
        lease,
        context,
        mappings.map((id) => context.mapping(id)),
      );
    }
    if (batch.kind === 'discard') return stageDiscard(staging, batch);
    const choices = await hub.read(run.institutionId, (client) => choicesOf(client, batch, null));
    const united = await hub.read(run.institutionId, (client) => typesToUnite(client, batch));
    const types = [...new Set([...choices.map(({ typeId }) => typeId), ...united])].sort((left, right) => left - right);
    for (const id of types)
      await stageChoices(
        staging,
        context.entityType(id),
        choices.filter(({ typeId }) => typeId === id),
        false,
      );
    return { entityTypes: types, nothingToDo: types.length === 0 };
  },
});
