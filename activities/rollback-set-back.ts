import type { RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import type { InstitutionContext, MappingRef } from './context.js';
import type { Lease } from './lease.js';
import { hashOfRow } from './projecting.js';

export interface TargetRollback {
  readonly run: RunRef;
  readonly runId: string;
  readonly lease: Lease;
  readonly context: InstitutionContext;
  readonly mapping: MappingRef;
  readonly table: string;
}

export interface Cells {
  readonly key: string;
  readonly row: RawRow;
}

/** One row to set back: what the run wrote there, and what stood there before. */
export interface SetBack {
  readonly goldenId: string;
  readonly wrote: Cells | null;
  /** Where the row itself was not kept: the hash of what was written. */
  readonly wroteHash: string | null;
  readonly before: Cells | null;
  /** The row may not be sent any more, so it is not put back. */
  readonly restricted: boolean;
}

export interface SetBackOutcome {
  readonly one: SetBack;
  readonly outcome: 'reversed' | 'kept' | 'restricted' | 'failed';
  readonly actual: RawRow | null;
}

/** An intent that was never carried out, or a row that was set back already. */
export const isBefore = ({ before }: Pick<SetBack, 'before'>, actual: RawRow | null): boolean =>
  (actual === null ? null : hashOfRow(actual)) === (before === null ? null : hashOfRow(before.row));
