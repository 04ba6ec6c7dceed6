import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** The migrated database that every test file gets a copy of. */
export const templateName = 'concord_template';

/** A database of one test file: a copy of the migrated template. */
export interface TestDatabase {
  /** As the owner; other roles by replacing user and password. */
  readonly url: string;
  readonly name: string;
  /** Fails where the test left a connection open, which would be a leak of ours. */
  drop(): Promise<void>;
}

/** Makes one; `empty` without our tables, such as a source or a target system of a test. */
export async function createDatabase(options: { readonly empty?: boolean } = {}): Promise<TestDatabase> {
  const server = serverUrl();
  const name = `test_${randomBytes(6).toString('hex')}`;
  const template = options.empty === true ? 'template1' : templateName;
  await onServer(server, (client) => client.query(`create database ${name} template ${template}`));
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    name,
    async drop(): Promise<void> {
      await onServer(server, async (client) => {
        const open = await connectionsTo(client, name);
        await client.query(`drop database ${name} with (force)`);
        if (open > 0) throw new Error(`${String(open)} connections to ${name} were left open`);
      });
    },
  };
}

/** The test PostgreSQL, database `concord`, as the owner. */
export function serverUrl(): string {
  const url = process.env['CONCORD_TEST_DATABASE_URL'];
  if (url === undefined) throw new Error('No test PostgreSQL: only *.integration.spec.ts and *.e2e.spec.ts have one.');
  return url;
}

async function onServer<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/* A connection that was just closed is seen for a moment longer. */
async function connectionsTo(client: pg.Client, name: string): Promise<number> {
  let open = 0;
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const answer = await client.query<{ open: number }>(
      "select count(*)::int as open from pg_stat_activity where datname = $1 and backend_type = 'client backend'",
      [name],
    );
    open = answer.rows[0]?.open ?? 0;
    if (open === 0) return 0;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return open;
}
