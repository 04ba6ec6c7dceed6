import { SyncError } from '../../domain/errors.js';
import type { ErrorCode } from '../../domain/errors.js';

/** The error of a file operation in our words; one of ours is handed on as it is. `what` begins the message: it names our own
 *  configuration, never content. */
export const toFileError = (error: unknown, side: 'source' | 'target', what: string): unknown => {
  const code = codeOf(error);
  if (error instanceof SyncError || code === null) return error;
  const forbidden = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  const ours: ErrorCode = `${side}_${forbidden ? 'forbidden' : 'unreachable'}`;
  return new SyncError(ours, `${what}: ${code}`, { cause: error });
};

/** The system's code of a failed file operation, null for any other error. (Not `instanceof Error`: an error of Node's own may
 *  come from another realm.) */
export const codeOf = (error: unknown): string | null => {
  if (typeof error !== 'object' || error === null || !('code' in error) || typeof error.code !== 'string') return null;
  return /^E[A-Z0-9]+$/.test(error.code) ? error.code : null;
};

/** Runs work and gives its errors our words. */
export const withFileErrors = async <T>(
  side: 'source' | 'target',
  what: string,
  work: () => Promise<T>,
): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    throw toFileError(error, side, what);
  }
};
