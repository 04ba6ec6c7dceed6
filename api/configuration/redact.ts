import { openSecret } from '../../domain/secrets.js';

const hidden = '•••';

/** A definition as it is shown. Secrets are refused where a configuration is judged; should one stand in the database all the
 *  same, it does not leave it. */
export const redacted = (value: unknown, name = ''): unknown => {
  if (typeof value === 'string') return openSecret(name, value) === null ? value : hidden;
  if (Array.isArray(value)) return value.map((item) => redacted(item, name));
  if (typeof value !== 'object' || value === null || 'env' in value) return value;
  return Object.fromEntries(Object.entries(value).map(([member, inner]) => [member, redacted(inner, member)]));
};
