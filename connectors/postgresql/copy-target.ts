import { SyncError } from '../../domain/errors.js';
import { copyIn } from '../../platform/copy.js';
import type { CopyTarget, TargetEntity } from '../capabilities.js';
import { changeText } from './change-text.js';
import { isRowRefusal, refusalOf } from './errors.js';
import { readText } from './read-text.js';
import type { Relation } from './relation.js';
import type { PostgresSessions } from './sessions.js';
import { copyRows, planWritesOnce } from './write-plan.js';

/** Whether the table itself sees to it that no key stands twice. */
const isKeyed = ({ uniqueKeys }: Relation, { key }: TargetEntity): boolean =>
  uniqueKeys.some((unique) => unique.every((name) => key.includes(name)));

export const createCopyTarget = (sessions: PostgresSessions): CopyTarget => {
  const plan = planWritesOnce(sessions.defaultSchema);
  return {
    async insertText(target: TargetEntity, text: AsyncIterable<Buffer>): Promise<number | null> {
      return await sessions.transaction('target', `inserting into "${target.entity}"`, async (client) => {
        const planned = await plan(client, target);
        if (planned.writable.length < planned.columns.length || !isKeyed(planned.relation, target)) return null;
        await client.query('set constraints all immediate');
        try {
          return await copyIn(client, copyRows(planned), text);
        } catch (error) {
          if (!isRowRefusal(error)) throw error;
          throw new SyncError(
            'target_row_exists',
            `"${planned.relation.entity}" refused a row of the bulk insert (${refusalOf(error)}); nothing was written`,
          );
        }
      });
    },
    changeText: changeText(sessions, plan),
    readText: readText(sessions, plan),
  };
};
