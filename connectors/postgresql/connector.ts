import type { Connector, EntityShape } from '../capabilities.js';
import { createCopyTarget } from './copy-target.js';
import { createKeyedReader } from './keyed-reader.js';
import { findRelation, listRelations } from './relation.js';
import type { Relation } from './relation.js';
import { createRowTarget } from './row-target.js';
import { PostgresSessions } from './sessions.js';
import type { PostgresSettings } from './sessions.js';
import { createSnapshotReader } from './snapshots.js';
import { createWatermarkReader } from './watermarks.js';

/** A PostgreSQL database as source and target. Opens no connection before it is asked for something. */
export const createPostgresConnector = (settings: PostgresSettings): Connector => {
  const sessions = new PostgresSessions(settings);
  return {
    checker: {
      checkConnection: () =>
        sessions.use('source', 'checking the connection', async (client) => {
          const { rows } = await client.query<{ server_version: string }>('show server_version');
          return { product: 'PostgreSQL', version: rows[0]?.server_version ?? 'unknown' };
        }),
    },
    catalogue: {
      discoverEntities: () =>
        sessions.use('source', 'reading the catalogue', async (client) =>
          (await listRelations(client, sessions.defaultSchema)).map(shapeOf),
        ),
      describeEntity: (entity) =>
        sessions.use('source', `describing "${entity}"`, async (client) =>
          shapeOf(await findRelation(client, sessions.defaultSchema, entity, 'source')),
        ),
    },
    snapshots: createSnapshotReader(sessions),
    keyed: createKeyedReader(sessions),
    watermarks: createWatermarkReader(sessions),
    rows: createRowTarget(sessions),
    copy: createCopyTarget(sessions),
    close: () => sessions.close(),
  };
};

const shapeOf = ({ entity, columns, primaryKey }: Relation): EntityShape => ({
  entity,
  columns: columns.map(({ name, type, nullable }) => ({ name, type, nullable })),
  key: primaryKey,
});
