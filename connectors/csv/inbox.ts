import { constants } from 'node:fs';
import { copyFile, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SyncError } from '../../domain/errors.js';
import { sha256File } from '../../platform/hash.js';
import type { DeliveryInbox, PlacedDelivery } from '../capabilities.js';
import { codeOf, withFileErrors } from './errors.js';
import { manifestName } from './manifest.js';

/** Puts deliveries that came by another way into the incoming folder: copied under a hidden name, then there at once and whole. */
export class CsvInbox implements DeliveryInbox {
  constructor(private readonly folder: string) {}

  async place({ name, files, manifest }: PlacedDelivery): Promise<void> {
    await withFileErrors('source', `placing delivery "${name}"`, async () => {
      const target = join(this.folder, name);
      if (await isThere(target)) return;
      const draft = join(this.folder, `.${name}.part`);
      await rm(draft, { recursive: true, force: true });
      await mkdir(draft);
      for (const file of files) {
        const path = join(draft, file.name);
        await copyFile(file.path, path, constants.COPYFILE_FICLONE);
        if ((await sha256File(path)) !== file.sha256)
          throw new SyncError('delivery_incomplete', `"${file.name}" is not what was announced`);
        await flush(path);
      }
      if (manifest !== null) await writeFile(join(draft, manifestName), manifest, { flush: true });
      await flush(draft);
      await rename(draft, target);
      await flush(this.folder);
    });
  }
}

const isThere = async (path: string): Promise<boolean> => {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
};

/* What was renamed into place is whole after a power cut too. */
const flush = async (path: string): Promise<void> => {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some systems cannot sync a folder.
    if (!['EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP'].includes(codeOf(error) ?? '')) throw error;
  } finally {
    await handle.close();
  }
};
