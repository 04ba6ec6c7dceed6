import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApi } from '../../api/application.js';
import { createLog } from '../../platform/log.js';
import { testAccess } from './api-harness.js';

/** The API with nothing behind it: enough to ask what it offers, and too little to ask it for anything. `close()` it. */
export const createUnconnectedApi = async (): Promise<NestFastifyApplication> => {
  const nothing = {} as never;
  return await createApi({
    ...{ hub: nothing, clock: nothing, starter: nothing, readiness: nothing, previewRollback: nothing },
    listenForEvents: () => ({ stop: async () => undefined }),
    spoolFolder: '',
    access: testAccess,
    log: createLog({ level: 'silent', name: 'test' }),
  });
};
