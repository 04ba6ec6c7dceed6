/** What the story needs of Concord, in the words of the API. The demo and the end-to-end test each implement it over HTTP;
 *  whatever starts something waits until it is over. */
export interface DemoPlatform {
  /** Starts a run of a job by name and waits for its end. `dryRun`: it changes nothing and says what it would do. */
  startRun(job: string, asOf: string, options?: { readonly dryRun: boolean }): Promise<RunReport>;
  /** Projects again what falls due on the date, though no source changed. */
  runDue(asOf: string): Promise<void>;
  /** Records that a run set aside. */
  rejected(runId: string): Promise<readonly RejectedReport[]>;
  /** Findings of a run: kind and mapping. */
  findings(runId: string): Promise<readonly FindingReport[]>;
  questions(): Promise<readonly QuestionReport[]>;
  heldChanges(): Promise<readonly HeldReport[]>;
  /** Decides one question for what a system says, and waits until targets have it. */
  decide(decision: Decision): Promise<DecisionReply>;
  /** Decides several at once; the replies in their order. */
  decideBatch(decisions: readonly Decision[]): Promise<readonly DecisionReply[]>;
  /** Releases a held change, and waits until targets have it. Returns the run that carried it out. */
  release(held: HeldReport, reason: string): Promise<RunReport>;
  previewRollback(runId: string): Promise<RollbackPreviewReport>;
  /** Rolls a run back, bound to the preview that was seen, and waits for the end. */
  rollBack(runId: string, preview: RollbackPreviewReport, reason: string): Promise<RunReport>;
  /** A golden record by the key that one of its sources has for it (the main record of the row). */
  findRecord(entityType: string, mapping: string, sourceKey: string): Promise<RecordReport | null>;
  /** Live golden records by entity type. */
  goldenCounts(): Promise<Readonly<Record<string, number>>>;
  /** A digest over values, states and validity of all golden records and of the statements of all sources; not over versions,
   *  runs and times, nor over what targets were told. */
  goldenDigest(): Promise<string>;
}

export interface RunReport {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  /** Every source row has exactly one disposition. */
  readonly balanced: boolean;
  /** Rows by disposition, with `extracted` and `missing`. */
  readonly rows: Readonly<Record<string, number>>;
  readonly goldenWrites: number;
  readonly targetWrites: number;
  readonly link: string;
}

export interface RejectedReport {
  readonly mapping: string;
  readonly kind: 'rejected' | 'waiting';
  readonly reason: string;
}

export interface FindingReport {
  readonly kind: string;
  readonly mapping: string | null;
  readonly detail: string;
}

export interface QuestionReport {
  readonly id: string;
  readonly kind: string;
  readonly goldenId: string;
  readonly group: string;
  readonly version: number;
  /** The systems of each candidate. */
  readonly candidates: readonly { readonly systems: readonly string[] }[];
  readonly link: string;
}

export interface HeldReport {
  readonly id: string;
  readonly cause: string;
  readonly operation: string;
  readonly mapping: string | null;
  readonly rows: number;
  readonly version: number;
  readonly reason: string;
  readonly link: string;
}

export interface Decision {
  readonly questionId: string;
  readonly version: number;
  /** The system whose value is taken. */
  readonly take: string;
  readonly reason: string;
}

export interface DecisionReply {
  /** 200: decided; 409: the question changed, `current` is what it is now. */
  readonly status: number;
  readonly current: QuestionReport | null;
  readonly run: RunReport | null;
}

export interface RollbackPreviewReport {
  readonly hash: string;
  /** Kinds of the runs that go back: decisions and releases first, the run itself last. */
  readonly runs: readonly { readonly id: string; readonly kind: string }[];
  readonly reversed: number;
  /** `target`: the row of a target that is not put back; null: the record stays everywhere. */
  readonly kept: readonly { readonly target: string | null; readonly reason: string }[];
}

export interface RecordReport {
  readonly id: string;
  readonly status: string;
  /** Group → value; a reference is the id of the golden record meant. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Mappings whose rows are this record. */
  readonly sources: readonly string[];
}

/** Who tells the story, and keeps count of what held. */
export interface Narrator {
  chapter(title: string): void;
  say(line: string): void;
  /** An outcome that must hold. */
  check(name: string, holds: boolean, detail?: string): void;
}
