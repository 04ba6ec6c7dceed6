import type { PoolClient } from 'pg';
import type { Connector, TargetEntity } from '../connectors/capabilities.js';
import type { RunRef } from '../domain/run.js';
import type { InstitutionContext, MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import type { Lease } from './lease.js';

/** Everything that verifying one target needs. */
export interface Verifying {
  readonly dependencies: ActivityDependencies;
  readonly run: RunRef;
  readonly lease: Lease;
  readonly context: InstitutionContext;
  readonly mapping: MappingRef;
  readonly connector: Connector;
  readonly target: TargetEntity;
}

/** Whether one attempt published all: what a later one looked at and told is not all that the first one wrote. */
export const isToldOnce = async (client: PoolClient, { run, mapping }: Verifying): Promise<boolean> => {
  const { rows } = await client.query<{ token: string }>(
    `select token::text from run_leases where run_id = $1 and step = 'publish' and part = $2`,
    [run.runId, String(mapping.id)],
  );
  return rows[0]?.token === '1';
};
