import { parseArgs } from 'node:util';
import { readConfig } from '../config/env.js';
import { startApi } from './serve.js';

/* The API as a process of its own: `node dist/api/main.js`. `--host 0.0.0.0` lets other machines reach it; `--scope .name`, for
   tests, separates installations that share a Temporal namespace. */

const { values } = parseArgs({ options: { host: { type: 'string' }, scope: { type: 'string' } } });

const api = await startApi({
  config: readConfig(),
  ...(values.host === undefined ? {} : { host: values.host }),
  ...(values.scope === undefined ? {} : { scope: values.scope }),
});
process.stdout.write(`The API is up: ${api.url}\n`);

let stopping: Promise<void> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // A second one, while what is at hand is answered, ends it at once.
  process.on(signal, () => {
    if (stopping !== undefined) process.exit(1);
    stopping = api.stop();
  });
}
