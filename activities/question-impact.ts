import type { PoolClient } from 'pg';
import type { NeededReference } from '../domain/projection-paths.js';
import type { EntityTypeRef, InstitutionContext, MappingRef } from './context.js';

/** What a decision would write, at most: rows of targets that read what is in question. */
export interface Impact {
  readonly targets: readonly { readonly mapping: string; readonly system: string; readonly records: number }[];
  /** Attribute groups that the decision may set. */
  readonly groups: number;
  /** Rows of all targets. */
  readonly records: number;
}

export interface Impacted {
  readonly goldenId: string;
  /** Null: the whole record is in question. */
  readonly group: string | null;
}

interface Reader {
  readonly mapping: MappingRef;
  /** Joins from a root `g` to the record `TARGET` that is in question; '' where the root itself is. */
  readonly chain: readonly NeededReference[];
  readonly groups: ReadonlySet<number>;
}

const chainOf = (references: readonly NeededReference[], reference: NeededReference): NeededReference[] => {
  const parent = references.find(({ path }) => path === reference.parent);
  return parent === undefined ? [reference] : [...chainOf(references, parent), reference];
};

const relativePath = ({ path, parent }: NeededReference): string =>
  parent === '' ? path : path.slice(parent.length + 1);

/** The targets that read a type, as their root or by way of references, and what of it. */
const readersOf = (context: InstitutionContext, type: EntityTypeRef): Reader[] =>
  context.publishedTargets
    .filter((mapping) => !context.isPosted(mapping))
    .flatMap((mapping): Reader[] => {
      const target = context.target(mapping);
      const own =
        target.root === type.definition.name ? [{ mapping, chain: [], groups: new Set(target.rootGroups) }] : [];
      const others = target.references
        .filter(({ entityType }) => entityType === type.definition.name)
        .map((reference) => ({
          mapping,
          chain: chainOf(target.references, reference),
          groups: new Set(reference.groups),
        }));
      return [...own, ...others];
    });

/** How many roots of a target read each of the records. */
const rootsReading = async (
  client: PoolClient,
  context: InstitutionContext,
  { mapping, chain }: Reader,
  goldenIds: readonly string[],
): Promise<Map<string, number>> => {
  const target = context.target(mapping);
  const root = context.entityTypeNamed(target.root).id;
  // A row that is not made by us is written where it is there.
  const creates = target.target.create !== false && target.keys.every(({ source }) => source !== true);
  const there = creates
    ? 'true'
    : `exists (select 1 from record_images i where i.golden_id = g.id and i.mapping_id = $2 and i.deleted_run is null)`;
  const joins = chain.map((hop, depth) => {
    const from = depth === 0 ? 'g.id' : `h${depth - 1}.target_id`;
    return `join golden_references h${depth} on h${depth}.golden_id = ${from} and h${depth}.path = $${depth + 4}`;
  });
  const meant = chain.length === 0 ? 'g.id' : `h${chain.length - 1}.target_id`;
  const { rows } = await client.query<{ id: string; count: string }>(
    `select ${meant}::text as id, count(distinct g.id) as count from golden_records g ${joins.join(' ')}
     where g.entity_type_id = $1 and g.status = 'active' and ${meant} = any ($3::bigint[]) and $2::integer is not null and ${there} group by 1`,
    [root, mapping.id, goldenIds, ...chain.map(relativePath)],
  );
  return new Map(rows.map(({ id, count }) => [id, Number(count)]));
};

/** What decisions about records of one type would write, in the order asked. */
export const impactsOf = async (
  client: PoolClient,
  context: InstitutionContext,
  type: EntityTypeRef,
  asked: readonly Impacted[],
): Promise<Impact[]> => {
  const goldenIds = [...new Set(asked.map(({ goldenId }) => goldenId))];
  const readers = readersOf(context, type);
  const counted: { reader: Reader; roots: Map<string, number> }[] = [];
  for (const reader of readers) counted.push({ reader, roots: await rootsReading(client, context, reader, goldenIds) });
  return asked.map(({ goldenId, group }) => {
    const position = group === null ? null : type.definition.groups.findIndex(({ name }) => name === group);
    const records = new Map<MappingRef, number>();
    for (const { reader, roots } of counted) {
      const count = roots.get(goldenId) ?? 0;
      if (count === 0 || (position !== null && !reader.groups.has(position))) continue;
      records.set(reader.mapping, Math.max(records.get(reader.mapping) ?? 0, count));
    }
    const targets = [...records].map(([{ definition, system }, count]) => ({
      mapping: definition.name,
      system: system.name,
      records: count,
    }));
    return {
      targets: targets.sort((left, right) => (left.mapping < right.mapping ? -1 : 1)),
      groups: group === null ? type.definition.groups.length : 1,
      records: targets.reduce((total, one) => total + one.records, 0),
    };
  });
};
