import pg from 'pg';
import { urlForRole } from './connection.js';
import type { DatabaseRole } from './roles.js';

export interface ListenOptions {
  readonly url: string;
  readonly role: DatabaseRole;
  readonly channel: string;
  /** A notice came, with its text; null: the connection was made (anew), and notices may have been missed before. */
  readonly heard: (notice: string | null) => void;
  /** The connection could not be made, or broke; it is made again in a moment. */
  readonly failed: (error: unknown) => void;
}

export interface Listening {
  stop(): Promise<void>;
}

const pauseMilliseconds = 2_000;

/** Listens on a channel of PostgreSQL, over one connection of its own that is made again when it breaks. */
export function listen(options: ListenOptions): Listening {
  const stopping = new AbortController();
  const loop = listenUntil(options, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

async function listenUntil(options: ListenOptions, stopped: AbortSignal): Promise<void> {
  const end = fired(stopped);
  while (!stopped.aborted) {
    const client = new pg.Client({
      connectionString: urlForRole(options.url, options.role),
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    const broken = new Promise<unknown>((resolve) => {
      client.once('error', resolve).once('end', () => resolve(new Error('the connection ended')));
    });
    client.on('notification', ({ payload = '' }) => options.heard(payload));
    try {
      await client.connect();
      await client.query(`listen ${client.escapeIdentifier(options.channel)}`);
      options.heard(null);
      const error = await Promise.race([broken, end]);
      if (error !== undefined) options.failed(error);
    } catch (error) {
      options.failed(error);
      await Promise.race([passed(pauseMilliseconds, stopped), end]);
    }
    await client.end().catch(() => undefined);
  }
}

const fired = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

const passed = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
