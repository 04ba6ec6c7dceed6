import iconv from 'iconv-lite';

/** How a CSV file is spelled. What is absent has the default that its comment names. */
export interface CsvDialect {
  /** Default `utf-8`. `iso-8859-1` is exactly that (byte 0x96 is U+0096), not windows-1252. `utf-16` takes its byte order from the mark. */
  readonly encoding?: string;
  /** One character; default comma. */
  readonly delimiter?: string;
  /** One character; default double quote. A quote inside a quoted field is doubled. */
  readonly quote?: string;
  /** What a field without quotes and characters says: `null` (default) or the empty `text`. */
  readonly emptyIs?: EmptyMeaning;
  /** What `""` says; default `null`. */
  readonly quotedEmptyIs?: EmptyMeaning;
}

export type EmptyMeaning = 'null' | 'text';

/** The dialect with its defaults, checked. */
export interface ResolvedDialect {
  readonly encoding: CsvEncoding;
  readonly delimiter: string;
  readonly quote: string;
  readonly unquotedEmpty: '' | null;
  readonly quotedEmpty: '' | null;
}

/** The families of encodings that a byte offset can be counted in. `name` is what iconv-lite calls it. */
export interface CsvEncoding {
  readonly family: 'utf-8' | 'utf-16' | 'utf-16le' | 'utf-16be' | 'latin-1' | 'single-byte';
  readonly name: string;
}

const families: Readonly<Record<string, CsvEncoding['family']>> = {
  utf8: 'utf-8',
  utf16: 'utf-16',
  utf16le: 'utf-16le',
  utf16be: 'utf-16be',
  latin1: 'latin-1',
  iso88591: 'latin-1',
};
const singleByte =
  /^(windows-?125\d|cp125\d|(iso-?)?8859-?\d{1,2}|iso-?8859-?\d{1,2}|latin-?\d{1,2}|cp(437|850|852|866)|macintosh|koi8-?[ru]|(us-?)?ascii)$/i;

/** @throws RangeError naming the encoding where it is none that we read and write */
export const resolveEncoding = (name: string): CsvEncoding => {
  const family = families[name.toLowerCase().replaceAll(/[-_ ]/g, '')];
  if (family !== undefined) return { family, name };
  if (singleByte.test(name) && iconv.encodingExists(name)) return { family: 'single-byte', name };
  throw new RangeError(
    `"${name}" is no encoding that CSV files can have here (utf-8, utf-16, iso-8859-1, windows-1252 …)`,
  );
};

/** @throws RangeError naming what is wrong */
export const resolveDialect = (dialect: CsvDialect): ResolvedDialect => {
  const { delimiter = ',', quote = '"' } = dialect;
  for (const [what, sign] of Object.entries({ delimiter, quote })) {
    // The structure is searched for before characters are decoded one by one, so it has to be ASCII and a single unit.
    if (!/^[\t\x20-\x7e]$/.test(sign)) throw new RangeError(`the ${what} has to be one ASCII character`);
  }
  if (delimiter === quote) throw new RangeError('delimiter and quote have to differ');
  return {
    encoding: resolveEncoding(dialect.encoding ?? 'utf-8'),
    delimiter,
    quote,
    unquotedEmpty: dialect.emptyIs === 'text' ? '' : null,
    quotedEmpty: dialect.quotedEmptyIs === 'text' ? '' : null,
  };
};
