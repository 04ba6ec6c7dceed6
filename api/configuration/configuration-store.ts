import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import {
  configurationOf,
  lockConfiguration,
  readStoredConfiguration,
  storeConfiguration,
  type ConfigurationDifference,
  type StoredConfiguration,
} from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { Caller } from '../common/caller.js';
import { HUB } from '../common/tokens.js';

/** A change of the configuration under way: nobody else changes it meanwhile. */
export interface OpenChange {
  readonly client: PoolClient;
  readonly stored: StoredConfiguration;
  /** What is in use of it. */
  readonly current: Configuration;
  /** Makes this the whole configuration. It has been judged. */
  store(wanted: Configuration, action?: 'reverted'): Promise<ConfigurationDifference>;
  /** As it is stored by now. */
  reread(): Promise<StoredConfiguration>;
}

/** The configuration of the caller's institution. Every change of it is one of the whole: judged as a whole, and stored as the
 *  difference. */
@Injectable()
export class ConfigurationStore {
  constructor(@Inject(HUB) readonly hub: Hub) {}

  async read<T>(caller: Caller, work: (stored: StoredConfiguration, client: PoolClient) => Promise<T> | T): Promise<T> {
    return await this.hub.read(caller.institutionId, async (client) =>
      work(await readStoredConfiguration(client), client),
    );
  }

  /** One transaction: what throws leaves everything as it was. */
  async change<T>(caller: Caller, work: (change: OpenChange) => Promise<T>): Promise<T> {
    return await this.hub.transaction(caller.institutionId, async (client) => {
      await lockConfiguration(client, caller.institutionId);
      const stored = await readStoredConfiguration(client);
      return await work({
        ...{ client, stored, current: configurationOf(stored) },
        reread: () => readStoredConfiguration(client),
        store: (wanted, action) =>
          storeConfiguration(client, stored, wanted, {
            institutionId: caller.institutionId,
            actor: caller.actor,
            ...(action === undefined ? {} : { action }),
          }),
      });
    });
  }
}
