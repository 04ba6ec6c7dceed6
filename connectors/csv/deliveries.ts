import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SyncError } from '../../domain/errors.js';
import { entityOfFile } from '../../formats/csv/file-names.js';
import { digestOfContents, sha256File } from '../../platform/hash.js';
import type {
  Catalogue,
  DeliveredFile,
  Delivery,
  DeliveryManifest,
  DeliveryReader,
  EntityShape,
  SnapshotReader,
} from '../capabilities.js';
import { CsvFile } from './csv-file.js';
import { codeOf, withFileErrors } from './errors.js';
import { manifestName, readManifest } from './manifest.js';
import type { CsvSettings } from './settings.js';

/** The files that stand in the incoming folder itself. */
const looseFiles = '.';

/** Deliveries of files: the incoming folder's own files and each of its folders. Files that are none of ours, hidden ones and
 *  those still being written (`.part`) are passed over; so is a folder without a file of ours. */
export class CsvDeliveries implements DeliveryReader {
  /** Digests by the file's identity: a folder that is polled is not read again and again. */
  private readonly digests = new Map<string, string>();

  constructor(
    private readonly folder: string,
    private readonly settings: CsvSettings,
  ) {}

  async listDeliveries(): Promise<Delivery[]> {
    return await withFileErrors('source', 'listing the incoming folder', async () => {
      const entries = await readdir(this.folder, { withFileTypes: true });
      const folders = entries
        .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
        .map(({ name }) => name);
      const found: Delivery[] = [];
      for (const name of [looseFiles, ...folders.sort()]) {
        const delivery = await this.find(name);
        if (delivery !== null) found.push(delivery);
      }
      return found;
    });
  }

  async verifyDelivery(delivery: Delivery): Promise<void> {
    await withFileErrors('source', `delivery "${delivery.name}"`, async () => {
      const manifest = await readManifest(this.pathOf(delivery.name));
      const now = await this.find(delivery.name);
      if (now?.digest !== delivery.digest) {
        throw new SyncError('delivery_incomplete', `delivery "${delivery.name}" changed since it was listed`);
      }
      for (const file of delivery.files) await this.fileOf(delivery, file).shape();
      if (manifest !== null) await this.compare(delivery, manifest);
    });
  }

  openDelivery(delivery: Delivery): SnapshotReader & Catalogue {
    const fileOf = (entity: string): CsvFile => {
      const found = delivery.files.find((file) => file.entity === entity);
      if (found === undefined)
        throw new SyncError('source_schema_changed', `delivery "${delivery.name}" has no file "${entity}"`);
      return this.fileOf(delivery, found);
    };
    return {
      discoverEntities: () => Promise.all(delivery.files.map((file) => this.fileOf(delivery, file).shape())),
      describeEntity: async (entity): Promise<EntityShape> => await fileOf(entity).shape(),
      planPartitions: async ({ entity }) => [await fileOf(entity).partition()],
      readPartition: (request, _partition, after, signal) => fileOf(request.entity).read(request, after, signal),
    };
  }

  private pathOf(name: string): string {
    return join(this.folder, name);
  }

  private fileOf(delivery: Delivery, file: DeliveredFile): CsvFile {
    return new CsvFile(
      file.entity,
      join(this.pathOf(delivery.name), file.name),
      this.settings.files[file.entity] ?? {},
      file.bytes,
    );
  }

  private async find(name: string): Promise<Delivery | null> {
    const folder = this.pathOf(name);
    const entries = await readdir(folder, { withFileTypes: true });
    const files: DeliveredFile[] = [];
    for (const entry of entries.sort((left, right) => (left.name < right.name ? -1 : 1))) {
      const entity =
        entry.isFile() && !/^\.|\.part$/.test(entry.name) ? entityOfFile(this.settings.files, entry.name) : null;
      if (entity !== null)
        files.push({ entity, name: entry.name, ...(await this.contentOf(join(folder, entry.name))) });
    }
    if (files.length === 0) return null;
    const hasManifest = entries.some((entry) => entry.isFile() && entry.name === manifestName);
    const contents = files.map((file) => [file.name, file.sha256] as const);
    if (hasManifest) contents.push([manifestName, await sha256File(join(folder, manifestName))]);
    return { name, digest: digestOfContents(contents), files, manifest: await readableManifest(folder) };
  }

  private async contentOf(path: string): Promise<{ sha256: string; bytes: number }> {
    const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
    const identity = [path, dev, ino, size, mtimeNs].join('|');
    const sha256 = this.digests.get(identity) ?? (await sha256File(path));
    this.digests.set(identity, sha256);
    return { sha256, bytes: Number(size) };
  }

  private async compare(delivery: Delivery, manifest: DeliveryManifest): Promise<void> {
    const incomplete = (name: string, why: string): SyncError =>
      new SyncError('delivery_incomplete', `delivery "${delivery.name}": ${name} ${why}`);
    for (const [name, { rows, sha256 }] of Object.entries(manifest.files)) {
      const file = delivery.files.find((delivered) => delivered.name === name);
      if (file === undefined) {
        // The manifest may speak of files that are none of ours; they have to be there all the same.
        if (!(await isFile(join(this.pathOf(delivery.name), name)))) throw incomplete(name, 'is missing');
        continue;
      }
      if (sha256 !== undefined && sha256 !== file.sha256)
        throw incomplete(name, 'has another sha256 than its manifest');
      const found = rows === undefined ? undefined : await this.fileOf(delivery, file).countRows();
      if (found !== rows) throw incomplete(name, `has ${String(found)} rows, its manifest says ${String(rows)}`);
    }
    const twice = delivery.files.find(
      (file, index) => delivery.files.findIndex(({ entity }) => entity === file.entity) !== index,
    );
    if (twice !== undefined)
      throw new SyncError('delivery_unreadable', `delivery "${delivery.name}" has several files "${twice.entity}"`);
  }
}

/** A delivery with a manifest that cannot be read is listed all the same, so that the others are; verifying it refuses it. */
const readableManifest = async (folder: string): Promise<DeliveryManifest | null> => {
  try {
    return await readManifest(folder);
  } catch (error) {
    if (error instanceof SyncError) return null;
    throw error;
  }
};

const isFile = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
};
