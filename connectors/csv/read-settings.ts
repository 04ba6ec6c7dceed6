import { resolveDialect } from '../../formats/csv/dialect.js';
import type { ConnectorSettings } from '../capabilities.js';
import { isRecord, optionalFlag, optionalText, optionalWord, reportUnknown } from '../settings-problems.js';
import type { SettingsProblems } from '../settings-problems.js';
import type { CsvFileSettings, CsvSettings } from './settings.js';

const emptyMeanings = ['null', 'text'] as const;
const lineEndings = ['crlf', 'lf', 'cr'] as const;
const quotings = ['minimal', 'all'] as const;
const fileSettings = [
  ...['file', 'key', 'encoding', 'delimiter', 'quote', 'emptyIs', 'quotedEmptyIs'],
  ...['lineEnding', 'quoting', 'byteOrderMark', 'formulaSafe'],
];

/** The settings of a system of CSV files; what is wrong goes to `problems`. */
export const readCsvSettings = (settings: ConnectorSettings, problems: SettingsProblems): CsvSettings => {
  reportUnknown(settings, ['incoming', 'outgoing', 'files'], '', problems);
  const incoming = optionalText(settings, 'incoming', '', problems);
  const outgoing = optionalText(settings, 'outgoing', '', problems);
  if (incoming === undefined && outgoing === undefined) problems.push('"incoming" or "outgoing" has to name a folder');
  const files: Record<string, CsvFileSettings> = {};
  if (!isRecord(settings['files']) || Object.keys(settings['files']).length === 0)
    problems.push('"files" has to describe at least one file');
  else for (const [entity, file] of Object.entries(settings['files'])) files[entity] = readFile(entity, file, problems);
  return { files, ...(incoming === undefined ? {} : { incoming }), ...(outgoing === undefined ? {} : { outgoing }) };
};

const readFile = (entity: string, file: unknown, problems: SettingsProblems): CsvFileSettings => {
  const where = `files "${entity}": `;
  if (!isRecord(file)) {
    problems.push(`${where}has to be an object`);
    return {};
  }
  reportUnknown(file, fileSettings, where, problems);
  const text = (name: string): string | undefined => optionalText(file, name, where, problems);
  const read: CsvFileSettings = {
    file: text('file'),
    key: keyOf(file['key'], where, problems),
    encoding: text('encoding'),
    delimiter: text('delimiter'),
    quote: text('quote'),
    emptyIs: optionalWord(file, 'emptyIs', emptyMeanings, where, problems),
    quotedEmptyIs: optionalWord(file, 'quotedEmptyIs', emptyMeanings, where, problems),
    lineEnding: optionalWord(file, 'lineEnding', lineEndings, where, problems),
    quoting: optionalWord(file, 'quoting', quotings, where, problems),
    byteOrderMark: optionalFlag(file, 'byteOrderMark', where, problems),
    formulaSafe: optionalFlag(file, 'formulaSafe', where, problems),
  };
  const name = read.file ?? entity;
  // The name is put behind a folder: it may not lead out of it.
  if (/[/\\\0]/.test(name) || name.startsWith('.'))
    problems.push(`${where}the file's name may hold no folder and begin with no dot`);
  try {
    resolveDialect(read);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problems.push(`${where}${error.message}`);
  }
  return read;
};

const keyOf = (key: unknown, where: string, problems: SettingsProblems): string[] | undefined => {
  if (key === undefined) return undefined;
  if (Array.isArray(key) && key.length > 0 && key.every((name): name is string => typeof name === 'string')) return key;
  problems.push(`${where}"key" has to be a list of column names`);
  return undefined;
};
