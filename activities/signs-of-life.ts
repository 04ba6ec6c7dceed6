import type { PoolClient } from 'pg';

const signMs = 5_000;

/** Says now and then that we are alive on a connection whose transaction waits for work that is done elsewhere: of one that says
 *  nothing the server thinks that its process is suspended, and ends it. */
export const withSignsOfLife = async <T>(client: PoolClient, deed: () => Promise<T>): Promise<T> => {
  // Where the connection is gone, the end of the transaction tells.
  const signs = setInterval(() => void client.query('select').catch(() => undefined), signMs);
  try {
    return await deed();
  } finally {
    clearInterval(signs);
  }
};
