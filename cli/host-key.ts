import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/env.js';
import { randomIds } from '../platform/ids.js';

/** The key of the host: that of the environment, else one of this installation, made when it is first needed and kept in a file that
 *  only its user can read. `file` null: it is the environment's. */
export function hostKeyOf(config: Config, folder: string): { readonly key: string; readonly file: string | null } {
  const { hostKey } = config.access;
  if (hostKey !== null) return { key: hostKey, file: null };
  const file = join(folder, 'host-key');
  if (!existsSync(file)) writeFileSync(file, `concord_host_${randomIds.newKey()}\n`, { mode: 0o600 });
  return { key: readFileSync(file, 'utf8').trim(), file };
}
