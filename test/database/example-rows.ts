import type { ClientBase } from 'pg';

/** Everything that has to be known of a table to make a row of it. */
export interface TableShape {
  readonly name: string;
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly required: boolean;
    /** The table that it refers to: by a foreign key, or because every row belongs to an institution. */
    readonly refersTo: string | null;
    /** What a check of this column alone allows, where it is a list. */
    readonly allowed: readonly string[] | null;
  }[];
}

/** All tables of ours, referred-to ones first. */
export async function tableShapes(client: ClientBase): Promise<readonly TableShape[]> {
  const answer = await client.query<TableShape>(
    `select c.relname as name, json_agg(json_build_object(
         'name', a.attname,
         'type', format_type(a.atttypid, null),
         'required', a.attnotnull and not a.atthasdef and a.attidentity = '',
         'refersTo', case when a.attname = 'institution_id' then 'institutions' else (select r.relname from pg_constraint k join pg_class r on r.oid = k.confrelid
                      where k.conrelid = c.oid and k.contype = 'f' and k.conkey = array[a.attnum]) end,
         'allowed', (select json_agg(m[1]) from pg_constraint k cross join regexp_matches(pg_get_constraintdef(k.oid), $$'([a-z_]+)'::text$$, 'g') m
                     where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum])
       ) order by a.attnum) as columns
     from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'concord'::regnamespace and c.relkind in ('r', 'p') group by c.relname order by c.relname`,
  );
  const left = [...answer.rows];
  const ordered: TableShape[] = [];
  while (left.length > 0) {
    const waiting = new Set(left.map((table) => table.name));
    const next = left.findIndex((table) =>
      table.columns.every(({ required, refersTo }) => !required || refersTo === null || !waiting.has(refersTo)),
    );
    ordered.push(...left.splice(Math.max(next, 0), 1));
  }
  return ordered;
}

/** Values of the required columns. Ids of what is referred to come from `known`; `mark` makes it another row than the others. */
export function exampleRow(
  table: TableShape,
  known: ReadonlyMap<string, string>,
  mark: number,
): ReadonlyMap<string, string> {
  const row = new Map<string, string>();
  for (const column of table.columns) {
    if (!column.required) continue;
    row.set(column.name, known.get(column.refersTo ?? '') ?? column.allowed?.[0] ?? exampleValue(column.type, mark));
  }
  return row;
}

/** Inserts it and returns its id, null where the table has none. */
export async function insertExample(
  client: ClientBase,
  table: TableShape,
  row: ReadonlyMap<string, string>,
): Promise<string | null> {
  const columns = [...row.keys()].map((name) => client.escapeIdentifier(name));
  const places = columns.map((_, index) => `$${index + 1}`);
  const hasId = table.columns.some((column) => column.name === 'id');
  const answer = await client.query<{ id: string | null }>(
    `insert into concord.${client.escapeIdentifier(table.name)} (${columns.join(', ')}) values (${places.join(', ')})
     returning ${hasId ? 'id::text' : 'null as id'}`,
    [...row.values()],
  );
  return answer.rows[0]?.id ?? null;
}

function exampleValue(type: string, mark: number): string {
  if (type === 'integer' || type === 'bigint') return String(mark);
  if (type === 'uuid') return `00000000-0000-0000-0000-${String(mark).padStart(12, '0')}`;
  if (type === 'date') return '2026-03-02';
  if (type === 'timestamp with time zone') return '2026-03-02T07:10:00Z';
  if (type === 'jsonb') return '{}';
  if (type === 'double precision') return '1';
  if (type.endsWith('[]')) return '{}';
  if (type === 'bytea') return '\\x01';
  if (type === 'text') return `example ${mark}`;
  throw new Error(`no example of type ${type}: add one`);
}
