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
