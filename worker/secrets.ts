import { ConfigError, readSecret } from '../config/env.js';
import { SyncError } from '../domain/errors.js';

type Settings = Readonly<Record<string, unknown>>;

/** Settings of a system with `{ env: NAME }`, at any depth, replaced by the secret of that name. Nothing of a secret is told.
 *  @throws SyncError configuration_invalid */
export function resolveSecrets(settings: Settings, read: (name: string) => string | null = readSecret): Settings {
  // By which the API knows who calls: nothing of the connection.
  const { webhook: _webhook, ...own } = settings;
  return resolvedMembers(own, read);
}

const resolvedMembers = (settings: Settings, read: (name: string) => string | null): Settings =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, resolved(value, read)]));

function resolved(value: unknown, read: (name: string) => string | null): unknown {
  if (Array.isArray(value)) return value.map((item) => resolved(item, read));
  if (typeof value !== 'object' || value === null) return value;
  const keys = Object.keys(value);
  if (keys.length === 1 && 'env' in value && typeof value.env === 'string') return secret(value.env, read);
  return resolvedMembers(value as Settings, read);
}

function secret(name: string, read: (name: string) => string | null): string {
  try {
    const found = read(name);
    if (found !== null) return found;
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    throw new SyncError('configuration_invalid', `${name} may not be read as a secret.`, { cause });
  }
  throw new SyncError('configuration_invalid', `The secret ${name} is not set where the worker runs.`);
}
