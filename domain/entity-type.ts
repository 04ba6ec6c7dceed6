import type { Reassertion, Strategy } from './strategy.js';

/** *mastered*: matched and merged (people, courses, organisations). *reconciled*: identity is a declared natural key of golden
 *  references and attributes (enrolments, affiliations, relationships). *posted*: one owner, append-only, no golden record
 *  (payments, grades). */
export type EntityKind = 'mastered' | 'reconciled' | 'posted';

/** Canonical attribute types. Values are JSON: text for `text`, `date` (YYYY-MM-DD), `timestamp` (RFC 3339 UTC), `decimal`
 *  (canonical digits as text), `code`; a JSON boolean for `boolean`; for `reference` the golden id of another record as text. */
export const attributeTypes = ['text', 'date', 'timestamp', 'decimal', 'boolean', 'code', 'reference'] as const;
export type AttributeType = (typeof attributeTypes)[number];

export interface AttributeDefinition {
  readonly name: string;
  readonly type: AttributeType;
  /** For `reference`: the entity type referred to. */
  readonly references?: string;
  /** For `code`: the code table whose concepts are meant. */
  readonly codeTable?: string;
}

/** Who may speak for a group: the first rule whose population and period hold decides; where none does, all may speak. */
export interface AuthorityRule {
  /** A predicate on the record; absent: every record. */
  readonly population?: Condition;
  readonly from?: string;
  readonly to?: string;
  /** Systems that may speak, in order of trust. */
  readonly systems: readonly string[];
}

/** Attributes that move as one. A group of one attribute has that attribute's value; of several, an object of them; a
 *  multi-valued group a list of such. */
export interface GroupDefinition {
  readonly name: string;
  readonly attributes: readonly AttributeDefinition[];
  readonly multiValued?: boolean;
  readonly strategy: Strategy;
  readonly fallback?: 'source_priority' | 'conflict';
  readonly priority: readonly string[];
  readonly authority?: readonly AuthorityRule[];
  readonly reassertion?: Reassertion;
  /** The attributes of this group that say from when and to when (included) its value, or each of its elements, holds. */
  readonly validity?: { readonly from: string; readonly to: string };
  /** Who may see it: `open`, `personal` (default) or `sensitive`. */
  readonly sensitivity?: 'open' | 'personal' | 'sensitive';
}

/** An identifier by which records of several systems are known to be the same: compared by equality of normalised text. */
export interface IdentifierScheme {
  readonly scheme: string;
  /** Values that mean "unknown" and never link. */
  readonly placeholders?: readonly string[];
  /** An address at which several people may be reached (e-mail, telephone): never links alone. */
  readonly shared?: boolean;
  /** Who may see its values: `open`, `personal` (default) or `sensitive`. */
  readonly sensitivity?: 'open' | 'personal' | 'sensitive';
}

/** The groups (dotted with the attribute where the group has several) that must agree before an identifier links. */
export interface Corroboration {
  readonly name: readonly string[];
  readonly birthDate?: string;
}

export interface EntityTypeDefinition {
  readonly name: string;
  readonly kind: EntityKind;
  /** In this order everywhere: values of a record are a list in the order of the groups. */
  readonly groups: readonly GroupDefinition[];
  readonly identifiers?: readonly IdentifierScheme[];
  readonly corroboration?: Corroboration;
  /** Whose data it is, for erasure: the record itself, the record a reference attribute names, or nobody's. */
  readonly subject: 'self' | 'none' | { readonly reference: string };
  /** For reconciled types: the paths whose values are the identity. */
  readonly naturalKey?: readonly string[];
  /** Paths of the dates from and to which (included) the record holds. */
  readonly validity?: { readonly from: string; readonly to: string };
  /** The paths by whose words a record is found (default: the names of its corroboration). */
  readonly search?: readonly string[];
}

/** A predicate on a source row (`field`: a column) or on a canonical record (`field`: a path `group` or `group.attribute`).
 *  Cells are compared without outer white space. Of a multi-valued group it is enough that one element fits. */
export type Condition =
  | { readonly field: string; readonly is: 'present' | 'blank' }
  | { readonly field: string; readonly equals: string }
  | { readonly field: string; readonly in: readonly string[] }
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition };
