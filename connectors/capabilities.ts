import type { RawRow, RejectedRow } from '../domain/rows.js';
import type { RowSpelling } from '../domain/spelling.js';

/** What a connection test tells. Never holds a secret. */
export interface ConnectionReport {
  readonly product: string;
  readonly version: string;
}

/** Answers whether the system can be reached with its settings.
 *  @throws SyncError source_unreachable, source_forbidden */
export interface ConnectionChecker {
  checkConnection(): Promise<ConnectionReport>;
}

export interface ColumnShape {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
}

export interface EntityShape {
  /** Table, `schema.table` or file name, as the configuration names it. */
  readonly entity: string;
  readonly columns: readonly ColumnShape[];
  /** Columns of the natural or primary key, where the system declares one. */
  readonly key: readonly string[];
}

/** Lists what a system holds. Idempotent, reads no rows. */
export interface Catalogue {
  discoverEntities(): Promise<EntityShape[]>;
  /** @throws SyncError source_schema_changed where the entity is not there */
  describeEntity(entity: string): Promise<EntityShape>;
}

/** What to read: columns in this order; `key` names those among them that tell rows apart. */
export interface ReadRequest {
  readonly entity: string;
  readonly columns: readonly string[];
  readonly key: readonly string[];
  /** Only rows with `after < column <= upTo` (text of the column's own type). `after` null: from the start, rows without a value
   *  in the column included. @throws SyncError configuration_invalid where the source has no watermarks (files) */
  readonly watermark?: { readonly column: string; readonly after: string | null; readonly upTo: string };
}

/** A range of a source that is read by one attempt at a time. `from` is included, `to` is not; null is open. */
export interface Partition {
  readonly ordinal: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly estimatedRows: number;
  /** The source itself sees to it that no two rows have one key, and that each has one. */
  readonly keysAreUnique?: boolean;
}

/** Rows of one partition: in key order (code points for text) from a database, in file order from a file, whose keys stand as
 *  they come. `cursor` continues after the last row (opaque, safe to store; holds a key at most). */
export interface RawBatch {
  readonly rows: readonly RawRow[];
  readonly rejected: readonly RejectedRow[];
  readonly cursor: string;
}

/** Whole lines of COPY text in UTF-8, each with its newline. */
export interface CopyTextBatch {
  readonly text: Buffer;
  readonly cursor: string;
  /** The cursor after a line of it that ends (newline included) at this place of the text. */
  readonly cursorAt: (end: number) => string;
}

/** Reads partitions that together cover every row exactly once. Idempotent: the same cursor gives the same rows while the
 *  source is unchanged. Memory does not grow with the partition. A source may give fewer partitions than wanted (a file is
 *  one). The signal ends the read at the source too; the iteration then throws the signal's reason.
 *  @throws SyncError source_unreachable (retryable), source_schema_changed (secretary), delivery_unreadable (secretary) */
export interface SnapshotReader {
  planPartitions(request: ReadRequest, wanted: number): Promise<Partition[]>;
  readPartition(
    request: ReadRequest,
    partition: Partition,
    after: string | null,
    signal: AbortSignal,
  ): AsyncIterable<RawBatch>;
  /** As `readPartition`, as lines of COPY text in the order of the columns, for a partition whose keys are unique. For a reader who
   *  makes few strings of them. A source whose keys are not its own to keep apart leaves it out. */
  readCopyText?(
    request: ReadRequest,
    partition: Partition,
    after: string | null,
    signal: AbortSignal,
  ): AsyncIterable<CopyTextBatch>;
}

/** Reads single rows by their keys, as `SnapshotReader` would give them: by key text (`keyOf`); absent ones are absent. Idempotent.
 *  @throws SyncError source_unreachable (retryable), source_schema_changed (secretary) */
export interface KeyedReader {
  readKeys(request: Omit<ReadRequest, 'watermark'>, keys: readonly RawRow[]): Promise<Map<string, RawRow>>;
}

/** Tells the newest value of a rising column, minus a declared lag, as text of that column's type; null where there are no rows.
 *  The lag holds back the last moments, in which rows may still become visible; a column of numbers has none. */
export interface WatermarkReader {
  newestWatermark(entity: string, column: string, lagSeconds: number): Promise<string | null>;
}

/** A set of files that belongs together. `digest` is over names and contents of files and manifest. */
export interface Delivery {
  readonly name: string;
  readonly digest: string;
  readonly files: readonly DeliveredFile[];
  readonly manifest: DeliveryManifest | null;
}

export interface DeliveredFile {
  /** The entity as the configuration names it. */
  readonly entity: string;
  /** The name that the file has. */
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** `manifest.json` beside the files. `scope` names the part of the source that the files are complete for (`{ "campus": "North" }`); absent: all of it. */
export interface DeliveryManifest {
  readonly complete: boolean;
  readonly scope: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, { readonly rows?: number; readonly sha256?: string }>>;
}

/** Finds deliveries of a file source, in name order. A reader opened on one delivery reads only its files, and refuses a file
 *  that is no longer what was listed. `verifyDelivery` compares the files with the listing and the manifest (all there, rows,
 *  sha256). A manifest that cannot be read is listed as none and refused by `verifyDelivery`.
 *  @throws SyncError delivery_incomplete, delivery_unreadable */
export interface DeliveryReader {
  listDeliveries(): Promise<Delivery[]>;
  verifyDelivery(delivery: Delivery): Promise<void>;
  openDelivery(delivery: Delivery): SnapshotReader & Catalogue;
}

/** Files that came by another way than the system's own, with the text of their manifest (null: none). */
export interface PlacedDelivery {
  readonly name: string;
  readonly files: readonly { readonly name: string; readonly path: string; readonly sha256: string }[];
  readonly manifest: string | null;
}

/** Puts a delivery where those of the system come in: whole and at once, so that no reader sees a part of it. Placing one of the
 *  same name again does nothing.
 *  @throws SyncError source_unreachable (retryable), source_forbidden, delivery_incomplete where a file is not what it should be */
export interface DeliveryInbox {
  place(delivery: PlacedDelivery): Promise<void>;
}

/** The rows of one entity that we write: `columns` are those we own or compare, key columns included. */
export interface TargetEntity {
  readonly entity: string;
  readonly key: readonly string[];
  readonly columns: readonly string[];
}

/** One compare-and-set: `before` null: must not be there; `after` null: delete. Rows are in `TargetEntity.columns` order, `key`
 *  in `TargetEntity.key` order. States are compared in the spelling of the target's own types (`1.5` is `1.50` in a column of
 *  two decimals). Columns that the target computes are compared and read, not written. */
export interface RowWrite {
  readonly key: RawRow;
  readonly before: RawRow | null;
  readonly after: RawRow | null;
}

/** `written`: it was `before`, now is `after`. `already`: it was `after` before we came. `origin_differs`: it is something
 *  else (told in `actual`, null: not there) and was left alone. `refused`: the target's own constraints said no. */
export type RowOutcome =
  | { readonly status: 'written' | 'already' }
  | { readonly status: 'origin_differs'; readonly actual: RawRow | null }
  | { readonly status: 'refused'; readonly reason: string };

/** Writes rows one by one or in bulk, never over something it does not know.
 *  @throws SyncError target_unreachable (retryable), target_forbidden, target_schema_changed */
export interface RowTarget {
  /** The rows that are there now, by key text (`keyOf`); absent keys are absent. */
  readRows(target: TargetEntity, keys: readonly RawRow[]): Promise<Map<string, RawRow>>;
  /** One transaction of the target; outcomes in the order of `writes`. A refused row never stops the others; `reason` names
   *  constraint, column and SQLSTATE, never a value. Several writes of one key follow one another. */
  writeRows(target: TargetEntity, writes: readonly RowWrite[]): Promise<RowOutcome[]>;
  /** All or nothing, streamed. @throws SyncError target_row_exists where any key is there already, or any row is refused for
   *  another reason: nothing was written, and `writeRows` tells which */
  insertRows(target: TargetEntity, rows: AsyncIterable<readonly RawRow[]>): Promise<number>;
  /** How the target will print a row that it is given, as far as the types of its columns tell: `1.5` is `1.50` there. */
  spelling(target: TargetEntity): Promise<RowSpelling>;
  /** Count and content digest of the rows with `from <= key < to` over the target's columns (independent of row order). */
  digestRange(target: TargetEntity, from: RawRow | null, to: RawRow | null): Promise<{ count: number; digest: string }>;
}

/** Takes rows that are encoded already, so that a posted type need not keep its rows as objects until they are written. */
export interface CopyTarget {
  /** As `RowTarget.insertRows`; `text` is COPY text (`platform/copy-text.ts`) in the order of `TargetEntity.columns`. Null, and
   *  nothing written, where the target computes one of the columns itself (`insertRows` leaves those out), or would take two rows of
   *  one key (whoever inserts objects sees to that).
   *  @throws SyncError target_row_exists */
  insertText(target: TargetEntity, text: AsyncIterable<Buffer>): Promise<number | null>;
  /** Rows that are there become those of `text` (as for `insertText`), found by their keys, which stay: all of them in one transaction,
   *  or none. `intend` is shown the rows as they stand, COPY text in the order of `text`, absent ones left out; only where it says so are
   *  they changed, and only if they still stand as they were shown. @returns the rows as they stand then, in the same form. Null, and
   *  nothing written, where `intend` says no, a row is not as it was shown, the target refuses one, or, without asking, where something
   *  of the target's own takes part in the writing (triggers, rules, computed columns): `writeRows` tells. Text and rows are
   *  held in memory: it is for some thousand at a time.
   *  @throws what `intend` throws, and as `RowTarget` */
  changeText(
    target: TargetEntity,
    text: AsyncIterable<Buffer>,
    intend: (standing: readonly Buffer[]) => Promise<boolean>,
  ): Promise<readonly Buffer[] | null>;
  /** The rows with these keys as COPY text in the order of `TargetEntity.columns`, spelled as `changeText` tells them, in any order. Held
   *  in memory. Null where a key is no value of its column's type: `readRows` tells. */
  readText(target: TargetEntity, keys: readonly RawRow[]): Promise<readonly Buffer[] | null>;
}

/** A file that we own. Swapped in by rename, so that a reader sees the old or the new one, whole. */
export interface WholeFileTarget {
  /** sha256 of the file as it is, null where there is none. */
  currentDigest(target: TargetEntity): Promise<string | null>;
  readWhole(target: TargetEntity): AsyncIterable<readonly RawRow[]>;
  /** Writes the rows in the order given; `expected` is the digest the file must still have (null: no file).
   *  Returns the new digest, or the differing one that was found (then nothing was swapped). */
  replaceWhole(
    target: TargetEntity,
    rows: AsyncIterable<readonly RawRow[]>,
    expected: string | null,
  ): Promise<{ readonly digest: string; readonly rows: number } | { readonly differs: string | null }>;
}

/** What a connector may be able to do; one that cannot leaves the capability out. `close` ends all connections. */
export interface Connector {
  readonly checker: ConnectionChecker;
  readonly catalogue: Catalogue;
  readonly snapshots?: SnapshotReader;
  readonly keyed?: KeyedReader;
  readonly watermarks?: WatermarkReader;
  readonly deliveries?: DeliveryReader;
  readonly inbox?: DeliveryInbox;
  readonly rows?: RowTarget;
  readonly copy?: CopyTarget;
  readonly file?: WholeFileTarget;
  close(): Promise<void>;
}

/** Settings of a system with secrets already resolved. */
export type ConnectorSettings = Readonly<Record<string, unknown>>;
