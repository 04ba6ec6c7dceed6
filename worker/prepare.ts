import pg from 'pg';
import { createApiKey } from '../database/api-keys.js';
import { createHub } from '../database/hub.js';
import { migrate } from '../database/migrate.js';
import type { Role } from '../domain/access.js';

/** Brings a database up to the newest schema.
 *  @throws SyncError configuration_invalid */
export async function prepareDatabase(databaseUrl: string): Promise<void> {
  await migrate(databaseUrl);
}

/** An institution that is there. */
export interface PresentInstitution {
  readonly id: number;
  readonly code: string;
  readonly name: string;
  readonly hasKeys: boolean;
}

/** All institutions of a database, seen as its owner. */
export async function listInstitutions(databaseUrl: string): Promise<readonly PresentInstitution[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<PresentInstitution>(
      `select i.id, i.code, i.name, exists (select from concord.api_keys k where k.institution_id = i.id) as "hasKeys"
       from concord.institutions i order by i.id`,
    );
    return rows;
  } finally {
    await client.end();
  }
}

export const firstRoles = ['secretary', 'steward', 'operator', 'admin'] as const satisfies readonly Role[];
export type FirstRole = (typeof firstRoles)[number];

/** The first keys of an institution, one for each role. They are shown once: only their hashes are stored. */
export async function createFirstKeys(
  databaseUrl: string,
  institutionId: number,
  actor: string,
): Promise<Readonly<Record<FirstRole, string>>> {
  const hub = createHub({ url: databaseUrl, role: 'concord_worker', max: 1 });
  const create = async (role: FirstRole): Promise<string> =>
    (await createApiKey(hub, institutionId, { role, name: 'first key', actor })).key;
  try {
    return {
      secretary: await create('secretary'),
      steward: await create('steward'),
      operator: await create('operator'),
      admin: await create('admin'),
    };
  } finally {
    await hub.close();
  }
}
