import { randomBytes } from 'node:crypto';
import { Connection } from '@temporalio/client';

/** Address of the test Temporal server (namespace `default`). Only *.e2e.spec.ts have one. */
export function temporalAddress(): string {
  const address = process.env['CONCORD_TEST_TEMPORAL_ADDRESS'];
  if (address === undefined) throw new Error('No test Temporal: only *.e2e.spec.ts have one.');
  return address;
}

/** A suffix for task queues and workflow ids of one test file: a worker drains for a while after its end, and would take
 *  another's tasks. */
export function uniqueSuffix(): string {
  return randomBytes(6).toString('hex');
}

/** A client connection; the caller closes it. */
export async function connectTemporal(): Promise<Connection> {
  return await Connection.connect({ address: temporalAddress() });
}
