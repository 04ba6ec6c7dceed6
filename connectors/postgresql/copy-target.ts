import { SyncError } from '../../domain/errors.js';
import { copyIn } from '../../platform/copy.js';
import type { CopyTarget, TargetEntity } from '../capabilities.js';
import { changeText } from './change-text.js';
import { isRowRefusal, refusalOf } from './errors.js';
import { readText } from './read-text.js';
import type { PostgresSessions } from './sessions.js';
import { copyRows, planWrites } from './write-plan.js';

export const createCopyTarget = (sessions: PostgresSessions): CopyTarget => ({
  async insertText(target: TargetEntity, text: AsyncIterable<Buffer>): Promise<number | null> {
    return await sessions.transaction('target', `inserting into "${target.entity}"`, async (client) => {
      const plan = await planWrites(client, sessions.defaultSchema, target);
      if (plan.writable.length < plan.columns.length) return null;
      await client.query('set constraints all immediate');
      try {
        return await copyIn(client, copyRows(plan), text);
      } catch (error) {
        if (!isRowRefusal(error)) throw error;
        throw new SyncError(
          'target_row_exists',
          `"${plan.relation.entity}" refused a row of the bulk insert (${refusalOf(error)}); nothing was written`,
        );
      }
    });
  },
  changeText: changeText(sessions),
  readText: readText(sessions),
});
