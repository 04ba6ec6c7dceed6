import type { ClientBase } from 'pg';
import { SyncError } from '../../domain/errors.js';
import type { ReadRequest } from '../capabilities.js';
import { columnsOf, findRelation } from './relation.js';
import type { Relation, RelationColumn } from './relation.js';
import type { RangeSettings } from './range-settings.js';

/** A read request resolved against the catalogue. */
export interface ReadPlan {
  readonly relation: Relation;
  readonly columns: readonly RelationColumn[];
  readonly key: readonly RelationColumn[];
  /** Where the key's columns stand in `columns`. */
  readonly keyPlaces: readonly number[];
  /** No two rows have the same whole key. */
  readonly keyIsUnique: boolean;
  readonly watermark: { readonly column: RelationColumn; readonly after: string | null; readonly upTo: string } | null;
}

/** @throws SyncError source_schema_changed, configuration_invalid */
export const planRead = async (client: ClientBase, defaultSchema: string, request: ReadRequest): Promise<ReadPlan> => {
  const relation = await findRelation(client, defaultSchema, request.entity, 'source');
  const columns = columnsOf(relation, request.columns, 'source');
  const key = columnsOf(relation, request.key, 'source');
  const keyPlaces = request.key.map((name) => request.columns.indexOf(name));
  if (key.length === 0 || keyPlaces.includes(-1)) {
    throw new SyncError(
      'configuration_invalid',
      `"${request.entity}": the key has to be named and to be among the columns that are read`,
    );
  }
  const { watermark } = request;
  const keyIsUnique =
    key.every((column) => !column.nullable) &&
    relation.uniqueKeys.some((unique) => unique.every((name) => request.key.includes(name)));
  if (watermark === undefined) return { relation, columns, key, keyPlaces, keyIsUnique, watermark: null };
  const [column] = columnsOf(relation, [watermark.column], 'source');
  if (column === undefined) throw new SyncError('internal', 'a column that was found is gone');
  return { relation, columns, key, keyPlaces, keyIsUnique, watermark: { ...watermark, column } };
};

/** SQL conditions of the watermark. A first read takes rows without one too: no later read would ever meet them. */
export const watermarkConditions = ({ watermark }: ReadPlan, settings: RangeSettings): string[] => {
  if (watermark === null) return [];
  const { column, after, upTo } = watermark;
  const until = `${column.sql} <= ${settings.add(upTo)}::${column.plainType}`;
  if (after === null) return [`(${until} or ${column.sql} is null)`];
  return [until, `${column.sql} > ${settings.add(after)}::${column.plainType}`];
};

export const whereOf = (conditions: readonly string[]): string =>
  conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
