import type { ClientBase } from 'pg';

/** `COPY` takes no parameters. Values reach it as settings of the transaction, so that no SQL is ever built from a value (and the
 *  server's log of statements holds none). The planner evaluates them, so indexes serve. */
export class RangeSettings {
  private readonly values: string[] = [];

  /** SQL that stands for the value. */
  add(value: string): string {
    this.values.push(value);
    return `current_setting('concord.value_${String(this.values.length)}')`;
  }

  /** Sets them for the transaction that is open. */
  async apply(client: ClientBase): Promise<void> {
    if (this.values.length === 0) return;
    await client.query(
      `select set_config('concord.value_' || n, value, true) from unnest($1::text[]) with ordinality as given(value, n)`,
      [this.values],
    );
  }
}
