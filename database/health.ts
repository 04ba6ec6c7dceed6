import type { Hub } from './hub.js';
import { newestMigration } from './migrate.js';

/** Whether the database answers. @throws where it does not */
export async function askDatabase(hub: Hub): Promise<void> {
  await hub.system((client) => client.query('select 1'));
}

/** Whether the schema is at least what this version of Concord needs. A newer one is no hindrance: versions change over while both
 *  are at work. @throws where it is older, or does not answer */
export async function askSchema(hub: Hub): Promise<void> {
  const wanted = newestMigration();
  await hub.system(async (client) => {
    const { rows } = await client.query<{ applied: boolean }>('select concord.migration_applied($1) as applied', [
      wanted,
    ]);
    if (rows[0]?.applied !== true) throw new Error(`The migration ${wanted} is not applied.`);
  });
}
