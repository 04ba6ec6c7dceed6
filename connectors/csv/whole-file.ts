import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SyncError } from '../../domain/errors.js';
import type { RawRow } from '../../domain/rows.js';
import { readCsv } from '../../formats/csv/reader.js';
import { writeCsv } from '../../formats/csv/writer.js';
import { createDigest, sha256File } from '../../platform/hash.js';
import type { TargetEntity, WholeFileTarget } from '../capabilities.js';
import { codeOf, toFileError, withFileErrors } from './errors.js';
import type { CsvFileSettings, CsvSettings } from './settings.js';

/** A temporary file this old was left by a process that died. */
const abandonedAfterMs = 3_600_000;

/** Files that we own, written whole beside themselves and swapped in by rename. */
export class CsvWholeFiles implements WholeFileTarget {
  constructor(
    private readonly folder: string,
    private readonly settings: CsvSettings,
  ) {}

  async currentDigest(target: TargetEntity): Promise<string | null> {
    const { path } = this.fileOf(target.entity);
    return await withFileErrors('target', `"${target.entity}"`, () => digestIfThere(path));
  }

  /** @throws SyncError target_schema_changed where the file has other columns; where there is no file, there are no rows */
  async *readWhole(target: TargetEntity): AsyncGenerator<readonly RawRow[], void, undefined> {
    const { path, file } = this.fileOf(target.entity);
    try {
      if ((await digestIfThere(path)) === null) return;
      for await (const { columns, rows, rejected } of readCsv(createReadStream(path), file)) {
        const places = target.columns.map((name) => columns.indexOf(name));
        if (places.includes(-1))
          throw new SyncError('target_schema_changed', `"${target.entity}" has other columns than its mapping`);
        if (rejected.length > 0)
          throw new SyncError('target_schema_changed', `"${target.entity}" has rows that are none`);
        if (rows.length > 0) yield rows.map((row) => places.map((place) => row[place] ?? null));
      }
    } catch (error) {
      throw toFileError(error, 'target', `"${target.entity}"`);
    }
  }

  /** @throws SyncError target_unreachable, target_forbidden, CsvCharacterError; then the file is as it was */
  async replaceWhole(
    target: TargetEntity,
    rows: AsyncIterable<readonly RawRow[]>,
    expected: string | null,
  ): Promise<{ readonly digest: string; readonly rows: number } | { readonly differs: string | null }> {
    const { path, file } = this.fileOf(target.entity);
    return await withFileErrors('target', `"${target.entity}"`, async () => {
      await removeAbandoned(path);
      const temporary = `${path}.${randomBytes(6).toString('hex')}.part`;
      try {
        const written = await writeThrough(temporary, target.columns, rows, file);
        // As late as can be: between this look and the rename there is no work.
        const found = await digestIfThere(path);
        if (found !== expected) return { differs: found };
        await rename(temporary, path);
        await syncFolder(dirname(path));
        return written;
      } finally {
        await rm(temporary, { force: true });
      }
    });
  }

  private fileOf(entity: string): { readonly path: string; readonly file: CsvFileSettings } {
    const file = this.settings.files[entity];
    if (file === undefined) throw new SyncError('target_schema_changed', `there is no outgoing file "${entity}"`);
    return { path: join(this.folder, file.file ?? entity), file };
  }
}

const digestIfThere = async (path: string): Promise<string | null> => {
  try {
    return await sha256File(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
};

const writeThrough = async (
  path: string,
  columns: readonly string[],
  rows: AsyncIterable<readonly RawRow[]>,
  settings: CsvFileSettings,
): Promise<{ digest: string; rows: number }> => {
  const digest = createDigest();
  let count = 0;
  const counted = async function* (): AsyncGenerator<readonly RawRow[]> {
    for await (const batch of rows) {
      count += batch.length;
      yield batch;
    }
  };
  const digested = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of writeCsv(columns, counted(), settings)) {
      digest.update(chunk);
      yield chunk;
    }
  };
  // Opened first: a stream that opens it by itself may do so after its rows broke off, and after the file was taken away.
  const file = await open(path, 'wx');
  // `flush` is fsync before close: a file that was swapped in is whole after a power cut too.
  await pipeline(digested, file.createWriteStream({ flush: true }));
  return { digest: digest.hex(), rows: count };
};

const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    // Some systems cannot sync a folder; there the rename is durable by itself or not at all.
    if (!['EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP'].includes(codeOf(error) ?? '')) throw error;
  } finally {
    await folder.close();
  }
};

const removeAbandoned = async (path: string): Promise<void> => {
  const folder = dirname(path);
  const own = new RegExp('^\\.[0-9a-f]{12}\\.part$');
  for (const name of await readdir(folder)) {
    if (!name.startsWith(basename(path)) || !own.test(name.slice(basename(path).length))) continue;
    const { mtimeMs } = await stat(join(folder, name));
    if (Date.now() - mtimeMs > abandonedAfterMs) await rm(join(folder, name), { force: true });
  }
};
