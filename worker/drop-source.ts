import { fenced, takeLease } from '../activities/lease.js';
import { addFinding } from '../activities/problems.js';
import type { Hub } from '../database/hub.js';
import type { DroppingActivities } from '../workflows/activity-options.js';

/** A source that failed for good leaves the run: its plan is forgotten, so that no later step looks at what was read of it, and
 *  its parts are taken over, so that no late attempt writes more. */
export const createDropSource = ({ hub }: { readonly hub: Hub }): DroppingActivities => ({
  async dropSource(run, { mappingId, name }, step, failure) {
    const lease = await takeLease(hub, run, step === 'post' ? 'publish' : 'plan', String(mappingId));
    await fenced(hub, lease, async (client) => {
      const { rowCount } = await client.query(
        'select 1 from findings where run_id = $1 and mapping_id = $2 and kind = $3 and golden_id is null',
        [run.runId, mappingId, failure.code],
      );
      if (rowCount === 0)
        await addFinding(client, run, { kind: failure.code, mappingId, detail: `${name}: ${failure.detail}` });
      if (step === 'post') return;
      await client.query(
        `update run_leases set token = token + 1 where run_id = $1 and step = 'extract' and part like $2 || '/%'`,
        [run.runId, String(mappingId)],
      );
      await client.query(`delete from run_chunks where run_id = $1 and step = 'plan' and part = $2`, [
        run.runId,
        String(mappingId),
      ]);
    });
  },
});
