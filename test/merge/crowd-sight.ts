import type pg from 'pg';
import { ConfigurationCache } from '../../activities/context.js';
import { ImageReader, imagesJson, type ImageJson } from '../../activities/merge.js';
import { goldenJson, readGolden, type GoldenJson } from '../../database/golden-rows.js';
import type { Hub } from '../../database/hub.js';
import type { GoldenState, ImageState } from '../../domain/record-merge.js';
import type { CrowdInMemory } from './crowd.js';
import { candidatesOf, type StoredCandidate } from './database-world.js';
import { systemsOf } from './histories.js';
import { comparedFindings, comparesHeld } from './known-differences.js';
import { ABSENT, type Expectation, type Scenario, type Value } from './scenario.js';

interface ImageSight {
  readonly value: Value;
  readonly state: string | undefined;
  readonly raw: Value;
  /** Whether it was told at all, and whether a change of it would be accepted. */
  readonly told: boolean;
  readonly accepted: boolean;
}

/** What there is to see of one record after a step. */
export interface Sight {
  readonly golden: Value;
  readonly sticky: boolean;
  readonly question: Expectation['question'];
  /** Of a record that is alone (`comparesHeld`). */
  readonly held: Readonly<Record<string, Value>>;
  readonly actual: Readonly<Record<string, Value>>;
  readonly findings: readonly string[];
  /** Of systems that are read. */
  readonly images: Readonly<Record<string, ImageSight>>;
}

const parse = (stated: string | null): Value => (stated === null ? ABSENT : (JSON.parse(stated) as Value));

/** The records of a crowd in memory. */
export const sightsInMemory = ({ worlds }: CrowdInMemory, scenario: Scenario): Promise<Sight[]> =>
  Promise.all(
    worlds.map(async (world): Promise<Sight> => {
      const { golden, exists, images, question, held, actual } = world.inspect();
      const read = systemsOf(scenario, 'source');
      return {
        golden: exists ? parse(golden.value) : ABSENT,
        sticky: exists && golden.sticky,
        question: question?.kind === 'value' ? question : null,
        held: comparesHeld(worlds.length) ? held : {},
        actual,
        findings: comparedFindings((await world.observe()).findings),
        images: Object.fromEntries(
          Object.entries(images)
            .filter(([system, { live }]) => live && read.includes(system))
            .map(([system, { value, state, raw, told, accepted }]) => [
              system,
              { value: value === null ? ABSENT : parse(value), state, raw, told, accepted },
            ]),
        ),
      };
    }),
  );

/** Where the records of a crowd are on PostgreSQL. */
export interface CrowdStore {
  readonly hub: Hub;
  readonly institutionId: number;
  readonly keys: readonly string[];
  /** What each system holds of each key. */
  readonly actual: ReadonlyMap<string, ReadonlyMap<string, Value>>;
  /** The run whose findings are told; null: none. */
  readonly run: string | null;
  readonly scenario: Scenario;
}

interface StoredRecord {
  readonly id: string;
  readonly key: string;
  readonly golden: GoldenState;
  readonly images: readonly ImageState[];
}

interface StoredFinding {
  readonly kind: string;
  readonly system: string | null;
  readonly golden: string | null;
}

/** The records of a crowd on PostgreSQL.
 *  @throws Error where one key is of two records, or one record of two keys */
export const sightsInDatabase = (store: CrowdStore): Promise<Sight[]> =>
  store.hub.read(store.institutionId, async (client) => {
    const records = await recordsOf(client, store);
    const questions = await questionsOf(client);
    const held = comparesHeld(store.keys.length) ? await heldOf(client) : [];
    const raws = await rawsOf(client);
    const findings = await findingsOf(client, store.run);
    return store.keys.map((key): Sight => {
      const ofKey = records.filter((record) => record.key === key);
      const live = ofKey.filter(isLive);
      if (live.length > 1) throw new Error(`${key} is of two records`);
      const [record] = live;
      return {
        golden: record?.golden.status === 'active' ? parse(record.golden.values[1] ?? null) : ABSENT,
        sticky: record?.golden.sticky.includes(1) ?? false,
        question: (record === undefined ? undefined : questions.get(record.id)) ?? null,
        held: Object.fromEntries(held.filter((row) => row.key === key).map(({ system, raw }) => [system, cellOf(raw)])),
        actual: Object.fromEntries(
          [...store.actual].map(([system, rows]) => [system, rows.has(key) ? (rows.get(key) ?? null) : ABSENT]),
        ),
        findings: comparedFindings(
          findings
            .filter(({ golden }) => golden === null || ofKey.some(({ id }) => id === golden))
            .map(({ kind, system }) => `${kind}:${system ?? 'golden'}`),
        ),
        images: record === undefined ? {} : imagesOf(record, raws, store.scenario),
      };
    });
  });

/** One that ended under its last image is gone. */
const isLive = ({ golden, images }: StoredRecord): boolean =>
  golden.status === 'active' || images.some(({ deleted }) => !deleted);

const recordsOf = async (client: pg.PoolClient, { hub, institutionId }: CrowdStore): Promise<StoredRecord[]> => {
  const { rows } = await client.query<{
    id: string;
    golden: GoldenJson;
    images: readonly ImageJson[] | null;
    keys: string[] | null;
  }>(
    `select g.id::text, ${goldenJson} as golden, ${imagesJson('g.id')} as images,
       (select array_agg(distinct i.source_key) from record_images i where i.golden_id = g.id) as keys from golden_records g`,
  );
  const context = await new ConfigurationCache(hub).of(institutionId);
  const reader = new ImageReader({ hub }, context, context.entityTypeNamed('thing'));
  return Promise.all(
    rows.map(async ({ id, golden: json, images, keys }) => {
      const golden = readGolden(json);
      const [key, ...others] = keys ?? [String(parse(golden.values[0] ?? null))];
      if (key === undefined || others.length > 0) throw new Error(`record ${id} is of ${String(keys)}`);
      return { id, key, golden, images: await reader.read(images) };
    }),
  );
};

const imagesOf = (
  { golden, images }: StoredRecord,
  raws: ReadonlyMap<string, string | null>,
  scenario: Scenario,
): Record<string, ImageSight> =>
  Object.fromEntries(
    images
      .filter(({ system, deleted }) => !deleted && systemsOf(scenario, 'source').includes(system))
      .map((image) => {
        const statement = image.statements[1];
        const settled = statement?.settled ?? 0;
        const sight: ImageSight = {
          value: parse(statement?.value ?? null),
          state: statement?.state,
          raw: cellOf(raws.get(image.id) ?? null),
          told: settled > 0,
          accepted: settled > 0 && settled >= (golden.versions[1] ?? 0),
        };
        return [image.system, sight];
      }),
  );

/** The value in a row's text. */
const cellOf = (raw: string | null): Value => (raw === null ? ABSENT : ((JSON.parse(raw) as Value[])[1] ?? null));

const rawsOf = async (client: pg.PoolClient): Promise<Map<string, string | null>> => {
  const { rows } = await client.query<{ id: string; raw: string | null }>('select id::text, raw from record_images');
  return new Map(rows.map(({ id, raw }) => [id, raw]));
};

const questionsOf = async (client: pg.PoolClient): Promise<Map<string, NonNullable<Expectation['question']>>> => {
  const { rows } = await client.query<{ golden: string; candidates: readonly StoredCandidate[] }>(
    `select golden_id::text as golden, candidates from sync_conflict_resolutions where state = 'open' and group_name = 'v'`,
  );
  return new Map(
    rows.map(({ golden, candidates }) => [golden, { kind: 'value', candidates: candidatesOf(candidates) }]),
  );
};

const heldOf = async (client: pg.PoolClient): Promise<{ key: string; system: string; raw: string | null }[]> => {
  const { rows } = await client.query<{ key: string; system: string; raw: string | null }>(
    `select r.source_key as key, s.name as system, r.raw from held_rows r join held_changes h on h.id = r.held_id
     join cross_system_mappings m on m.id = r.mapping_id join data_source_configurations s on s.id = m.system_id
     where h.state = 'held' order by s.name`,
  );
  return rows;
};

/** Of the group in question, and of whole records. A source that was left out says so of itself. */
const findingsOf = async (client: pg.PoolClient, run: string | null): Promise<StoredFinding[]> => {
  const { rows } = await client.query<StoredFinding>(
    `select distinct f.kind, s.name as system, coalesce(f.golden_id, i.golden_id)::text as golden from findings f
     left join record_images i on i.id = f.image_id left join data_source_configurations s on s.id = f.system_id
     where f.run_id = $1 and coalesce(f.field, 'v') = 'v' and f.kind <> 'source_schema_changed'`,
    [run],
  );
  return rows;
};
