import { indexNames } from '../database/name-index.js';
import type { ActivityDependencies } from './dependencies.js';

export const createNames = ({ hub, heartbeat, cancelled }: ActivityDependencies) => ({
  /** Keeps the words by which records are found up with what a run wrote (null: with everything). */
  async indexNames(institutionId: number, runId: string | null): Promise<number> {
    const signal = cancelled();
    return await indexNames(hub, institutionId, {
      ...(runId === null ? {} : { runId }),
      ...(signal === undefined ? {} : { signal }),
      alive: heartbeat,
    });
  },
});
