import type { Connection } from '@temporalio/client';
import type { Hub } from '../../database/hub.js';

/** What must be there for requests to be answered. */
export interface Readiness {
  check(): Promise<readonly PartState[]>;
}

export interface PartState {
  readonly part: 'database' | 'migrations' | 'temporal';
  readonly ready: boolean;
}

const patienceMilliseconds = 2_000;

/** Asks the database, its schema, and Temporal's frontend. */
export const createReadiness = (
  hub: Hub,
  connection: Pick<Connection, 'workflowService' | 'withDeadline'>,
): Readiness => ({
  async check(): Promise<readonly PartState[]> {
    const [database, migrations, temporal] = await Promise.all([
      answers(hub.system((client) => client.query('select 1'))),
      answers(hub.system((client) => client.query('select concord.institution_by_code($1)', ['']))),
      answers(
        connection.withDeadline(Date.now() + patienceMilliseconds, () => connection.workflowService.getSystemInfo({})),
      ),
    ]);
    return [
      { part: 'database', ready: database },
      { part: 'migrations', ready: migrations },
      { part: 'temporal', ready: temporal },
    ];
  },
});

/* Whether, not why: the reason may name hosts and users, and this is open to anybody. */
const answers = async (work: Promise<unknown>): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, patienceMilliseconds);
  });
  const done = work.then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
};
