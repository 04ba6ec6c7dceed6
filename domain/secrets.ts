/* Secrets stand in the environment of the workers. A setting names the variable, and nothing that is configured holds the secret
   itself: told by its name, or by its form. */

const secretName = /password|passwd|secret|token|api_?key|private_?key|credential/i;
const urlWithPassword = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s:@]*:[^/?#\s@]*@/i;

/** Why a text, under the name of its setting, is a secret that stands openly; null: it is none. */
export const openSecret = (name: string, value: string): string | null => {
  if (urlWithPassword.test(value)) return 'the address holds a password';
  return secretName.test(name) ? `${name} is a secret and stands here openly` : null;
};
