import type { PoolClient } from 'pg';
import type { Role } from '../../domain/access.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import { identifierSight } from '../../domain/masks.js';
import { compileSearch, searchWords } from '../../domain/search.js';
import { validationProblem } from '../common/validation.js';
import type { GoldenListRequest } from './golden.dto.js';
import { isMasked } from './golden-row.js';
import {
  findByIdentifier,
  findByKey,
  findByWords,
  findExactly,
  listGolden,
  type FoundRow,
  type Narrowing,
} from './search.queries.js';

type Position = readonly string[] | null;

/** A page of records, by what was asked for. @throws Problem validation_failed */
export const searchGolden = async (
  client: PoolClient,
  role: Role,
  asked: Omit<GoldenListRequest, 'limit' | 'cursor'>,
  after: Position,
  most: number,
): Promise<readonly FoundRow[]> => {
  const { q, identifier, key } = asked;
  const ways = Object.entries({ q, identifier, key }).filter(([, text]) => text !== undefined);
  const [, another] = ways;
  if (another !== undefined)
    throw validationProblem([{ pointer: `/${another[0]}`, code: 'invalid', detail: 'one way of finding at a time' }]);
  const narrowing: Narrowing = { type: asked.type ?? null, status: asked.status ?? null };
  const afterId = after?.[1] ?? null;
  if (identifier !== undefined) {
    const [scheme, value] = apart(identifier);
    return await findByIdentifier(client, narrowing, { schemes: [scheme], value }, afterId, most);
  }
  if (key !== undefined) {
    const [system, value] = apart(key);
    return await findByKey(client, narrowing, { system, key: value }, afterId, most);
  }
  if (q !== undefined) return await findByText(client, role, narrowing, q, after, most);
  return await listGolden(client, narrowing, afterId, most);
};

const apart = (text: string): readonly [string, string] => {
  const colon = text.indexOf(':');
  return [text.slice(0, colon), text.slice(colon + 1)];
};

/* At most so many records are known by one identifier or key: what more there may be, narrower questions find. */
const mostExact = 100;

/* First those that are known by the very text, then those of whose names it has the beginnings. */
const findByText = async (
  client: PoolClient,
  role: Role,
  narrowing: Narrowing,
  text: string,
  after: Position,
  most: number,
): Promise<readonly FoundRow[]> => {
  const type = await typeNamed(client, narrowing.type);
  const schemes = (type.definition.identifiers ?? [])
    .map(({ scheme }) => scheme)
    .filter((scheme) => identifierSight(role, type.definition, scheme) === 'plain');
  const exact = await findExactly(client, narrowing, { text, schemes }, mostExact);
  const [word = '', id = '0'] = after ?? [];
  const first = word === '' ? exact.filter((row) => BigInt(row.id) > BigInt(id)) : [];
  const words = searchWords([text]);
  if (words.length === 0 || first.length >= most || !seesNames(role, type.definition)) return first.slice(0, most);
  const named = await findByWords(client, type.id, words, {
    ...{ status: narrowing.status, except: exact.map((row) => row.id), most: most - first.length },
    after: word === '' ? null : [word, id],
  });
  return [...first, ...named];
};

/* Who sees names masked could learn them from what is found by guessing. */
const seesNames = (role: Role, definition: EntityTypeDefinition): boolean =>
  compileSearch(definition).every(({ group }) => !isMasked(definition.groups[group], role));

const typeNamed = async (
  client: PoolClient,
  name: string | null,
): Promise<{ readonly id: number; readonly definition: EntityTypeDefinition }> => {
  const { rows } = await client.query<{ id: number; definition: EntityTypeDefinition }>(
    'select id, definition from concord.entity_types where name = $1 and not archived',
    [name],
  );
  const [row] = rows;
  if (row !== undefined) return row;
  const detail = name === null ? 'q needs a type' : 'there is no such entity type';
  throw validationProblem([{ pointer: '/type', code: name === null ? 'missing' : 'unknown', detail }]);
};
