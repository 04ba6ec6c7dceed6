import { summarizeRecords } from '../database/golden-rows.js';
import { indexNames } from '../database/name-index.js';
import type { ActivityDependencies } from './dependencies.js';

export const createNames = ({ hub, heartbeat, cancelled }: ActivityDependencies) => ({
  /** Keeps what records are found by up with what a run wrote (null: with everything): their words, and who made them. */
  async indexNames(institutionId: number, runId: string | null): Promise<number> {
    const signal = cancelled();
    await hub.transaction(institutionId, summarizeRecords);
    return await indexNames(hub, institutionId, {
      ...(runId === null ? {} : { runId }),
      ...(signal === undefined ? {} : { signal }),
      alive: heartbeat,
    });
  },
});
