/* What a dry run says that a run of its job would do now. Counts and names of configuration, never a record. */

export interface OperationCounts {
  readonly insert: number;
  readonly update: number;
  readonly delete: number;
}

/** What would become of the records of an entity type; `delete`: they end. */
export interface PlannedRecords extends OperationCounts {
  readonly entityType: string;
}

/** What would be written to a target, by mapping. */
export interface PlannedWrites extends OperationCounts {
  readonly mapping: string;
  /** Rows that somebody edited there since: they would be left alone. */
  readonly differs: number;
  /** Records that would not be sent, with a finding each. */
  readonly withheld: number;
}

/** Questions that would be asked, change, or be closed because the systems agree by themselves. */
export interface PlannedQuestions {
  readonly kind: string;
  readonly entityType: string;
  readonly opened: number;
  readonly changed: number;
  readonly closed: number;
}

/** A change that would be held. `mapping` null: of several. */
export interface PlannedHeld {
  readonly cause: string;
  readonly operation: string;
  readonly mapping: string | null;
  readonly rows: number;
  readonly reason: string;
}

/** Source rows that would be set aside (`rejected`), or wait for a record that has not arrived (`waiting`). */
export interface PlannedRejections {
  readonly kind: string;
  readonly mapping: string;
  readonly reason: string;
  readonly field: string | null;
  readonly rows: number;
}

/** What a run does to the stores. */
export interface ChangeCounts {
  readonly records: readonly PlannedRecords[];
  readonly targets: readonly PlannedWrites[];
  readonly questions: readonly PlannedQuestions[];
  readonly held: readonly PlannedHeld[];
  readonly rejected: readonly PlannedRejections[];
  /** Findings by kind. */
  readonly findings: readonly { readonly kind: string; readonly count: number }[];
}

/** What a dry run tells. */
export interface RunPlan extends ChangeCounts {
  /** Sources and targets that could not be asked, with the code of the cause: nothing is known of them. */
  readonly leftOut: readonly { readonly name: string; readonly code: string }[];
}
