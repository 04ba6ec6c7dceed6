import type { EntityTypeDefinition } from './entity-type.js';
import type { MappingDefinition } from './mapping-definition.js';

/** Limits of the guard, for one entity type (or all), operation and scope. A change over any of them is held. */
export interface LimitDefinition {
  readonly entityType?: string;
  readonly operation: 'insert' | 'update' | 'delete';
  readonly absolute?: number;
  /** Share of the live records of the type (for a source: of its images), in percent. */
  readonly percent?: number;
}

/** A job: which sources it reads and which targets it publishes to. Names are mapping names (`system.entity`). */
export interface JobDefinition {
  readonly name: string;
  readonly sources: readonly string[];
  readonly targets: readonly string[];
  readonly limits?: readonly LimitDefinition[];
  /** Partitions read at once, per source. */
  readonly partitions?: number;
  readonly reading?: 'full' | 'watermark';
  readonly onFailure?: 'roll_back' | 'hold';
  readonly schedule?: {
    readonly calendar?: { readonly hour: number; readonly minute: number; readonly daysOfWeek?: readonly string[] };
    readonly everyMinutes?: number;
    readonly timeZone: string;
    readonly jitterSeconds?: number;
    readonly catchUpHours?: number;
    readonly freeze?: readonly { readonly from: string; readonly to: string; readonly reason: string }[];
  };
  /** Who decides, and when a question is due. */
  readonly review?: { readonly dueDays?: number; readonly remindDays?: number };
}

/** A system as configured: `kind` names a connector; settings may hold `{ env: NAME }` in place of a secret. */
export interface SystemDefinition {
  readonly name: string;
  readonly kind: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly owner?: string;
}

/** A code table: code of a system ↔ concept. Entries may hold for years only. */
export interface CodeTableDefinition {
  readonly name: string;
  readonly entries: readonly {
    readonly concept: string;
    readonly codes: Readonly<Record<string, readonly string[]>>;
    readonly validFrom?: string;
    readonly validTo?: string;
  }[];
}

/** Which records are an institution's organisations, and by which of their records people belong to one. */
export interface VisibilityDefinition {
  /** The entity type whose records are the organisations: schools, faculties, campuses. */
  readonly organisation: string;
  /** Its group with the code by which keys are bound to an organisation. */
  readonly code: string;
  readonly name?: string;
  /** Its group with the code of the organisation above. */
  readonly parent?: string;
  /** References, `entityType.path`, of records that belong to a person: whoever has a live one is seen by those who are bound to
   *  the organisation it leads to, or to one above. */
  readonly through: readonly string[];
  /** The recipient class of those who look into Concord, by role: a restriction against it (or `*`) hides the record from them
   *  too. Stewards, who release restrictions, see everything. */
  readonly readers?: Readonly<Record<string, string>>;
}

/** One institution's whole configuration, as read from a folder. */
export interface Configuration {
  readonly institution: {
    readonly code: string;
    readonly name: string;
    readonly timeZone: string;
    /** The classes of recipients that restrictions may name; absent: those that the targets name. */
    readonly recipientClasses?: readonly string[];
    /** Absent: keys are not bound to organisations. */
    readonly visibility?: VisibilityDefinition;
  };
  readonly systems: readonly SystemDefinition[];
  readonly entityTypes: readonly EntityTypeDefinition[];
  readonly mappings: readonly MappingDefinition[];
  readonly codeTables: readonly CodeTableDefinition[];
  readonly jobs: readonly JobDefinition[];
}
