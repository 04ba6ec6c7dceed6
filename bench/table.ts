import type { ClientBase } from 'pg';

/** The table that is measured: 17 columns, about 170 bytes of COPY text a row, every value computed from the row's number. */
export const benchColumns = [
  'id',
  'ref',
  'given_name',
  'family_name',
  'birth_date',
  'email',
  'phone',
  'street',
  'city',
  'postcode',
  'country',
  'kind',
  'amount',
  'currency',
  'active',
  'note',
  'changed_at',
] as const;

const columnTypes: Readonly<Record<(typeof benchColumns)[number], string>> = {
  id: 'bigint not null',
  ref: 'text not null',
  given_name: 'text not null',
  family_name: 'text not null',
  birth_date: 'date not null',
  email: 'text not null',
  phone: 'text',
  street: 'text not null',
  city: 'text not null',
  postcode: 'text not null',
  country: 'text not null',
  kind: 'text not null',
  amount: 'numeric(12,2) not null',
  currency: 'text not null',
  active: 'boolean not null',
  note: 'text',
  changed_at: 'timestamptz not null',
};

/** `key`: with its primary key, as a target has it from the start. */
export const createTableSql = (table: string, options: { readonly key: boolean }): string => {
  const columns = benchColumns.map((column) => `${column} ${columnTypes[column]}`);
  return `create table ${table} (${[...columns, ...(options.key ? ['primary key (id)'] : [])].join(', ')})`;
};

const pick = (words: readonly string[], by: string): string =>
  `(array[${words.map((word) => `'${word}'`).join(', ')}])[1 + (${by}) % ${String(words.length)}]`;

const given = [
  'Amara',
  'Jonas',
  'Mireille',
  'Oluwaseun',
  'Katarzyna',
  'Zoë',
  'Håkon',
  'Mei',
  'Rafael',
  'Ingrid',
  'Tomasz',
];
const family = ['Okafor', 'Lindqvist', 'Baumgartner', 'Nguyen', 'da Silva', 'OBrien', 'Wiśniewska', 'Petrov', 'Tanaka'];
const streets = ['Lakeside Avenue', 'Rue des Écoles', 'Bahnhofstrasse', 'Old Mill Road', 'Via San Gottardo'];
const cities = ['Lucerne', 'Geneva', 'Basel', 'Lausanne', 'Winterthur', 'St. Gallen', 'Chur'];

const rowSql = `
  i,
  'R' || lpad(i::text, 9, '0'),
  ${pick(given, 'i * 7')},
  ${pick(family, 'i * 5')} || '-' || (i % 9973),
  date '1950-01-01' + (i * 7919 % 20000)::int,
  'p' || i || '@lakeside.example',
  case when i % 10 = 0 then null else '+41' || lpad((i * 7927 % 1000000000)::text, 9, '0') end,
  ${pick(streets, 'i * 3')} || ' ' || (1 + i % 240),
  ${pick(cities, 'i')},
  (1000 + i * 31 % 8999)::text,
  ${pick(['CH', 'DE', 'FR', 'IT', 'AT'], 'i / 3')},
  ${pick(['tuition', 'housing', 'library', 'deposit'], 'i')},
  ((i * 7919 % 9000000) - 100000) / 100.0,
  ${pick(['CHF', 'EUR'], 'i')},
  i % 3 <> 0,
  case when i % 4 = 0 then null else 'desk ' || (i % 17) end,
  timestamptz '2026-01-01 00:00:00Z' + make_interval(secs => i)`;

/** Fills the table with rows `from` to `to`, both included. */
export const fillTable = async (client: ClientBase, table: string, from: number, to: number): Promise<void> => {
  await client.query(
    `insert into ${table} (${benchColumns.join(', ')}) select ${rowSql} from generate_series($1::bigint, $2::bigint) as i`,
    [from, to],
  );
};

export interface Content {
  readonly count: number;
  readonly digest: string;
}

/** Count and content of a table over the common columns, in any order of rows: what a figure stands or falls with. */
export const contentOf = async (client: ClientBase, table: string): Promise<Content> => {
  const row = benchColumns.map((column) => `coalesce(${column}::text, E'\\x1e')`).join(` || E'\\x1f' || `);
  const { rows } = await client.query<{ count: string; digest: string }>(
    `select count(*)::text as count, coalesce(sum(hashtextextended(${row}, 0)), 0)::text as digest from ${table}`,
  );
  return { count: Number(rows[0]?.count ?? 0), digest: rows[0]?.digest ?? '0' };
};
