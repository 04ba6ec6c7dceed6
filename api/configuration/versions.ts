import type { PoolClient } from 'pg';
import type { ConfigurationKind } from '../../domain/configuration-kinds.js';
import { differences } from '../../domain/differences.js';
import { linkTo } from '../common/base-path.js';
import { decodeIdCursor, pageOf, type Page } from '../common/cursor.js';
import type { Answer, HttpRequest } from '../common/http.js';
import { notFound } from '../common/ids.js';
import { defaultLimit, type ListRequest } from '../common/list-query.js';
import type { Plain } from '../common/plain-type.js';
import type { VersionItemView, VersionView } from './configured.view.js';
import { readVersion, readVersions, type VersionRow } from './history.js';
import { redacted } from './redact.js';

/** Something whose history is asked for. */
export interface OfHistory {
  readonly kind: ConfigurationKind;
  /** Where it stands: `systems/4`, without its last part where it is the institution. */
  readonly path: string;
  readonly id: number;
}

const placeOf = ({ kind, path, id }: OfHistory): string => (kind === 'institution' ? path : `${path}/${id}`);

/** A page of its history, newest first. */
export const pageOfVersions = async (
  client: PoolClient,
  request: HttpRequest,
  { limit = defaultLimit, cursor }: ListRequest,
  of: OfHistory,
): Promise<Answer<Page<Plain<VersionItemView>>>> => {
  const filter = ['versions', of.kind, of.id];
  const below = decodeIdCursor(filter, cursor);
  const page = { below: below === null ? null : Number(below), limit: limit + 1 };
  return pageOf({
    ...{ rows: await readVersions(client, of.kind, of.id, page), limit, filter, url: request.url },
    position: ({ version }) => [String(version)],
    toItem: (row) => toItem(row, of),
  });
};

/** One version with its definition. @throws Problem not_found */
export const showVersion = async (client: PoolClient, of: OfHistory, version: number): Promise<Plain<VersionView>> => {
  const row = await readVersion(client, of.kind, of.id, version);
  if (row === null) throw notFound('version', String(version));
  return { ...toItem(row, of), definition: redacted(row.definition) as object };
};

const toItem = (row: VersionRow, of: OfHistory): Plain<VersionItemView> => ({
  ...{ version: row.version, action: row.action, changedBy: row.changed_by, changedAt: row.changed_at.toISOString() },
  differences: row.before === null ? [] : differences(redacted(row.before), redacted(row.definition)),
  links: { self: linkTo(`${placeOf(of)}/versions/${row.version}`), current: linkTo(placeOf(of)) },
});
