/** The kind of file that a name is of: by its own name, or a pattern in which `*` stands for what changes. */
export interface NamedFile {
  readonly file?: string;
}

/** The entity whose file this is, by the settings of its system; null for a file that is none of theirs. */
export const entityOfFile = (files: Readonly<Record<string, NamedFile>>, name: string): string | null => {
  const found = Object.entries(files).find(([entity, { file }]) => matches(file ?? entity, name));
  return found?.[0] ?? null;
};

const matches = (pattern: string, name: string): boolean => {
  const [head = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === name;
  if (!name.startsWith(head)) return false;
  // A loop instead of a regular expression made from the settings.
  let at = head.length;
  for (const [index, part] of rest.entries()) {
    const isLast = index === rest.length - 1;
    const found = isLast ? name.length - part.length : name.indexOf(part, at);
    if (found < at || !name.startsWith(part, found)) return false;
    at = found + part.length;
  }
  return true;
};
