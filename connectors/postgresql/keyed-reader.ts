import type { RawRow } from '../../domain/rows.js';
import { keyOf } from '../../domain/rows.js';
import type { KeyedReader } from '../capabilities.js';
import { planRead } from './read-plan.js';
import { readInto } from './row-target.js';
import type { PostgresSessions } from './sessions.js';

export const createKeyedReader = (sessions: PostgresSessions): KeyedReader => ({
  async readKeys(request, keys): Promise<Map<string, RawRow>> {
    return await sessions.use('source', `reading rows of "${request.entity}"`, async (client) => {
      const plan = await planRead(client, sessions.defaultSchema, request);
      const found = new Map<string, RawRow>();
      await readInto(
        found,
        client,
        plan,
        keys.filter((key) => keyOf(key) !== null),
      );
      return found;
    });
  },
});
