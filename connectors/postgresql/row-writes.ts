import type { ClientBase } from 'pg';
import type { Cell, RawRow } from '../../domain/rows.js';
import { keyOf } from '../../domain/rows.js';
import type { RowOutcome, RowWrite } from '../capabilities.js';
import { isRowRefusal, refusalOf, sqlStateOf } from './errors.js';
import { deleteRows, insertRows, lockAndCompare, selectRows, updateRows } from './write-plan.js';
import type { PlacedWrite, Statement, WritePlan } from './write-plan.js';

const uniqueViolation = '23505';
const foreignKeyViolation = '23503';

interface Refusal {
  readonly write: PlacedWrite;
  readonly state: string | null;
}

/** Carries out compare-and-set writes inside an open transaction. All of a batch go together; where the target refuses one, the
 *  batch is undone to its savepoint and halved, until the refused row is alone. */
export class RowWrites {
  private readonly outcomes = new Map<number, RowOutcome>();
  private refusals: Refusal[] = [];

  constructor(
    private readonly client: ClientBase,
    private readonly plan: WritePlan,
  ) {}

  async run(writes: readonly RowWrite[]): Promise<RowOutcome[]> {
    // A deferred constraint would speak at the commit, when nobody can tell which row it means.
    await this.client.query('set constraints all immediate');
    for (const wave of this.wavesOf(writes)) await this.attempt(wave);
    await this.tryOrphansAgain();
    return writes.map((_, place) => this.outcomes.get(place) ?? refused('no outcome'));
  }

  /** Several writes of one key follow one another; each wave has a key once. */
  private wavesOf(writes: readonly RowWrite[]): PlacedWrite[][] {
    const waves: PlacedWrite[][] = [];
    const times = new Map<string, number>();
    for (const [place, write] of writes.entries()) {
      const key = keyOf(write.key);
      if (key === null || write.key.length !== this.plan.key.length) {
        this.outcomes.set(place, refused('the key is not whole'));
        continue;
      }
      const time = times.get(key) ?? 0;
      times.set(key, time + 1);
      const wave = (waves[time] ??= []);
      wave.push({ place, write });
    }
    return waves;
  }

  /** A row may have waited for another of the same batch that it refers to. */
  private async tryOrphansAgain(): Promise<void> {
    for (;;) {
      const orphans = this.refusals.filter(({ state }) => state === foreignKeyViolation).map(({ write }) => write);
      if (orphans.length === 0 || orphans.length === this.outcomes.size) return;
      const before = this.refusals.length;
      this.refusals = this.refusals.filter(({ state }) => state !== foreignKeyViolation);
      await this.attempt(orphans);
      if (this.refusals.length === before) return;
    }
  }

  private async attempt(writes: readonly PlacedWrite[]): Promise<void> {
    if (writes.length === 0) return;
    await this.client.query('savepoint concord_batch');
    try {
      const outcomes = await this.writeTogether(writes);
      await this.client.query('release savepoint concord_batch');
      for (const [place, outcome] of outcomes) this.outcomes.set(place, outcome);
    } catch (error) {
      if (!(error instanceof NotTaken) && !isRowRefusal(error)) throw error;
      await this.client.query('rollback to savepoint concord_batch');
      await this.client.query('release savepoint concord_batch');
      await this.divide(writes, error);
    }
  }

  private async divide(writes: readonly PlacedWrite[], error: unknown): Promise<void> {
    const [first] = writes;
    if (first !== undefined && writes.length === 1) {
      await this.setAside(first, error);
      return;
    }
    const middle = writes.length >> 1;
    await this.attempt(writes.slice(0, middle));
    await this.attempt(writes.slice(middle));
  }

  private async setAside(write: PlacedWrite, error: unknown): Promise<void> {
    // Somebody may have inserted the very row since we looked: that is no refusal.
    const found = sqlStateOf(error) === uniqueViolation ? (await this.compare([write])).get(write.place) : undefined;
    if (found !== undefined) {
      this.outcomes.set(write.place, outcomeOfFound(found));
      return;
    }
    this.refusals.push({ write, state: sqlStateOf(error) });
    this.outcomes.set(write.place, refused(error instanceof NotTaken ? error.message : refusalOf(error)));
  }

  private async writeTogether(writes: readonly PlacedWrite[]): Promise<Map<number, RowOutcome>> {
    const found = await this.compare(writes);
    const outcomes = new Map<number, RowOutcome>();
    const todo: Record<'update' | 'delete' | 'insert', PlacedWrite[]> = { update: [], delete: [], insert: [] };
    for (const placed of writes) {
      const { place, write } = placed;
      const there = found.get(place);
      const deed = there === undefined ? deedWhereAbsent(write) : deedWhereFound(write, there);
      if (typeof deed === 'string') todo[deed].push(placed);
      outcomes.set(place, typeof deed === 'string' ? written : deed);
    }
    // Deletes make room for inserts; updates come between because they touch neither.
    await this.carryOut(todo.delete, deleteRows);
    await this.carryOut(todo.update, updateRows);
    await this.carryOut(todo.insert, insertRows);
    return outcomes;
  }

  private async carryOut(
    writes: readonly PlacedWrite[],
    statementOf: (plan: WritePlan, writes: readonly PlacedWrite[]) => Statement,
  ): Promise<void> {
    if (writes.length === 0) return;
    const { text, values } = statementOf(this.plan, writes);
    const { rowCount } = await this.client.query(text, values);
    // A trigger or a policy of the target may drop a row without an error.
    if (rowCount !== writes.length) throw new NotTaken('the target dropped the write without an error');
  }

  private async compare(writes: readonly PlacedWrite[]): Promise<Map<number, FoundRow>> {
    const { text, values } = lockAndCompare(this.plan, writes);
    const { rows } = await this.client.query<[place: string, isBefore: string, isAfter: string]>({
      text,
      values,
      rowMode: 'array',
    });
    const found = new Map<number, FoundRow>();
    for (const [place, isBefore, isAfter] of rows) {
      if (found.has(Number(place))) throw new NotTaken('the key is that of several rows of the target');
      found.set(Number(place), { isBefore: isBefore === '1', isAfter: isAfter === '1', actual: null });
    }
    await this.readOthers(writes, found);
    return found;
  }

  /** What stands where it is neither state. The rows are locked, and what is read is what was compared. */
  private async readOthers(writes: readonly PlacedWrite[], found: Map<number, FoundRow>): Promise<void> {
    const others = writes.filter(({ place }) => {
      const row = found.get(place);
      return row !== undefined && !row.isBefore && !row.isAfter;
    });
    if (others.length === 0) return;
    const { text, values } = selectRows(
      this.plan,
      others.map(({ write }) => write.key),
    );
    const { rows } = await this.client.query<Cell[]>({ text, values, rowMode: 'array' });
    for (const [index, ...actual] of rows) {
      const place = others[Number(index)]?.place ?? -1;
      const row = found.get(place);
      if (row !== undefined) found.set(place, { ...row, actual });
    }
  }
}

interface FoundRow {
  readonly isBefore: boolean;
  readonly isAfter: boolean;
  /** Null where it is one of the states. */
  readonly actual: RawRow | null;
}

/** A row that the target did not take, though it raised no error. */
class NotTaken extends Error {}

const written: RowOutcome = { status: 'written' };
const refused = (reason: string): RowOutcome => ({ status: 'refused', reason });

const outcomeOfFound = (found: FoundRow): RowOutcome =>
  found.isAfter ? { status: 'already' } : { status: 'origin_differs', actual: found.actual };

const deedWhereFound = (write: RowWrite, found: FoundRow): RowOutcome | 'update' | 'delete' => {
  if (found.isAfter || !found.isBefore) return outcomeOfFound(found);
  return write.after === null ? 'delete' : 'update';
};

const deedWhereAbsent = (write: RowWrite): RowOutcome | 'insert' => {
  if (write.after === null) return { status: 'already' };
  return write.before === null ? 'insert' : { status: 'origin_differs', actual: null };
};
