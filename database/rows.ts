import type { MemberRole } from '../domain/access.js';
import type { ConfigurationKind } from '../domain/configuration-kinds.js';
import type { InquiryKind } from '../domain/inquiry.js';
import type { CodeTableDefinition, JobDefinition, VisibilityDefinition } from '../domain/job-definition.js';
import type { EntityKind, EntityTypeDefinition } from '../domain/entity-type.js';
import type { MappingDefinition } from '../domain/mapping-definition.js';
import type { RuleDefinition } from '../domain/rule-definition.js';
import type { RunKind, RunState } from '../domain/run.js';

/* Rows as they are stored, of the tables that are read and written one by one. Ids of configuration are numbers; ids that may
   pass 2^53 are text. Dates are YYYY-MM-DD. */

export interface Institution {
  readonly id: number;
  readonly code: string;
  readonly name: string;
  readonly timeZone: string;
  /** null: those that the targets name. */
  readonly recipientClasses: readonly string[] | null;
  readonly visibility: VisibilityDefinition | null;
  readonly version: number;
  readonly updatedBy: string;
  readonly updatedAt: Date;
}

/** What every configured thing has. The version rises with each change; nothing is ever deleted. */
export interface ConfiguredRow {
  readonly id: number;
  readonly institutionId: number;
  readonly name: string;
  readonly version: number;
  readonly archived: boolean;
  readonly updatedBy: string;
  readonly updatedAt: Date;
}

export interface DataSourceConfiguration extends ConfiguredRow {
  readonly kind: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly owner: string | null;
}

export interface EntityType extends ConfiguredRow {
  readonly kind: EntityKind;
  readonly definition: EntityTypeDefinition;
}

export interface CrossSystemMapping extends ConfiguredRow {
  readonly systemId: number;
  readonly entity: string;
  /** Without `source.rules`: those are rows of `data_quality_rules`. */
  readonly definition: MappingDefinition;
}

/** A mapping as it was at one version, with its rules: what an image was derived by. */
export interface MappingVersion {
  readonly mappingId: number;
  readonly version: number;
  readonly institutionId: number;
  readonly definition: MappingDefinition;
  /** Name of a code table → the version of it by which rows were read. */
  readonly codeTables: Readonly<Record<string, number>>;
  /** Since which version the same is derived from a row; null: since this one. */
  readonly derivedSince: number | null;
  readonly createdBy: string;
  readonly createdAt: Date;
}

export interface DataQualityRule extends ConfiguredRow {
  readonly mappingId: number;
  readonly definition: RuleDefinition;
}

export interface CodeTable extends ConfiguredRow {
  readonly definition: CodeTableDefinition;
}

export interface SynchronizationJob extends ConfiguredRow {
  readonly definition: JobDefinition;
  /** All three or none: why it does not run for now. */
  readonly pausedReason: string | null;
  readonly pausedBy: string | null;
  readonly pausedAt: Date | null;
}

/** A version of anything configured, as it was. */
export interface ConfigurationVersion {
  readonly institutionId: number;
  readonly kind: ConfigurationKind;
  readonly objectId: number;
  readonly version: number;
  readonly action: 'created' | 'changed' | 'archived' | 'restored' | 'reverted';
  readonly definition: unknown;
  readonly changedBy: string;
  readonly changedAt: Date;
}

/** What a person asked a system, and its answer. Short-lived. */
export interface Inquiry {
  readonly id: string;
  readonly institutionId: number;
  readonly kind: InquiryKind;
  /** The name of the system or mapping that is asked about. */
  readonly subject: string;
  readonly parameters: unknown;
  readonly state: 'asked' | 'answered' | 'failed';
  readonly answer: unknown;
  readonly errorCode: string | null;
  readonly errorDetail: string | null;
  readonly askedBy: string;
  readonly askedAt: Date;
  readonly answeredAt: Date | null;
}

export interface ApiKey {
  readonly id: number;
  readonly institutionId: number;
  readonly prefix: string;
  readonly secretHash: string;
  readonly role: MemberRole;
  readonly name: string;
  readonly organisations: readonly string[];
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly version: number;
  /** Null: it is as it was created. */
  readonly changedBy: string | null;
  readonly changedAt: Date | null;
}

export interface SyncRun {
  readonly id: string;
  readonly institutionId: number;
  readonly jobId: number | null;
  readonly kind: RunKind;
  readonly parentRunId: string | null;
  readonly workflowId: string;
  readonly actor: string;
  /** Why a person asked for it. */
  readonly reason: string | null;
  readonly asOf: string;
  readonly state: RunState;
  readonly counts: Readonly<Record<string, unknown>>;
  readonly errorCode: string | null;
  readonly errorDetail: string | null;
  readonly rolledBackBy: string | null;
  readonly applyStarted: boolean;
  /** The person whose records alone it reads; null: whole sources. */
  readonly subjectKey: string | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly cancelledBy: string | null;
  readonly cancelledAt: Date | null;
  readonly cancelReason: string | null;
}

export type QuestionKind = 'value' | 'duplicate' | 'identity';
export type QuestionState = 'open' | 'decided' | 'settled' | 'withdrawn' | 'agreed';

export interface SyncConflictResolution {
  readonly id: string;
  readonly institutionId: number;
  readonly jobId: number | null;
  readonly openedRun: string;
  readonly changedRun: string;
  readonly kind: QuestionKind;
  readonly entityTypeId: number;
  readonly goldenId: string;
  /** Of a duplicate: the image that may be of another record. Of an identity: the image whose key came with somebody else. */
  readonly imageId: string | null;
  readonly groupName: string;
  readonly base: string | null;
  readonly candidates: unknown;
  readonly suggestion: unknown;
  readonly impact: unknown;
  readonly inputHash: string;
  readonly state: QuestionState;
  readonly version: number;
  readonly assignee: string | null;
  readonly dueAt: Date | null;
  readonly decision: unknown;
  readonly decidedBy: string | null;
  readonly decidedAt: Date | null;
  readonly batchId: string | null;
  readonly settleRunId: string | null;
  readonly subjectKey: string | null;
  readonly createdAt: Date;
}

export type HeldCause = 'limit' | 'rolled_back_input' | 'identity';
export type HeldState = 'held' | 'released' | 'discarded' | 'applied' | 'withdrawn';

export interface HeldChange {
  readonly id: string;
  readonly institutionId: number;
  readonly jobId: number | null;
  readonly runId: string;
  readonly mappingId: number | null;
  readonly cause: HeldCause;
  readonly operation: 'insert' | 'update' | 'delete' | 'any';
  readonly state: HeldState;
  readonly rowCount: string;
  readonly baseCount: string;
  readonly reason: string;
  readonly inputHash: string;
  readonly version: number;
  readonly decidedBy: string | null;
  readonly decidedAt: Date | null;
  readonly batchId: string | null;
  readonly settleRunId: string | null;
  readonly createdAt: Date;
}
