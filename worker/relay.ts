import type { Hub } from '../database/hub.js';
import { listen } from '../database/listen.js';
import type { Log } from '../platform/log.js';

/** A row of the outbox: what happened, and to what. */
export interface OutboxRow {
  readonly id: string;
  readonly institutionId: number;
  readonly topic: string;
  readonly subject: string;
}

/** Carries one kind of message out; `later`: not yet, it stays. Idempotent: it is called again where the mark that it was is lost. */
export type Deliver = (row: OutboxRow) => Promise<unknown>;

export interface RelayOptions {
  readonly hub: Hub;
  readonly databaseUrl: string;
  readonly log: Log;
  readonly topics: Readonly<Record<string, Deliver>>;
  /** Looked at so often though nobody was heard: a notification may be lost. */
  readonly pollMilliseconds?: number;
}

export interface Relay {
  /** Resolves when what is at hand is over. */
  stop(): Promise<void>;
}

const rowsAtOnce = 200;

/** Hands what was decided in PostgreSQL to Temporal. A row counts as delivered only after Temporal has answered, so it may be
 *  handed over twice and is never lost; any number of workers may do this side by side. */
export function startRelay(options: RelayOptions): Relay {
  const bell = new Bell();
  const listening = listen({
    ...{ url: options.databaseUrl, role: 'concord_worker', channel: 'concord_outbox' },
    heard: () => bell.ring(),
    failed: (error) => options.log.warn({ err: error }, 'cannot listen for decisions; looked for every few seconds'),
  });
  const loop = relayUntilStopped(options, bell);
  return {
    async stop() {
      bell.stop();
      await Promise.all([loop, listening.stop()]);
    },
  };
}

async function relayUntilStopped(options: RelayOptions, bell: Bell): Promise<void> {
  while (!bell.stopped) {
    bell.hush();
    const more = await relayOnce(options);
    if (!more) await bell.wait(options.pollMilliseconds ?? 5_000);
  }
}

/* True where there may be more at once. Never throws: without PostgreSQL or Temporal it is tried again at the next poll. */
async function relayOnce({ hub, log, topics }: RelayOptions): Promise<boolean> {
  try {
    const rows = await undelivered(hub);
    const failed = await deliverAll(rows, topics, log);
    const delivered = rows.filter((row) => !failed.has(row.id));
    for (const institutionId of new Set(delivered.map((row) => row.institutionId))) {
      await markDelivered(hub, institutionId, delivered);
    }
    return rows.length === rowsAtOnce && failed.size === 0;
  } catch (error) {
    log.warn({ err: error }, 'the outbox could not be relayed; tried again');
    return false;
  }
}

/* Many words about one thing are one wake-up; of those that have to wait the last is enough. */
async function deliverAll(
  rows: readonly OutboxRow[],
  topics: RelayOptions['topics'],
  log: Log,
): Promise<ReadonlySet<string>> {
  const waiting = new Map<string, string>();
  const outcomes = new Map<string, boolean>();
  for (const row of rows) {
    const key = JSON.stringify([row.institutionId, row.topic, row.subject]);
    const known = outcomes.get(key);
    const delivered = known ?? (await deliverOne(row, topics, log));
    outcomes.set(key, delivered);
    if (!delivered) waiting.set(key, row.id);
  }
  return new Set(waiting.values());
}

async function deliverOne(row: OutboxRow, topics: RelayOptions['topics'], log: Log): Promise<boolean> {
  const deliver = topics[row.topic];
  const line = { outboxId: row.id, topic: row.topic, subject: row.subject };
  if (deliver === undefined) {
    // Written by a newer version, or by mistake: kept where it is it would stand before everything that follows.
    log.error(line, 'nobody takes this topic; passed over');
    return true;
  }
  try {
    return (await deliver(row)) !== 'later';
  } catch (error) {
    log.warn({ ...line, err: error }, 'could not be handed over; tried again');
    return false;
  }
}

async function undelivered(hub: Hub): Promise<readonly OutboxRow[]> {
  return await hub.system(async (client) => {
    const answer = await client.query<OutboxRow>(
      `select id::text as id, institution_id as "institutionId", topic, subject from concord.undelivered_outbox($1)`,
      [rowsAtOnce],
    );
    return answer.rows;
  });
}

async function markDelivered(hub: Hub, institutionId: number, rows: readonly OutboxRow[]): Promise<void> {
  const ids = rows.filter((row) => row.institutionId === institutionId).map(({ id }) => id);
  await hub.transaction(institutionId, async (client) => {
    await client.query('update outbox set delivered_at = now() where id = any ($1::bigint[])', [ids]);
  });
}

/* Something to wait for: rung by a notification, by the end, or by the passing of time. */
class Bell {
  stopped = false;
  private rung = false;
  private wake: () => void = () => undefined;

  ring(): void {
    this.rung = true;
    this.wake();
  }

  hush(): void {
    this.rung = false;
  }

  stop(): void {
    this.stopped = true;
    this.ring();
  }

  async wait(milliseconds: number): Promise<void> {
    if (this.rung || this.stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
