import type { PoolClient } from 'pg';
import type { ConfigurationAction } from '../../database/configuration-tables.js';
import type { ConfigurationKind } from '../../domain/configuration-kinds.js';
import { differences } from '../../domain/differences.js';
import { requireMatch } from '../common/etag.js';
import { headerOf, type HttpRequest } from '../common/http.js';
import { Problem } from '../common/problem.js';

/** Something configured, in as far as its history goes. */
export interface Versioned {
  readonly id: number;
  readonly version: number;
  readonly definition: unknown;
  readonly changedBy: string;
  readonly changedAt: Date;
}

/** A version as it is kept. */
export interface VersionRow {
  readonly version: number;
  readonly action: ConfigurationAction;
  readonly definition: unknown;
  readonly before: unknown;
  readonly changed_by: string;
  readonly changed_at: Date;
}

const columns = `version, action, definition, changed_by, changed_at,
  (select b.definition from concord.configuration_versions b
   where b.institution_id = v.institution_id and b.kind = v.kind and b.object_id = v.object_id and b.version < v.version
   order by b.version desc limit 1) as before`;

/** Versions, newest first; `below`: only older ones. */
export const readVersions = async (
  client: PoolClient,
  kind: ConfigurationKind,
  id: number,
  page: { readonly below: number | null; readonly limit: number },
): Promise<readonly VersionRow[]> => {
  const { rows } = await client.query<VersionRow>(
    `select ${columns} from concord.configuration_versions v
     where kind = $1 and object_id = $2 and ($3::int is null or version < $3) order by version desc limit $4`,
    [kind, id, page.below, page.limit],
  );
  return rows;
};

export const readVersion = async (
  client: PoolClient,
  kind: ConfigurationKind,
  id: number,
  version: number,
): Promise<VersionRow | null> => {
  const { rows } = await client.query<VersionRow>(
    `select ${columns} from concord.configuration_versions v where kind = $1 and object_id = $2 and version = $3`,
    [kind, id, version],
  );
  return rows[0] ?? null;
};

/** The number of a version, as it stands in an address. @throws Problem not_found */
export const versionOf = (text: string): number => {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Problem('not_found', 'There is no such version.');
};

/** Refuses a change that was not made on the current version, and says what changed since the one that it was made on.
 *  @throws Problem precondition_required, precondition_failed */
export const refuseUnlessCurrent = async (
  client: PoolClient,
  request: HttpRequest,
  kind: ConfigurationKind,
  row: Versioned,
): Promise<void> => {
  const sent = /^"(\d{1,9})"$/.exec(headerOf(request, 'if-match')?.trim() ?? '')?.[1];
  const older = sent === undefined || Number(sent) >= row.version ? null : Number(sent);
  const seen = older === null ? null : await readVersion(client, kind, row.id, older);
  requireMatch(
    request,
    { version: row.version, changedBy: row.changedBy, changedAt: row.changedAt.toISOString() },
    () => (seen === null ? null : differences(seen.definition, row.definition)),
  );
};
