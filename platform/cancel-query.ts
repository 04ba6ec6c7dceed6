import { Client } from 'pg';

const cancelTimeoutMs = 10_000;

/** Ends what this client is running, by `pg_cancel_backend` over a second connection with the same settings. Where that
 *  cannot be opened, the client's own socket is destroyed: the server then ends the query when it next writes to it. Never throws. */
export const cancelQuery = async (client: Client): Promise<void> => {
  const { host, port, user, password, database, ssl } = client;
  const second = new Client({
    host,
    port,
    user,
    password,
    database,
    ssl,
    connectionTimeoutMillis: cancelTimeoutMs,
    query_timeout: cancelTimeoutMs,
  });
  // A connection that breaks while it is idle emits an error; without a listener that would end the process.
  second.on('error', () => undefined);
  try {
    await second.connect();
    await second.query('select pg_cancel_backend($1)', [Reflect.get(client, 'processID')]);
  } catch {
    client.connection.stream.destroy();
  } finally {
    await second.end().catch(() => undefined);
  }
};
