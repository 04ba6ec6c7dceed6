import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SyncError } from '../../domain/errors.js';
import type { Connector, EntityShape } from '../capabilities.js';
import { CsvFile } from './csv-file.js';
import { CsvDeliveries } from './deliveries.js';
import { codeOf, withFileErrors } from './errors.js';
import { CsvInbox } from './inbox.js';
import type { CsvSettings } from './settings.js';
import { CsvWholeFiles } from './whole-file.js';

/** Folders of CSV files as source (deliveries) and target (whole files). */
export const createCsvConnector = (settings: CsvSettings): Connector => {
  const deliveries = settings.incoming === undefined ? null : new CsvDeliveries(settings.incoming, settings);
  const discover = async (): Promise<EntityShape[]> => [...(await shapesOf(settings, deliveries)).values()];
  return {
    checker: {
      async checkConnection() {
        await checkFolder(settings.incoming, 'incoming', 'source', constants.R_OK);
        await checkFolder(settings.outgoing, 'outgoing', 'target', constants.R_OK | constants.W_OK);
        return { product: 'CSV files', version: 'RFC 4180' };
      },
    },
    catalogue: {
      discoverEntities: discover,
      async describeEntity(entity) {
        const found = (await discover()).find((shape) => shape.entity === entity);
        if (found === undefined) throw new SyncError('source_schema_changed', `there is no file "${entity}"`);
        return found;
      },
    },
    ...(deliveries === null ? {} : { deliveries }),
    ...(settings.incoming === undefined ? {} : { inbox: new CsvInbox(settings.incoming) }),
    ...(settings.outgoing === undefined ? {} : { file: new CsvWholeFiles(settings.outgoing, settings) }),
    close: () => Promise.resolve(),
  };
};

/** What the newest files of each kind say: of all deliveries the last by name, and the outgoing files. A file that cannot be
 *  read describes nothing. */
const shapesOf = async (settings: CsvSettings, deliveries: CsvDeliveries | null): Promise<Map<string, EntityShape>> => {
  const shapes = new Map<string, EntityShape>();
  const add = async (file: () => Promise<EntityShape>): Promise<void> => {
    try {
      const shape = await file();
      shapes.set(shape.entity, shape);
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'delivery_unreadable') throw error;
    }
  };
  if (deliveries !== null) {
    for (const delivery of await deliveries.listDeliveries()) {
      const opened = deliveries.openDelivery(delivery);
      for (const { entity } of delivery.files) await add(() => opened.describeEntity(entity));
    }
  }
  for (const [entity, file] of Object.entries(settings.files)) {
    const path = settings.outgoing === undefined ? null : join(settings.outgoing, file.file ?? entity);
    if (path !== null && (await isThere(path))) await add(() => new CsvFile(entity, path, file).shape());
  }
  return shapes;
};

const isThere = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
};

const checkFolder = async (
  folder: string | undefined,
  name: string,
  side: 'source' | 'target',
  mode: number,
): Promise<void> => {
  if (folder === undefined) return;
  await withFileErrors(side, `the ${name} folder`, async () => {
    if (!(await stat(folder)).isDirectory())
      throw new SyncError('configuration_invalid', `the ${name} folder is no folder`);
    await access(folder, mode);
  });
};
