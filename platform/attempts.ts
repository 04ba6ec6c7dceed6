import type { ClientBase } from 'pg';
import { hash128 } from './hash.js';

/** One try at a task that others may have tried before. */
export interface Attempt {
  /** An id of the task. */
  readonly task: string;
  /** From 1. */
  readonly attempt: number;
}

/** The name by which connections of an attempt go at the server (PostgreSQL keeps 63 bytes of one). */
export const connectionName = ({ task, attempt }: Attempt): string => `concord ${hash128(task)}#${String(attempt)}`;

/** Ends the connections on which earlier attempts at the task have something under way: whoever is suspended keeps what it has locked,
 *  and a `copy` that waits for its client is bounded by no timeout of the server. Needs the user that they were made by. Returns how
 *  many there were. */
export const endEarlierAttempts = async (client: Pick<ClientBase, 'query'>, attempt: Attempt): Promise<number> => {
  const { rowCount } = await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and case when split_part(application_name, '#', 1) = split_part($1, '#', 1)
       then split_part(application_name, '#', 2)::integer < $2 end`,
    [connectionName(attempt), attempt.attempt],
  );
  return rowCount ?? 0;
};
