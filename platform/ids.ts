import { createHash, randomBytes, randomUUID } from 'node:crypto';

/** Makes ids and keys. Given to whatever needs it, so that a test can foretell them. */
export interface Ids {
  /** A UUID whose text sorts by the time it was made, so that an index on it grows at one end. */
  newId(): string;
  /** A secret that nobody can guess, safe in headers and on command lines. */
  newKey(): string;
}

/** From the system's source of randomness. */
export const randomIds: Ids = {
  newId: () => timeOrderedUuid(Date.now(), randomUUID()),
  newKey: () => randomBytes(24).toString('base64url'),
};

/** The same ids and keys in every run. For tests. */
export function countedIds(seed = 'ids'): Ids {
  let count = 0;
  const next = (): Buffer => {
    count += 1;
    return createHash('sha256').update(`${seed} ${count}`).digest();
  };
  return {
    newId: () => timeOrderedUuid(count + 1, asUuid(next())),
    newKey: () => next().subarray(0, 24).toString('base64url'),
  };
}

/* UUID version 7 (RFC 9562): 48 bits of milliseconds, then the random part of a version 4. */
function timeOrderedUuid(milliseconds: number, random: string): string {
  const time = milliseconds.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}

function asUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
