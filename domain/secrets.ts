/* Secrets stand in the environment of the workers. A setting names the variable, and nothing that is configured holds the secret
   itself: told by its name, or by its form. */

const secretName = /password|passwd|secret|token|api_?key|private_?key|credential/i;
const urlWithPassword = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s:@]*:[^/?#\s@]*@/i;

/** Why a text, under the name of its setting, is a secret that stands openly; null: it is none. */
export const openSecret = (name: string, value: string): string | null => {
  if (urlWithPassword.test(value)) return 'the address holds a password';
  return secretName.test(name) ? `${name} is a secret and stands here openly` : null;
};

/** How the names of variables begin that a setting may name; as in `config/env.ts`, which reads them. */
export const secretPrefix = 'CONCORD_SECRET_';

/** Whether a setting may name this variable: whoever writes configuration must not be able to read the rest of the environment. */
export const isSecretName = (name: string): boolean => name.startsWith(secretPrefix);
