import type { Stated } from './canonical.js';

/** A reference that a record makes, before the golden id of the record meant is known. */
export interface RecordReference {
  /** Position of the group. */
  readonly group: number;
  /** Null where the reference is the group's only attribute. */
  readonly attribute: string | null;
  readonly mapping: string;
  readonly key: string;
  readonly subKey: string;
}

/** What a record is compared by when an identifier links it to another. */
export interface CorroborationKeys {
  readonly name: string | null;
  readonly birthDate: string | null;
}

/** What one row says about one record. */
export interface CanonicalRecord {
  readonly entityType: string;
  readonly subKey: string;
  /** In the order of the entity type's groups; null: nothing is said. References are left out (`withReference` sets them). */
  readonly values: (Stated | null)[];
  readonly identifiers: readonly { readonly scheme: string; readonly value: string }[];
  readonly references: readonly RecordReference[];
  readonly effectiveAt: string | null;
  readonly corroboration: CorroborationKeys;
}

export interface PlacedRestriction {
  readonly entityType: string;
  readonly subKey: string;
  readonly recipientClass: string;
}
