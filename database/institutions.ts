import type { PoolClient } from 'pg';
import type { MemberRole } from '../domain/access.js';
import type { Configuration } from '../domain/job-definition.js';
import { insertApiKey } from './api-keys.js';
import { applyInstitution } from './configuration-store.js';
import { enterInstitution } from './hub.js';
import type { Hub } from './hub.js';

/** An institution that is there. */
export interface PresentInstitution {
  readonly id: number;
  readonly code: string;
  readonly name: string;
  readonly timeZone: string;
  readonly hasKeys: boolean;
}

/** The roles that an institution begins with a key for. */
export const firstRoles = ['secretary', 'steward', 'operator', 'admin'] as const satisfies readonly MemberRole[];
export type FirstRole = (typeof firstRoles)[number];
export type FirstKeys = Readonly<Record<FirstRole, string>>;

/** The institutions after one, in the order in which they were made; nothing of what is theirs. */
export async function listInstitutions(
  hub: Hub,
  page: { readonly after: number; readonly most: number },
): Promise<readonly PresentInstitution[]> {
  return await hub.system(async (client) => {
    const { rows } = await client.query<PresentInstitution>(
      'select id, code, name, time_zone as "timeZone", has_keys as "hasKeys" from present_institutions($1, $2)',
      [page.after, page.most],
    );
    return rows;
  });
}

/** Makes an institution with nothing configured, and its first keys. null: one of this code has keys already.
 *  @throws SyncError configuration_invalid */
export async function createInstitution(
  hub: Hub,
  definition: Configuration['institution'],
  actor: string,
): Promise<FirstKeys | null> {
  return await hub.system(async (client) => {
    const institutionId = await applyInstitution(client, definition, actor);
    return await firstKeysOf(client, institutionId, actor);
  });
}

/** The first keys of an institution, one for each role; null where it has keys already. They are shown once: only their hashes are
 *  stored. */
export async function createFirstKeys(hub: Hub, institutionId: number, actor: string): Promise<FirstKeys | null> {
  return await hub.transaction(institutionId, (client) => firstKeysOf(client, institutionId, actor));
}

/** Another key of the role admin, for an institution whose keys are lost. null: there is no such institution. */
export async function createAdminKey(hub: Hub, code: string, actor: string): Promise<string | null> {
  return await hub.system(async (client) => {
    const { rows } = await client.query<{ id: number | null }>('select institution_by_code($1) as id', [code]);
    const institutionId = rows[0]?.id ?? null;
    if (institutionId === null) return null;
    await enterInstitution(client, institutionId);
    const { key } = await insertApiKey(client, institutionId, { role: 'admin', name: 'made by the host', actor });
    return key;
  });
}

async function firstKeysOf(client: PoolClient, institutionId: number, actor: string): Promise<FirstKeys | null> {
  // Two who begin at once: the second one waits here, and finds the keys of the first.
  await client.query('select id from institutions where id = $1 for update', [institutionId]);
  const { rowCount } = await client.query('select from api_keys limit 1');
  if (rowCount !== 0) return null;
  const create = async (role: FirstRole): Promise<string> =>
    (await insertApiKey(client, institutionId, { role, name: 'first key', actor })).key;
  return {
    secretary: await create('secretary'),
    steward: await create('steward'),
    operator: await create('operator'),
    admin: await create('admin'),
  };
}
