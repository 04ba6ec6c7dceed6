import { IntlMessageFormat } from 'intl-messageformat';
import Negotiator from 'negotiator';
import type { ProblemCode } from '../common/problem.js';
import { arabic } from './ar.js';
import type { Catalogue, FieldKey, SentenceKey } from './catalogue.js';
import { german } from './de.js';
import { fields, sentences } from './en.js';

/** Problems are told in these; what a caller prefers is negotiated (RFC 9110, Accept-Language). */
export const languages = ['en', 'de', 'ar'] as const;
export type Language = (typeof languages)[number];

const catalogues: Readonly<Record<Exclude<Language, 'en'>, Catalogue>> = { de: german, ar: arabic };

type Values = Readonly<Record<string, string | number>>;

/** What is to be said, in whatever language. */
export interface Said {
  readonly key: SentenceKey;
  readonly values: Values;
}

/** What is wrong with a field. */
export interface SaidOfField {
  readonly field: FieldKey;
  readonly values: Values;
}

/** A sentence of the catalogues. */
export const say = (key: SentenceKey, values: Values = {}): Said => ({ key, values });

/** The language that a caller prefers among ours; English where none of ours is asked for. */
export const languageOf = (header: string | null): Language => {
  if (header === null) return 'en';
  const [preferred] = new Negotiator({ headers: { 'accept-language': header } }).languages([...languages]);
  return languages.find((one) => one === preferred) ?? 'en';
};

/** A sentence in a language. */
export const inWords = ({ key, values }: Said, language: Language): string =>
  format(language === 'en' ? sentences[key] : catalogues[language].sentences[key], language, values);

/** What is wrong with a field, in a language. */
export const fieldInWords = ({ field, values }: SaidOfField, language: Language): string =>
  format(language === 'en' ? fields[field] : catalogues[language].fields[field], language, values);

/** The title of a code in a language that is not English. */
export const titleIn = (code: ProblemCode, language: Exclude<Language, 'en'>): string =>
  catalogues[language].titles[code];

/** What a code means in general, in a language that is not English. */
export const detailIn = (code: ProblemCode, language: Exclude<Language, 'en'>): string =>
  catalogues[language].details[code];

/** Whether the catalogues know a rule of fields. */
export const isFieldKey = (name: string): name is FieldKey => Object.hasOwn(fields, name);

const formats = new Map<string, IntlMessageFormat>();

const format = (text: string, language: Language, values: Values): string => {
  const id = `${language} ${text}`;
  let known = formats.get(id);
  if (known === undefined) {
    // Digits as in ids and codes, which stand beside them.
    known = new IntlMessageFormat(text, `${language}-u-nu-latn`, undefined, { ignoreTag: true });
    formats.set(id, known);
  }
  return String(known.format(values));
};
