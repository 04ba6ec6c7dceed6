import type { PoolClient } from 'pg';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import { keySeparator } from '../../domain/rows.js';
import { spellingsOf } from '../../domain/search.js';

/** A record that was found, with what its label is made of. */
export interface FoundRow {
  readonly id: string;
  readonly type: string;
  readonly definition: EntityTypeDefinition;
  readonly values: readonly (string | null)[];
  readonly status: string;
  /** The word that it was found by; empty for an identifier or a key. */
  readonly word: string;
}

/** What every search narrows to. */
export interface Narrowing {
  /** null: of every type. */
  readonly type: string | null;
  /** null: in any state. */
  readonly status: string | null;
}

const columns = 'g.id, t.name as type, t.definition, g.values, g.status';
const narrowed = '($1::text is null or t.name = $1) and ($2::text is null or g.status = $2)';

/** Records in the order of their ids. */
export const listGolden = async (
  client: PoolClient,
  { type, status }: Narrowing,
  after: string | null,
  most: number,
): Promise<readonly FoundRow[]> => {
  const { rows } = await client.query<FoundRow>(
    `select ${columns}, '' as word from concord.golden_records g join concord.entity_types t on t.id = g.entity_type_id
     where ${narrowed} and ($3::bigint is null or g.id > $3) order by g.id limit $4`,
    [type, status, after, most],
  );
  return rows;
};

/* Equality alone, on text that is stored normalised: so that an index serves under row-level security. */
const byIdentifier = `select i.golden_id from concord.record_identifiers n join concord.record_images i on i.id = n.image_id
  where n.entity_type_id = any (array(select id from concord.entity_types where $1::text is null or name = $1))
    and n.value = any ($3::text[]) and n.scheme = any ($4::text[]) and i.deleted_run is null`;
const byKey = (parameter: number): string =>
  `select i.golden_id from concord.record_images i
   where i.mapping_id = any (array(select m.id from concord.cross_system_mappings m join concord.data_source_configurations s on s.id = m.system_id
       where $${parameter}::text is null or s.name = $${parameter}))
     and i.entity_type_id = any (array(select id from concord.entity_types where $1::text is null or name = $1))
     and i.source_key = any ($3::text[])`;

/** The spellings of the key of a row; parts of a key of several columns are typed with `|` between. */
const keySpellings = (typed: string): string[] => spellingsOf(typed.replaceAll('|', keySeparator));

const found = (ids: string): string =>
  `select ${columns}, '' as word from concord.golden_records g join concord.entity_types t on t.id = g.entity_type_id
   where g.id in (${ids}) and ${narrowed}`;

/** Records that are known by an identifier of these schemes. */
export const findByIdentifier = async (
  client: PoolClient,
  { type, status }: Narrowing,
  wanted: { readonly schemes: readonly string[]; readonly value: string },
  after: string | null,
  most: number,
): Promise<readonly FoundRow[]> => {
  const { rows } = await client.query<FoundRow>(
    `${found(byIdentifier)} and ($5::bigint is null or g.id > $5) order by g.id limit $6`,
    [type, status, spellingsOf(wanted.value), wanted.schemes, after, most],
  );
  return rows;
};

/** Records of which a system has a row with this key. */
export const findByKey = async (
  client: PoolClient,
  { type, status }: Narrowing,
  wanted: { readonly system: string; readonly key: string },
  after: string | null,
  most: number,
): Promise<readonly FoundRow[]> => {
  const { rows } = await client.query<FoundRow>(
    `${found(byKey(4))} and ($5::bigint is null or g.id > $5) order by g.id limit $6`,
    [type, status, keySpellings(wanted.key), wanted.system, after, most],
  );
  return rows;
};

/** Records that are known by a text as an identifier of these schemes, or as a key of any system. */
export const findExactly = async (
  client: PoolClient,
  { type, status }: Narrowing,
  wanted: { readonly text: string; readonly schemes: readonly string[] },
  most: number,
): Promise<readonly FoundRow[]> => {
  const { rows } = await client.query<FoundRow>(
    `${found(`${byIdentifier} union ${byKey(5)}`)} order by g.id limit $6`,
    [
      ...[type, status, [...new Set([...spellingsOf(wanted.text), ...keySpellings(wanted.text)])]],
      ...[wanted.schemes, null, most],
    ],
  );
  return rows;
};

/** Comes after every text that begins alike: in the order of code points there is none higher. */
const highest = '\u{10FFFF}';

/** More of a kind need not be told apart. */
const common = 2_000;

/* The rarest first: the others are looked up for each record that has it. Of equally rare ones, the longest. */
const byRarity = async (client: PoolClient, typeId: number, words: readonly string[]): Promise<string[]> => {
  if (words.length < 2) return [...words];
  const { rows } = await client.query<{ beginning: string }>(
    'select beginning from concord.count_words($1, $2, $3) order by found, length(beginning) desc, beginning',
    [typeId, words, common],
  );
  return rows.map(({ beginning }) => beginning);
};

/** Records of a type whose names have, for each word, one that begins with it; in the order of the word that the rarest one found.
 *  `after`: that word and the id where the page before ended. */
export const findByWords = async (
  client: PoolClient,
  typeId: number,
  words: readonly string[],
  options: {
    readonly status: string | null;
    readonly except: readonly string[];
    readonly after: readonly [word: string, id: string] | null;
    readonly most: number;
  },
): Promise<readonly FoundRow[]> => {
  // A further page goes on with the word of the one before, however rare it is by now.
  const began = words
    .filter((word) => options.after?.[0].startsWith(word))
    .sort((left, right) => right.length - left.length)[0];
  const [first = '', ...others] =
    began === undefined ? await byRarity(client, typeId, words) : [began, ...words.filter((word) => word !== began)];
  const { rows } = await client.query<FoundRow>(
    `select ${columns}, w.word
     from concord.golden_words w join concord.golden_records g on g.id = w.golden_id join concord.entity_types t on t.id = g.entity_type_id
     where w.entity_type_id = $1 and w.word >= $2 and w.word < $3
       and ($4::text is null or (w.word, w.golden_id) > ($4, $5::bigint))
       and not exists (select from concord.golden_words o where o.golden_id = w.golden_id and o.word >= $2 and o.word < w.word)
       and not exists (select from unnest($6::text[]) p (word) where not exists (
         select from concord.golden_words o where o.golden_id = w.golden_id and o.word >= p.word and o.word < p.word || '${highest}'))
       and ($7::text is null or g.status = $7) and g.id <> all ($8::bigint[])
     order by w.word, w.golden_id limit $9`,
    [
      ...[typeId, first, `${first}${highest}`, options.after?.[0] ?? null, options.after?.[1] ?? null],
      ...[others, options.status, options.except, options.most],
    ],
  );
  return rows;
};
