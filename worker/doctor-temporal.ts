import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { temporalConnectionOptions } from '../config/env.js';
import type { TemporalConfig } from '../config/env.js';
import { taskQueues } from '../domain/run.js';
import { Checkup, checkClock } from '../platform/checkup.js';
import type { Observation } from '../platform/checkup.js';
import { searchAttributes } from './search-attributes.js';

const patienceMilliseconds = 5_000;
const pollWithinMilliseconds = 90_000;
const oldestVersion = [1, 27] as const;

/** Looks at Temporal: server, namespace, search attributes, clock, workers. Starts nothing there. `scope` follows the names of
 *  the task queues. */
export async function examineTemporal(
  temporal: TemporalConfig,
  address: string,
  scope = '',
): Promise<readonly Observation[]> {
  const checkup = new Checkup('temporal');
  const connection = Connection.lazy({
    ...temporalConnectionOptions(temporal, address),
    connectTimeout: patienceMilliseconds,
  });
  const examination = { connection, namespace: temporal.namespace, scope, checkup };
  try {
    if (!(await examineServer(examination, address))) return checkup.observations;
    if (!(await examineNamespace(examination))) return checkup.observations;
    await examineSearchAttributes(examination);
    await examineClock(examination);
    await examineWorkers(examination);
  } finally {
    await connection.close();
  }
  return checkup.observations;
}

interface Examination {
  readonly connection: Connection;
  readonly namespace: string;
  readonly scope: string;
  readonly checkup: Checkup;
}

const inTime = <T>({ connection }: Examination, ask: () => Promise<T>): Promise<T> =>
  connection.withDeadline(Date.now() + patienceMilliseconds, ask);

async function examineServer(examination: Examination, address: string): Promise<boolean> {
  const { connection, checkup } = examination;
  try {
    const { serverVersion } = await inTime(examination, () => connection.workflowService.getSystemInfo({}));
    checkup.ok('reachable', address);
    const [major = 0, minor = 0] = serverVersion.split('.').map(Number);
    const old = major < oldestVersion[0] || (major === oldestVersion[0] && minor < oldestVersion[1]);
    if (old)
      checkup.warning(
        'version',
        serverVersion,
        `Concord is tested with Temporal ${oldestVersion.join('.')} and later.`,
      );
    else checkup.ok('version', serverVersion);
    return true;
  } catch (error) {
    checkup.wrong(
      'reachable',
      `${address}: ${reasonOf(error)}`,
      'Start Temporal, or mend TEMPORAL_ADDRESS; with TLS or an API key also TEMPORAL_TLS… and TEMPORAL_API_KEY.',
    );
    return false;
  }
}

async function examineNamespace(examination: Examination): Promise<boolean> {
  const { connection, namespace, checkup } = examination;
  try {
    const { config } = await inTime(examination, () => connection.workflowService.describeNamespace({ namespace }));
    const days = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / 86_400;
    const found = `${namespace}, keeps closed workflows for ${days.toFixed(0)} days`;
    if (days >= 1) checkup.ok('namespace', found);
    else checkup.warning('namespace', found, 'Keep them for 7 days or more, so that an operator can still look.');
    return true;
  } catch (error) {
    checkup.wrong(
      'namespace',
      `${namespace}: ${reasonOf(error)}`,
      `temporal operator namespace create -n ${namespace} --retention 30d, or mend TEMPORAL_NAMESPACE.`,
    );
    return false;
  }
}

async function examineSearchAttributes(examination: Examination): Promise<void> {
  const { connection, namespace, checkup } = examination;
  try {
    const { customAttributes } = await inTime(examination, () =>
      connection.operatorService.listSearchAttributes({ namespace }),
    );
    const missing = searchAttributes.filter(({ name }) => !(name in customAttributes));
    if (missing.length === 0) checkup.ok('search attributes', searchAttributes.map(({ name }) => name).join(', '));
    else
      checkup.warning(
        'search attributes',
        `not there: ${missing.map(({ name }) => name).join(', ')}`,
        missing
          .map(
            ({ name, kind }) =>
              `temporal operator search-attribute create -n ${namespace} --name ${name} --type ${kind}`,
          )
          .join('; '),
      );
  } catch (error) {
    checkup.warning(
      'search attributes',
      `could not be asked for: ${reasonOf(error)}`,
      'Temporal Cloud does not tell: see there that they exist. Concord works without, only searching in the Web UI does not.',
    );
  }
}

/* The server notes when somebody asked for work of a queue: we ask, on a queue of our own that nobody writes to. */
async function examineClock(examination: Examination): Promise<void> {
  const { connection, namespace, checkup } = examination;
  const taskQueue = { name: `concord-doctor-${randomUUID()}` };
  const asked = new Date();
  const enough = new AbortController();
  const poll = inTime(examination, () =>
    connection.withAbortSignal(enough.signal, () =>
      connection.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue, identity: 'concord doctor' }),
    ),
  ).catch(() => undefined); // nothing ever comes
  try {
    const seen = await firstPoll(examination, taskQueue);
    if (seen !== null) checkClock(checkup, 'Temporal', seen, asked, 2 + (Date.now() - asked.getTime()) / 1000);
    else checkup.warning('clock of Temporal', 'could not be read', 'Compare it by hand.');
  } finally {
    enough.abort();
    await poll;
  }
}

/* When Temporal saw somebody ask for work of a queue, by its own clock. */
async function firstPoll(examination: Examination, taskQueue: { readonly name: string }): Promise<Date | null> {
  const { connection, namespace } = examination;
  const until = Date.now() + patienceMilliseconds;
  while (Date.now() < until) {
    const { pollers } = await inTime(examination, () =>
      connection.workflowService.describeTaskQueue({ namespace, taskQueue }),
    );
    const seconds = pollers[0]?.lastAccessTime?.seconds;
    if (seconds !== undefined && seconds !== null) return new Date(Number(seconds) * 1000);
    await pause(50);
  }
  return null;
}

async function examineWorkers(examination: Examination): Promise<void> {
  const { connection, namespace, scope, checkup } = examination;
  for (const queue of Object.values(taskQueues)) {
    const name = queue + scope;
    const { pollers } = await inTime(examination, () =>
      connection.workflowService.describeTaskQueue({ namespace, taskQueue: { name } }),
    );
    const since = Date.now() - pollWithinMilliseconds;
    const alive = pollers.filter(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 > since);
    const who = new Set(alive.map(({ identity }) => identity ?? ''));
    checkup.expect(
      `workers of ${name}`,
      who.size > 0,
      who.size === 0 ? 'nobody asks for work' : `${String(who.size)}: ${[...who].join(', ')}`,
      'Start a worker (`concord up`, or node dist/worker/main.js) on this Temporal and namespace.',
    );
  }
}

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return 'details' in error && typeof error.details === 'string' && error.details !== ''
    ? error.details
    : error.message;
};
