import { Injectable } from '@nestjs/common';
import { leaveWordOfSchedules } from '../../database/configuration-store.js';
import type { Caller } from '../common/caller.js';
import { Problem } from '../common/problem.js';
import { refuseArchived } from '../configuration/changes.js';
import { ConfigurationStore, type OpenChange } from '../configuration/configuration-store.js';
import { jobs } from '../configuration/resources.js';
import { findJobRow, readPauses, type JobRow } from './job-row.js';

/** Pauses jobs and lets them run again. Not a part of the definition: a folder that is applied changes nothing of it. */
@Injectable()
export class PauseJob {
  constructor(private readonly configurations: ConfigurationStore) {}

  /** @throws Problem not_found, state_forbids where it is paused already */
  async pause(caller: Caller, id: string, reason: string): Promise<JobRow> {
    return await this.configurations.change(caller, async (change) => {
      const { row, paused } = await stateOf(change, id);
      if (paused !== undefined)
        throw new Problem(
          'state_forbids',
          `It was paused by ${paused.by} on ${paused.since.slice(0, 10)}: ${paused.reason}`,
        );
      await change.client.query(
        'update synchronization_jobs set paused_reason = $2, paused_by = $3, paused_at = now() where id = $1',
        [row.id, reason, caller.actor],
      );
      await leaveWordOfSchedules(change.client, caller.institutionId);
      return row;
    });
  }

  /** @throws Problem not_found, state_forbids where it is not paused */
  async resume(caller: Caller, id: string): Promise<JobRow> {
    return await this.configurations.change(caller, async (change) => {
      const { row, paused } = await stateOf(change, id);
      if (paused === undefined) throw new Problem('state_forbids', 'It is not paused.');
      await change.client.query(
        'update synchronization_jobs set paused_reason = null, paused_by = null, paused_at = null where id = $1',
        [row.id],
      );
      await leaveWordOfSchedules(change.client, caller.institutionId);
      return row;
    });
  }
}

const stateOf = async (
  { client, stored }: OpenChange,
  id: string,
): Promise<{ readonly row: JobRow; readonly paused: ReturnType<Awaited<ReturnType<typeof readPauses>>['get']> }> => {
  const row = findJobRow(stored.jobs, id);
  refuseArchived(jobs, row);
  return { row, paused: (await readPauses(client)).get(row.id) };
};
