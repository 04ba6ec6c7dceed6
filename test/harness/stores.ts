import pg from 'pg';
import { createHub, type Hub } from '../../database/hub.js';
import { createDatabase, type TestDatabase } from './database.js';

/** A database of a test file's own, which its systems are in, too. */
export interface Stores {
  readonly database: TestDatabase;
  /** As a worker has it. */
  readonly hub: Hub;
  /** Whoever works with the systems. */
  readonly systems: pg.Client;
  readonly close: () => Promise<void>;
}

export const openStores = async (): Promise<Stores> => {
  const database = await createDatabase();
  const hub = createHub({ url: database.url, role: 'concord_worker', max: 8 });
  const systems = new pg.Client({ connectionString: database.url });
  await systems.connect();
  const close = async (): Promise<void> => {
    await systems.end();
    await hub.close();
    await database.drop();
  };
  return { database, hub, systems, close };
};
