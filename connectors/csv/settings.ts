import type { CsvWriteDialect } from '../../formats/csv/writer.js';

/** One kind of file. */
export interface CsvFileSettings extends CsvWriteDialect {
  /** The file's name, with `*` for what changes (`hd*.csv`); default: the entity's name. Names of outgoing files have no `*`. */
  readonly file?: string;
  /** Columns that tell rows apart. */
  readonly key?: readonly string[];
}

/** Folders that files come from and go to, and what the files are. A folder that is not named leaves its capability out. */
export interface CsvSettings {
  /** Each folder in it is a delivery; so are the files that stand in it directly, under the name `.`. */
  readonly incoming?: string;
  readonly outgoing?: string;
  readonly files: Readonly<Record<string, CsvFileSettings>>;
}

/** The entity whose file this is, by the settings; null for a file that is none of ours. */
export const entityOfFile = (settings: CsvSettings, name: string): string | null => {
  const found = Object.entries(settings.files).find(([entity, file]) => matches(file.file ?? entity, name));
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
