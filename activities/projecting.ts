import { readGolden } from '../database/golden-rows.js';
import type { Stated, Statement } from '../domain/canonical.js';
import { desiredValue } from '../domain/publish.js';
import { unpackStatements } from '../domain/record-merge.js';
import { maySend } from '../domain/restrictions.js';
import { keyOf, keySeparator, type Cell, type RawRow } from '../domain/rows.js';
import { hash128 } from '../platform/hash.js';
import type { Candidate, TargetImageJson } from './candidates.js';
import type { InstitutionContext, MappingRef } from './context.js';

/** One write that a target is to receive. */
export interface TargetChange {
  readonly goldenId: string;
  readonly image: TargetImageJson | null;
  readonly keyText: string;
  /** What is to stand there; null: nothing. */
  readonly row: RawRow | null;
  readonly rowHash: string | null;
  /** The hash of what we last saw there; null: nothing was there. */
  readonly knownHash: string | null;
  /** The highest version read, of the record itself and of those it refers to. */
  readonly version: number;
}

export interface Judged {
  readonly change: TargetChange | null;
  readonly nextDue: string | null;
  readonly problems: readonly { readonly column: string | null; readonly reason: string; readonly detail: string }[];
}

const quiet: Judged = { change: null, nextDue: null, problems: [] };

export const hashOfRow = (row: RawRow): string => hash128(JSON.stringify(row));

/** A file cannot tell an empty text from none. */
export const asFileRow = (row: RawRow): RawRow => row.map((cell) => (cell === '' ? null : cell));

/** Decides what one target is to hold of a record, from everything that was read of it. */
export class TargetJudge {
  private readonly classes: ReadonlySet<string>;
  private readonly target: ReturnType<InstitutionContext['target']>;
  private readonly sourceColumns: readonly string[] | null;

  constructor(
    context: InstitutionContext,
    private readonly mapping: MappingRef,
    private readonly asOf: string,
  ) {
    this.target = context.target(mapping);
    this.sourceColumns = mapping.definition.source?.columns ?? null;
    this.classes = context.recipientClasses;
  }

  /** Rows of the system are read as well as written: its image is a party to merges. */
  get shared(): boolean {
    return this.sourceColumns !== null;
  }

  /** Rows are made of the golden record's own values alone, for everybody who is restricted by nobody. */
  get takesPlainValues(): boolean {
    const { target, references, keys } = this.target;
    const plain = !this.shared && target.wholeFile !== true && target.create !== false && references.length === 0;
    return (
      plain &&
      keys.every((key) => key.identifier === undefined && key.source !== true) &&
      maySend([], { class: target.recipientClass, date: this.asOf }, this.classes).allowed
    );
  }

  judge(candidate: Candidate): Judged {
    const image = candidate.image?.[11] === false ? candidate.image : null;
    const golden = readGolden(candidate.golden);
    // A row that a person deleted in a system that we read is not created there again.
    if (this.shared && candidate.image?.[11] === true) return quiet;
    const statements = image === null ? null : statementsOf(image);
    // Where golden says nothing there is nothing to tell: a system that we read keeps what it says itself.
    const desired = golden.values.map((value, index) => {
      const stored = statements?.[index] ?? null;
      return desiredValue({ value, version: 0, origin: null, sticky: false }, stored) ?? stored?.value ?? null;
    });
    const ended = golden.status !== 'active';
    // What became part of another record is told with that one: a row of its own would stand for nobody.
    const keeps = golden.status !== 'merged' && (this.target.target.onEnd ?? this.endDefault()) === 'keep';
    if (ended && keeps) return quiet;
    const current = image === null ? null : this.currentRow(image);
    const projected =
      ended || !this.allowed(candidate)
        ? { row: null, nextDue: null, problems: [] }
        : this.project(candidate, desired, current, image);
    if (projected.problems.length > 0) return { ...quiet, nextDue: projected.nextDue, problems: projected.problems };
    return { ...this.compare(candidate, image, projected.row, current), nextDue: projected.nextDue };
  }

  private endDefault(): 'keep' | 'delete' {
    return this.target.target.create === false || this.shared ? 'keep' : 'delete';
  }

  private allowed({ restrictions }: Candidate): boolean {
    const held = (restrictions ?? []).map(([recipientClass, from, to]) => ({
      subject: 'record' as const,
      recipientClass,
      from,
      to,
    }));
    return maySend(held, { class: this.target.target.recipientClass, date: this.asOf }, this.classes).allowed;
  }

  /** Columns that we write, as last seen in the system; null where we keep only a hash. */
  private currentRow(image: TargetImageJson): RawRow | null {
    const raw = image[3];
    if (raw === null) return null;
    const cells = JSON.parse(raw) as RawRow;
    if (this.sourceColumns === null) return cells;
    const columns = this.sourceColumns;
    return this.target.columns.map((column) => cells[columns.indexOf(column)] ?? null);
  }

  private keyCells({ identifiers }: Candidate, image: TargetImageJson | null): Cell[] {
    const own = image?.[1].split(keySeparator) ?? [];
    return this.target.keys.map((key, index) => {
      if (key.source === true) return own[index] ?? null;
      return key.identifier === undefined ? null : (identifiers?.[key.identifier] ?? null);
    });
  }

  private project(
    candidate: Candidate,
    desired: readonly (Stated | null)[],
    current: RawRow | null,
    image: TargetImageJson | null,
  ): ReturnType<typeof this.target.project> {
    const isNew = image === null;
    if (isNew && (this.target.target.create === false || this.target.keys.some((key) => key.source === true))) {
      return { row: null, nextDue: null, problems: [] };
    }
    const referenced = Object.fromEntries(
      Object.entries(candidate.references).map(([path, record]) => [path, record?.values ?? null]),
    );
    return this.target.project(desired, referenced, this.asOf, this.keyCells(candidate, image), current);
  }

  private compare(
    candidate: Candidate,
    image: TargetImageJson | null,
    projected: RawRow | null,
    current: RawRow | null,
  ): Omit<Judged, 'nextDue'> {
    const row = projected !== null && this.target.target.wholeFile === true ? asFileRow(projected) : projected;
    if (row === null && image === null) return quiet;
    // What a source says itself is not ours to take away: only rows of pure targets are withdrawn.
    if (row === null && this.shared) return quiet;
    const rowHash = row === null ? null : hashOfRow(row);
    const knownHash = image === null ? null : current === null || !this.shared ? image[2] : hashOfRow(current);
    const untold = image?.[10] ?? false;
    // What was told is compared in our spelling; the target may spell the same row in its own.
    const told = this.shared ? knownHash : (image?.[13] ?? null);
    if (rowHash !== null && rowHash === told)
      return {
        ...quiet,
        change: untold ? this.change(candidate, image, row, rowHash, knownHash) : null,
      };
    return { ...quiet, change: this.change(candidate, image, row, rowHash, knownHash) };
  }

  private change(
    candidate: Candidate,
    image: TargetImageJson | null,
    row: RawRow | null,
    rowHash: string | null,
    knownHash: string | null,
  ): TargetChange {
    const keyCells = this.target.keyColumns.map((column) => row?.[this.target.columns.indexOf(column)] ?? null);
    const keyText = row === null ? (image?.[1] ?? '') : (keyOf(keyCells) ?? '');
    const version = Math.max(
      candidate.golden[0],
      ...Object.values(candidate.references).map((record) => record?.version ?? 0),
    );
    return { goldenId: candidate.goldenId, image, keyText, row, rowHash, knownHash, version };
  }
}

/** The statements of a stored image; null where none are kept (a pure target, or derived ones, which are all live). */
export const statementsOf = (image: TargetImageJson): Statement[] | null => {
  const [, , , , , statements, states, settledVersion, settled] = image;
  return statements === null ? null : unpackStatements({ statements, states, settledVersion, settled });
};
