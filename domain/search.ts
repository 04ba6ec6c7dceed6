import type { Stated } from './canonical.js';
import type { EntityTypeDefinition } from './entity-type.js';
import { nameWords } from './name-key.js';
import { compilePath, type RecordPath } from './paths.js';

/* By what records are found. */

/** The paths by whose words records of a type are found. */
export const searchPaths = (type: EntityTypeDefinition): readonly string[] =>
  type.search ?? type.corroboration?.name ?? [];

/** The paths, compiled. @throws SyncError configuration_invalid */
export const compileSearch = (type: EntityTypeDefinition): readonly RecordPath[] =>
  searchPaths(type).map((path) => compilePath(type, path));

/** Longer words are cut: nobody types more, and an index holds no more. */
const longest = 100;

/** The words of names as they are kept and looked for, each once. */
export const searchWords = (texts: readonly string[]): string[] => [
  ...new Set(
    nameWords(texts).map((word) => (word.length <= longest ? word : Array.from(word).slice(0, longest).join(''))),
  ),
];

/** The words by which a record is found, whenever they hold: former names too. */
export const wordsOf = (paths: readonly RecordPath[], values: readonly (Stated | null)[]): string[] =>
  searchWords(paths.flatMap((path) => path.texts(values, null)));

/** The spellings in which an identifier or a key of a system may be kept: as it was typed, without white space, in either case. */
export const spellingsOf = (typed: string): string[] => {
  const text = typed.trim().normalize('NFC');
  const close = text.replaceAll(/\s+/g, '');
  return [...new Set([text, close].flatMap((one) => [one, one.toUpperCase(), one.toLowerCase()]))].filter(
    (one) => one !== '',
  );
};
