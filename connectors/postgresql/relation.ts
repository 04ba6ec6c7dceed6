import pg from 'pg';
import type { ClientBase } from 'pg';
import { SyncError } from '../../domain/errors.js';
import type { Side } from './errors.js';

/** One column as the catalogue describes it: everything that SQL about it is built from. */
export interface RelationColumn {
  readonly name: string;
  /** The name, quoted. */
  readonly sql: string;
  /** The type with its modifiers, as shown to people: `numeric(10,2)`. */
  readonly type: string;
  /** The type without modifiers: a cast to it never cuts or rounds. */
  readonly plainType: string;
  readonly nullable: boolean;
  /** The server computes it; it can be read and compared, but not written. */
  readonly generated: boolean;
  /** Kind of text conversion: `text` is text already; `padded` is char(n); `output` has a cast to text that differs from what
   *  the type prints (boolean prints `t` and casts to `true`); `cast` prints what it casts to. */
  readonly conversion: 'text' | 'padded' | 'output' | 'cast';
  /** Text whose collation is not the order of its characters' numbers. */
  readonly needsByteOrder: boolean;
}

/** A table or view that was found in the catalogue. */
export interface Relation {
  readonly entity: string;
  /** Schema and name, quoted. */
  readonly sql: string;
  readonly columns: readonly RelationColumn[];
  readonly primaryKey: readonly string[];
  /** The columns of each unique index without conditions or expressions. */
  readonly uniqueKeys: readonly (readonly string[])[];
  /** Whether `tablesample` can be asked of it. */
  readonly sampled: boolean;
}

interface CatalogueRow {
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly plain_type: string;
    readonly not_null: boolean;
    readonly generated: boolean;
    readonly base_type: string;
    readonly has_text_function: boolean;
    readonly needs_byte_order: boolean;
  }[];
  readonly unique_keys: readonly { readonly primary: boolean; readonly columns: readonly string[] }[];
}

/* `to_jsonb(row) ->> …` reads columns that older servers lack. A collation whose order is that of the code points needs no
   `collate "C"`, and without it the indexes of the table serve. */
const relationsSql = `
select n.nspname as schema, c.relname as name, c.relkind as kind, columns.list as columns, coalesce(keys.list, '[]') as unique_keys
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
cross join lateral (
  select jsonb_agg(jsonb_build_object(
    'name', a.attname,
    'type', format_type(a.atttypid, a.atttypmod),
    'plain_type', format_type(a.atttypid, -1),
    'not_null', a.attnotnull,
    'generated', a.attgenerated <> '',
    'base_type', base.typname,
    'has_text_function', exists (
      select from pg_cast k where k.castsource = base.oid and k.casttarget = 'text'::regtype and k.castmethod = 'f'),
    'needs_byte_order', a.attcollation <> 0 and not (
      case when l.collname = 'default' and l.collnamespace = 'pg_catalog'::regnamespace
        then coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'b'
          or (coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'c' and d.datcollate ~* '^(C|POSIX|C\\.utf-?8)$')
        else l.collprovider = 'b' or (l.collprovider = 'c' and l.collcollate ~* '^(C|POSIX|C\\.utf-?8)$') end)
  ) order by a.attnum) as list
  from pg_attribute a
  join pg_type t on t.oid = a.atttypid
  join pg_type base on base.oid = case when t.typbasetype <> 0 then t.typbasetype else t.oid end
  left join pg_collation l on l.oid = a.attcollation
  cross join (select * from pg_database where datname = current_database()) d
  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
) columns
left join lateral (
  select jsonb_agg(jsonb_build_object('primary', i.indisprimary, 'columns', (
    select jsonb_agg(a.attname order by k.position)
    from unnest(i.indkey::int2[]) with ordinality as k(attnum, position)
    join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
    where k.position <= i.indnkeyatts))) as list
  from pg_index i
  where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
) keys on true
where c.relkind in ('r', 'p', 'v', 'm', 'f') and columns.list is not null and not c.relispartition
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`;

const toRelation = (row: CatalogueRow, defaultSchema: string): Relation => ({
  entity: row.schema === defaultSchema ? row.name : `${row.schema}.${row.name}`,
  sql: `${pg.escapeIdentifier(row.schema)}.${pg.escapeIdentifier(row.name)}`,
  columns: row.columns.map((column) => ({
    name: column.name,
    sql: pg.escapeIdentifier(column.name),
    type: column.type,
    plainType: column.plain_type,
    nullable: !column.not_null,
    generated: column.generated,
    conversion: conversionOf(column.base_type, column.has_text_function),
    needsByteOrder: column.needs_byte_order,
  })),
  primaryKey: row.unique_keys.find((key) => key.primary)?.columns ?? [],
  uniqueKeys: row.unique_keys.map((key) => key.columns),
  sampled: row.kind === 'r' || row.kind === 'p' || row.kind === 'm',
});

const conversionOf = (baseType: string, hasTextFunction: boolean): RelationColumn['conversion'] => {
  if (baseType === 'text' || baseType === 'varchar') return 'text';
  if (baseType === 'bpchar') return 'padded';
  return hasTextFunction ? 'output' : 'cast';
};

/** All tables and views that are no system's own. */
export const listRelations = async (client: ClientBase, defaultSchema: string): Promise<Relation[]> => {
  const { rows } = await client.query<CatalogueRow>(
    `${relationsSql} order by n.nspname collate "C", c.relname collate "C"`,
  );
  return rows.map((row) => toRelation(row, defaultSchema));
};

/** @throws SyncError source_schema_changed or target_schema_changed where there is none of that name */
export const findRelation = async (
  client: ClientBase,
  defaultSchema: string,
  entity: string,
  side: Side,
): Promise<Relation> => {
  const { rows } = await client.query<CatalogueRow>(
    `${relationsSql} and ((n.nspname = $1 and c.relname = $2) or n.nspname || '.' || c.relname = $2) order by n.nspname = $1 desc limit 1`,
    [defaultSchema, entity],
  );
  const [row] = rows;
  if (row === undefined) throw new SyncError(`${side}_schema_changed`, `there is no table or view "${entity}"`);
  return toRelation(row, defaultSchema);
};

/** The columns by their names, in the order asked. @throws SyncError as `findRelation` */
export const columnsOf = (relation: Relation, names: readonly string[], side: Side): RelationColumn[] =>
  names.map((name) => {
    const found = relation.columns.find((column) => column.name === name);
    if (found === undefined)
      throw new SyncError(`${side}_schema_changed`, `"${relation.entity}" has no column "${name}"`);
    return found;
  });
