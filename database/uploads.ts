import { join } from 'node:path';

/* Where the API leaves what was sent, and the worker finds it: ids and ordinals only, so that no name leads anywhere. */

export const uploadFolder = (spoolFolder: string, uploadId: string): string =>
  join(spoolFolder, BigInt(uploadId).toString());

export const uploadedFile = (spoolFolder: string, uploadId: string, index: number): string =>
  join(uploadFolder(spoolFolder, uploadId), String(index));
