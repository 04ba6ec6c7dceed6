import { rm } from 'node:fs/promises';
import { createConnector } from '../connectors/registry.js';
import type { Hub } from '../database/hub.js';
import { uploadedFile, uploadFolder } from '../database/uploads.js';
import { SyncError } from '../domain/errors.js';
import type { Log } from '../platform/log.js';
import { resolveSecrets } from './secrets.js';

interface UploadRow {
  readonly system_id: number;
  readonly kind: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
  readonly manifest: string | null;
  readonly state: string;
  readonly actor: string;
}

export interface PlaceUploadOptions {
  readonly hub: Hub;
  readonly log: Log;
  readonly spoolFolder: string;
}

/** Takes an upload over that the API received whole: puts it where deliveries of its system come in, and wakes the jobs that read
 *  them. Idempotent; what cannot be placed for good is refused with its reason. */
export async function placeUpload(
  { hub, log, spoolFolder }: PlaceUploadOptions,
  institutionId: number,
  uploadId: string,
): Promise<void> {
  const upload = await readUpload(hub, institutionId, uploadId);
  if (upload === null || (upload.state !== 'received' && upload.state !== 'placed')) return;
  if (upload.state === 'received') {
    const refused = await place(upload, uploadId, spoolFolder);
    await settle(hub, institutionId, uploadId, upload, refused);
    log.info({ uploadId, systemId: upload.system_id, code: refused?.code ?? null }, 'an upload was taken over');
    if (refused !== null) return;
  }
  await rm(uploadFolder(spoolFolder, uploadId), { recursive: true, force: true });
}

async function place(upload: UploadRow, uploadId: string, spoolFolder: string): Promise<SyncError | null> {
  try {
    const connector = createConnector(upload.kind, resolveSecrets(upload.settings));
    try {
      if (connector.inbox === undefined)
        throw new SyncError('configuration_invalid', 'the system takes no deliveries from elsewhere');
      await connector.inbox.place({
        name: `upload-${uploadId.padStart(12, '0')}`,
        files: upload.files.map(({ name, sha256 }, index) => ({
          ...{ name, sha256 },
          path: uploadedFile(spoolFolder, uploadId, index),
        })),
        manifest: upload.manifest,
      });
      return null;
    } finally {
      await connector.close();
    }
  } catch (error) {
    if (!(error instanceof SyncError) || error.retryable) throw error;
    return error;
  }
}

async function readUpload(hub: Hub, institutionId: number, uploadId: string): Promise<UploadRow | null> {
  return await hub.read(institutionId, async (client) => {
    const { rows } = await client.query<UploadRow>(
      `select u.system_id, s.kind, s.settings, u.files, u.manifest, u.state, u.actor
       from uploads u join data_source_configurations s on s.id = u.system_id where u.id = $1`,
      [uploadId],
    );
    return rows[0] ?? null;
  });
}

/* The word to the jobs in the same transaction: both or neither. */
async function settle(
  hub: Hub,
  institutionId: number,
  uploadId: string,
  upload: UploadRow,
  refused: SyncError | null,
): Promise<void> {
  await hub.transaction(institutionId, async (client) => {
    const { rowCount } = await client.query(
      `update uploads set state = $2, error_code = $3, reason = $4, updated_at = now() where id = $1 and state = 'received'`,
      [uploadId, refused === null ? 'placed' : 'refused', refused?.code ?? null, refused?.message ?? null],
    );
    if (rowCount === 0 || refused !== null) return;
    await client.query('select wake_jobs_of_system($1, $2)', [upload.system_id, upload.actor]);
  });
}
