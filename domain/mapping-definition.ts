import type { Condition } from './entity-type.js';
import type { RuleDefinition } from './rule-definition.js';

/** A named standardizer and its options, applied in order. Names and options: `domain/standardizers.ts`. */
export interface StandardizerStep {
  readonly use: string;
  readonly [option: string]: unknown;
}

/** How one canonical attribute is read from a source row. A value that cannot be read (a broken step or rule) is never the
 *  same as a blank one: its whole group then says nothing, so that a typing error empties no golden value. */
export interface FieldMapping {
  /** A column; several are joined by one space after each is trimmed; a constant instead. */
  readonly from?: string;
  readonly fromAll?: readonly string[];
  readonly constant?: string;
  readonly steps?: readonly StandardizerStep[];
  /** What a blank cell says: nothing (default), or that the value is explicitly empty. Of a group of several attributes: what
   *  is said where all of them are blank (`empty` at any of them counts). */
  readonly blank?: 'nothing' | 'empty';
  /** For a multi-valued group of one attribute: what separates its values within the cell. */
  readonly separator?: string;
}

/** A lone attribute: the field itself. Several: attribute → field. A multi-valued group: a list of either, one for each
 *  element; constants alone (the `kind` of a telephone number) make no element. */
export type GroupMapping =
  | FieldMapping
  | Readonly<Record<string, FieldMapping>>
  | readonly (FieldMapping | Readonly<Record<string, FieldMapping>>)[];

/** A reference to the record that another source row (or this one) became: by mapping and key, before golden ids are known. */
export interface ReferenceMapping {
  /** `system.entity` of the mapping whose row is meant; absent: this mapping. */
  readonly mapping?: string;
  /** The columns of this row that hold the key of the row meant; absent: this row's own key. */
  readonly key?: readonly string[];
  readonly subKey?: string;
  /** What a blank key says: nothing (default), or that there is no such record any more (for a group of its own). */
  readonly blank?: 'nothing' | 'empty';
}

/** One record that a source row becomes. The main one has the sub-key `''`; a student row may carry two guardians. */
export interface RecordTemplate {
  readonly entityType: string;
  readonly subKey?: string;
  readonly when?: Condition;
  /** A group that is left out says nothing. */
  readonly groups: Readonly<Record<string, GroupMapping>>;
  /** Identifier scheme → the field; its text is trimmed and NFC-normalised after the steps. */
  readonly identifiers?: Readonly<Record<string, FieldMapping>>;
  /** Group (or `group.attribute`) of type reference → which record. */
  readonly references?: Readonly<Record<string, ReferenceMapping>>;
  /** True source-effective time, for `most_recent`. */
  readonly effectiveAt?: FieldMapping;
  readonly restrictions?: readonly RestrictionMapping[];
}

/** A row that says so places a restriction on its record: it may not be sent to the recipient class. */
export interface RestrictionMapping {
  readonly recipientClass: string;
  readonly when: Condition;
}

export interface SourceMapping {
  readonly columns: readonly string[];
  readonly key: readonly string[];
  readonly filter?: Condition;
  readonly watermark?: { readonly column: string; readonly lagSeconds?: number };
  /** Name of a scope → the column that tells a row's part of it (`campus` → `campus_name`). */
  readonly scope?: Readonly<Record<string, string>>;
  /** What a file without a manifest is: complete for everything, or not (default). Database tables read in full are complete. */
  readonly completeByDefault?: boolean;
  readonly records: readonly RecordTemplate[];
  readonly rules?: readonly RuleDefinition[];
}

/** One column of a target row. `from` is a path on the root record (`email`, `address.city`), through references
 *  (`person.legal_name.given`), or into the element of a multi-valued group (`phones[kind=home].value`). A column that only
 *  gives a key column its place among the others has none of `from`, `firstOf` and `constant`. */
export interface TargetColumn {
  readonly column: string;
  readonly from?: string;
  /** The first path that has a value. */
  readonly firstOf?: readonly string[];
  readonly constant?: string;
  /** Applied in order in the writing direction: a `date` step writes the first of its formats. */
  readonly steps?: readonly StandardizerStep[];
  /** Joins the elements of a multi-valued group; without it the first one is written. */
  readonly separator?: string;
  /** In characters. A longer value is a problem and its row is not written: a cut value would come back as an edit. */
  readonly maxLength?: number;
  /** Written when the row is created, never changed afterwards. */
  readonly createOnly?: boolean;
}

export interface TargetKey {
  readonly column: string;
  readonly identifier?: string;
  readonly of?: string;
  readonly source?: true;
  readonly from?: string;
}

/** How an entry of a target where entries are only ever added is taken back: by one that is its opposite. */
export interface Compensation {
  /** The key column by which the entry that takes back is told from the one that it takes back: its key is followed by `suffix` and
   *  the number of the run that takes it back. */
  readonly key: { readonly column: string; readonly suffix: string };
  /** Columns of which it has the number with the other sign. */
  readonly negate: readonly string[];
  /** Columns in which it says something else: its kind, its text. */
  readonly set?: Readonly<Record<string, string>>;
  /** The column that names the key of the entry that it takes back. */
  readonly original?: string;
}

export interface TargetMapping {
  readonly root: string;
  /** Only root records for which this holds. */
  readonly filter?: Condition;
  /** Key columns: where the key of a row comes from. `identifier`: an identifier scheme of the root (or, through `of`, of a
   *  referenced record); `source`: the key under which this same mapping reads the record. */
  readonly key: readonly TargetKey[];
  readonly columns: readonly TargetColumn[];
  readonly recipientClass: string;
  /** Rows are created for records that have none there (default true). */
  readonly create?: boolean;
  /** What an ended record does to its row. */
  readonly onEnd?: 'delete' | 'keep';
  /** Days before `valid_from` and after `valid_to` that the row stands. */
  readonly leadDays?: number;
  readonly lagDays?: number;
  /** The file is ours as a whole: rendered from golden records and swapped in. */
  readonly wholeFile?: boolean;
  readonly rollback?: 'restore' | 'compensate' | 'impossible';
  /** Of a posted type whose rollback is `compensate`. */
  readonly compensation?: Compensation;
}

/** Source fields ↔ canonical attributes, of one entity (table, file) of one system. `name` is `system.entity`. */
export interface MappingDefinition {
  readonly name: string;
  readonly system: string;
  readonly entity: string;
  readonly source?: SourceMapping;
  readonly target?: TargetMapping;
}
