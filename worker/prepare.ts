import { createHub } from '../database/hub.js';
import type { Hub } from '../database/hub.js';
import { createFirstKeys, listInstitutions } from '../database/institutions.js';
import type { FirstKeys, PresentInstitution } from '../database/institutions.js';
import { migrate } from '../database/migrate.js';

export type { FirstKeys, FirstRole } from '../database/institutions.js';

/** Brings a database up to the newest schema.
 *  @throws SyncError configuration_invalid */
export async function prepareDatabase(databaseUrl: string): Promise<void> {
  await migrate(databaseUrl);
}

/** All institutions of a database. */
export async function institutionsOf(databaseUrl: string): Promise<readonly PresentInstitution[]> {
  return await withHub(databaseUrl, async (hub) => {
    const found: PresentInstitution[] = [];
    for (let page = await pageAfter(hub, 0); page.length > 0; page = await pageAfter(hub, page.at(-1)?.id ?? 0))
      found.push(...page);
    return found;
  });
}

const pageAfter = (hub: Hub, after: number): Promise<readonly PresentInstitution[]> =>
  listInstitutions(hub, { after, most: 1000 });

/** The first keys of an institution, one for each role, shown this once; null where it has keys already. */
export async function firstKeysOf(
  databaseUrl: string,
  institutionId: number,
  actor: string,
): Promise<FirstKeys | null> {
  return await withHub(databaseUrl, (hub) => createFirstKeys(hub, institutionId, actor));
}

async function withHub<T>(databaseUrl: string, work: (hub: Hub) => Promise<T>): Promise<T> {
  const hub = createHub({ url: databaseUrl, role: 'concord_worker', max: 1 });
  try {
    return await work(hub);
  } finally {
    await hub.close();
  }
}
