import type { PoolClient } from 'pg';
import { goldenJson, readGolden, type GoldenJson } from '../database/golden-rows.js';
import { isAlive, markAlive, recreate, stagingColumns, stagingOf } from '../database/staging.js';
import type { Stated } from '../domain/canonical.js';
import { compilePolicies, type PolicyReader } from '../domain/authority.js';
import { deriveRecord } from '../domain/mapping.js';
import {
  packStatements,
  planRecord,
  unpackStatements,
  type GoldenState,
  type ImageState,
  type IncomingState,
  type RecordPlan,
} from '../domain/record-merge.js';
import type { RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import { copyOut } from '../platform/copy.js';
import { CopySink } from '../platform/copy-sink.js';
import type { StepCounts } from './contract.js';
import type { EntityTypeRef, InstitutionContext, MappingRef } from './context.js';
import { readRun, readsRecords } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { fenced, readChunks, recordChunk, takeLease, type Chunk, type Lease } from './lease.js';
import { checkCanon } from './match.js';
import { rivalQuestions, valueQuestions } from './questions.js';
import { lonePathHolds } from './lone.js';
import { loneChangesHold, planLoneChanges } from './lone-changes.js';
import { canonicalRecordTools, type RecordTools } from './references.js';

/** An image as the merge query gives it. */
export type ImageJson = readonly [
  id: string,
  mappingId: number,
  key: string,
  subKey: string,
  raw: string | null,
  mappingVersion: number,
  statements: readonly (string | null)[] | null,
  states: string | null,
  settledVersion: number,
  settled: readonly number[] | null,
  deleted: boolean,
  effectiveAt: string | null,
];

type IncomingJson = readonly [
  ord: string,
  imageId: string,
  op: string,
  mappingId: number,
  values: readonly (string | null)[] | null,
  effectiveAt: string | null,
  rival: string | null,
];

/** The images of a golden record; the row of one only where its statements have to be derived from that. `only`: a condition on `i`. */
export const imagesJson = (golden: string, only = 'true'): string =>
  `(select json_agg(json_build_array(i.id::text, i.mapping_id, i.source_key, i.sub_key, case when i.statements is null then i.raw end, i.mapping_version, i.statements, i.states,
      i.settled_version, i.settled, i.deleted_run is not null, i.effective_at) order by i.id)
    from record_images i where i.golden_id = ${golden} and ${only})`;

/** Tells whether any image of a golden record was touched since: golden may stand still while a statement moves. */
export const imagesStamp = (golden: string): string =>
  `(select md5(string_agg(s.id || ':' || s.last_run || ':' || s.published_version, ',' order by s.id)) from record_images s where s.golden_id = ${golden})`;

const writes = (context: InstitutionContext, mapping: MappingRef, type: EntityTypeRef): boolean =>
  context.mappings.some(
    (other) =>
      other.systemId === mapping.systemId &&
      other.id === mapping.id &&
      other.definition.target?.root === type.definition.name,
  );

/** Makes stored images readable to the core: statements that are kept as raw only are derived again. */
export class ImageReader {
  constructor(
    private readonly dependencies: Pick<ActivityDependencies, 'hub'>,
    private readonly context: InstitutionContext,
    private readonly type: EntityTypeRef,
  ) {}

  async read(images: readonly ImageJson[] | null): Promise<ImageState[]> {
    const found: ImageState[] = [];
    for (const image of images ?? []) {
      const mapping = this.context.mapping(image[1]);
      if (!readsRecords(mapping, this.type)) continue;
      const [id, , , , , , , states, settledVersion, settled, deleted, effectiveAt] = image;
      const statements = deleted ? [] : await this.statements(mapping, image);
      found.push({
        id,
        system: mapping.system.name,
        target: writes(this.context, mapping, this.type),
        deleted,
        effectiveAt,
        statements: unpackStatements({ statements, states, settledVersion, settled }),
      });
    }
    return found;
  }

  private async statements(mapping: MappingRef, image: ImageJson): Promise<readonly (Stated | null)[]> {
    const [, , , subKey, raw, version, statements] = image;
    const silent = this.type.definition.groups.map(() => null);
    if (statements !== null || raw === null) return statements ?? silent;
    const source = await this.context.sourceAt(this.dependencies.hub, mapping, version);
    return deriveRecord(source, JSON.parse(raw) as RawRow, this.type.definition.name, subKey)?.values ?? silent;
  }
}

/** What the query reads of each golden record that is touched and not lone. */
const mergeQuery = (run: RunRef, context: InstitutionContext, type: EntityTypeRef, only: string): string => {
  const staging = stagingOf(run.runId);
  const reconciled = type.definition.kind === 'reconciled';
  const values = reconciled ? 'r.values' : 'c.values';
  const silent = context.mappings.filter((mapping) => !readsRecords(mapping, type)).map(({ id }) => id);
  const parties = `i.mapping_id <> all ('{${silent.join(',')}}'::integer[])`;
  const join = reconciled ? `left join ${staging.resolved(type.id)} r on r.ord = c.ord` : '';
  return `copy (
    select m.golden_id, case when g.id is null then null else ${goldenJson} end, ${imagesJson('m.golden_id', parties)},
      json_agg(json_build_array(m.ord::text, m.image_id::text, m.op, c.mapping_id, ${values}, c.effective_at, m.rival::text) order by m.ord),
      ${imagesStamp('m.golden_id')}
    from ${staging.match(type.id)} m
    join ${staging.canon} c on c.ord = m.ord ${join}
    left join golden_records g on g.id = m.golden_id
    where ${only}
    group by m.golden_id, g.id
    order by m.golden_id) to stdout`;
};

const findingsJson = (plan: RecordPlan, type: EntityTypeRef): object[] =>
  plan.findings.map(({ finding, image, system, group }) => ({
    kind: finding,
    image,
    system,
    field: type.definition.groups[group]?.name ?? '',
  }));

/** What a plan row holds of the golden record. */
export const goldenPlanOf = (golden: GoldenState, tools: RecordTools): object => {
  const { version, values, versions, origins, sticky, status } = golden;
  const { references, subject, validFrom, validTo } = tools.facts(values);
  const [first = null] = origins.filter((origin) => origin !== null);
  const uniform = origins.every((origin, index) => origin === (values[index] === null ? null : first));
  return {
    version,
    values,
    versions: version === 1 ? null : versions,
    origin_image: uniform ? first : null,
    origins: uniform ? null : origins,
    sticky: sticky.length > 0 ? sticky : null,
    status,
    valid_from: validFrom,
    valid_to: validTo,
    // A record that is its own subject gets its id where it is written.
    subject_key: subject,
    references,
  };
};

const imagesPlan = (plan: RecordPlan, ords: ReadonlyMap<string, string>): object[] =>
  plan.images.map((image) => ({
    id: image.id,
    ord: ords.get(image.id) ?? null,
    deleted: image.deleted,
    untold: image.untold,
    effect: image.effect,
    ...renamed(packStatements(image.statements)),
  }));

const renamed = (packed: ReturnType<typeof packStatements>): object => ({
  statements: packed.statements,
  states: packed.states,
  settled_version: packed.settledVersion,
  settled: packed.settled,
});

export interface PlannedRow {
  readonly goldenId: string;
  readonly basedOn: number;
  readonly stamp: string | null;
  readonly golden: object | null;
  readonly images: object[];
  readonly questions: object[];
  readonly findings: object[];
}

export const addPlan = (sink: CopySink, row: PlannedRow): Promise<void> | null =>
  sink.add([
    row.goldenId,
    String(row.basedOn),
    row.stamp,
    row.golden === null ? null : JSON.stringify(row.golden),
    JSON.stringify(row.images),
    row.questions.length === 0 ? null : JSON.stringify(row.questions),
    row.findings.length === 0 ? null : JSON.stringify(row.findings),
  ]);

export const planColumns = 'golden_id, based_on, stamp, golden, images, questions, findings';

interface MergeTools {
  readonly context: InstitutionContext;
  readonly type: EntityTypeRef;
  readonly tools: RecordTools;
  readonly images: ImageReader;
  readonly policies: PolicyReader;
  readonly asOf: string;
}

const mergeOne = async (
  { context, type, tools, images, policies, asOf }: MergeTools,
  goldenId: string,
  goldenRow: GoldenJson | null,
  imageRows: readonly ImageJson[] | null,
  incomingRows: readonly IncomingJson[],
): Promise<Omit<PlannedRow, 'stamp'>> => {
  const golden = readGolden(goldenRow);
  const known = await images.read(imageRows);
  const incoming = incomingRows.map(([, id, op, mappingId, values, effectiveAt]): IncomingState => {
    const mapping = context.mapping(mappingId);
    const target = writes(context, mapping, type);
    return { id, system: mapping.system.name, target, values: op === 'd' ? null : (values ?? null), effectiveAt };
  });
  const said = golden?.values ?? incoming.find(({ values }) => values !== null)?.values ?? [];
  const ruling = policies(said, asOf);
  const plan = planRecord(golden, known, incoming, ruling);
  const ords = new Map(incomingRows.map(([ord, id]) => [id, ord]));
  const rivals = incomingRows.map(([, imageId, , mappingId, , , rival]) => ({
    imageId,
    system: context.mapping(mappingId).system.name,
    rival,
  }));
  return {
    goldenId,
    basedOn: golden?.version ?? 0,
    golden: plan.changed ? goldenPlanOf(plan.golden, tools) : null,
    images: imagesPlan(plan, ords),
    questions: [
      ...valueQuestions(plan, type, { known, incoming, policies: ruling }),
      ...rivalQuestions(goldenId, rivals),
    ],
    findings: findingsJson(plan, type),
  };
};

/** Plans every touched golden record of a type into the plan table; or plans some again, whose former plans were taken out. */
export const mergeType = async (
  dependencies: ActivityDependencies,
  run: RunRef,
  lease: Lease,
  context: InstitutionContext,
  type: EntityTypeRef,
  replan: readonly string[] | null = null,
): Promise<StepCounts> => {
  const { hub, heartbeat, cancelled } = dependencies;
  const facts = await readRun(hub, run);
  const table = stagingOf(run.runId).plan(type.id);
  const tools: MergeTools = {
    context,
    type,
    tools: canonicalRecordTools(type.definition),
    images: new ImageReader(dependencies, context, type),
    policies: compilePolicies(type.definition),
    asOf: facts.asOf,
  };
  const lone = [
    ...(lonePathHolds(type) ? ['(not m.lone or m.rival is not null)'] : []),
    `not exists (select 1 from ${table} p where p.lone_ord = m.ord)`,
  ].join(' and ');
  const only = replan === null ? lone : `m.golden_id in (${replan.map((id) => BigInt(id).toString()).join(',')})`;
  if (replan === null)
    await fenced(
      hub,
      lease,
      async (client) => {
        await recreate(client, table, stagingColumns.plan);
        if (loneChangesHold(type)) await planLoneChanges(client, run, context, type);
      },
      'bulk',
    );
  return hub.bulk(run.institutionId, (reading) =>
    fenced(
      hub,
      lease,
      async (writing) => {
        const sink = new CopySink(writing, `copy ${table} (${planColumns}) from stdin`);
        for await (const rows of copyOut(reading, mergeQuery(run, context, type, only), { signal: cancelled() })) {
          for (const [goldenId, golden, images, incoming, stamp] of rows) {
            const planned = await mergeOne(
              tools,
              goldenId ?? '',
              parsed<GoldenJson>(golden),
              parsed<readonly ImageJson[]>(images),
              parsed<readonly IncomingJson[]>(incoming) ?? [],
            );
            const wait = addPlan(sink, { ...planned, stamp: stamp ?? null });
            if (wait !== null) await wait;
          }
          heartbeat();
        }
        await sink.finish();
        return replan === null ? finishPlans(writing, run, lease, type, table) : { plans: replan.length };
      },
      'bulk',
    ),
  );
};

// The shape is what our own query of this file gives.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
export const parsed = <T>(text: string | null | undefined): T | null =>
  text === null || text === undefined ? null : (JSON.parse(text) as T);

export const finishPlans = async (
  client: PoolClient,
  _run: RunRef,
  lease: Lease,
  type: EntityTypeRef,
  table: string,
): Promise<StepCounts> => {
  await client.query(`create unique index on ${table} (golden_id)`);
  await client.query(`analyze ${table} (golden_id)`);
  await markAlive(client, table);
  const { rows } = await client.query<{ plans: string; questions: string }>(
    `select count(*) as plans, count(questions) as questions from ${table}`,
  );
  const [row] = rows;
  const counts = {
    plans: Number(row?.plans ?? 0),
    questions: Number(row?.questions ?? 0),
  };
  await recordChunk(client, { ...lease, step: 'merge', part: String(type.id) }, 0, { counts });
  return counts;
};

/** The merge of a type where its plans are as it left them, but for those that were applied; else null. */
export const standingPlans = async (client: PoolClient, run: RunRef, entityTypeId: number): Promise<Chunk | null> => {
  const [merged] = await readChunks(client, run.runId, 'merge', String(entityTypeId));
  return merged !== undefined && (await isAlive(client, stagingOf(run.runId).plan(entityTypeId))) ? merged : null;
};

export const createMerge = (dependencies: ActivityDependencies) => ({
  /** Decides every touched record of one entity type: statements and settlements in, plans out. Nothing is changed yet. */
  async merge(run: RunRef, entityTypeId: number): Promise<StepCounts> {
    // Decisions were planned when their batch was staged.
    if (run.kind === 'decision') return {};
    const context = await dependencies.configurations.of(run.institutionId);
    const lease = await takeLease(dependencies.hub, run, 'merge', String(entityTypeId));
    const done = await dependencies.hub.read(run.institutionId, async (client) => {
      await checkCanon(client, run);
      return standingPlans(client, run, entityTypeId);
    });
    if (done !== null) return done.counts as StepCounts;
    const counts = await mergeType(dependencies, run, lease, context, context.entityType(entityTypeId));
    dependencies.crashPoint('merge');
    return counts;
  },
});
