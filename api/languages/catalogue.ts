import type { ProblemCode } from '../common/problem.js';
import type { fields, sentences } from './en.js';

/** A sentence with parameters (ICU MessageFormat). */
export type SentenceKey = keyof typeof sentences;
/** What is wrong with a field, by the rule that it breaks. */
export type FieldKey = keyof typeof fields;

/** What problems say in one language. Codes are the same in all. */
export interface Catalogue {
  /** A code in words. */
  readonly titles: Readonly<Record<ProblemCode, string>>;
  /** What a code means and what to do, in general: told where the English detail has no sentence of its own here. */
  readonly details: Readonly<Record<ProblemCode, string>>;
  readonly sentences: Readonly<Record<SentenceKey, string>>;
  readonly fields: Readonly<Record<FieldKey, string>>;
}
