import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { readConfig } from '../config/env.js';
import { startWorkerProcess } from './worker-process.js';

/* The worker as a process of its own: `node dist/worker/main.js`. `--host 0.0.0.0` lets other machines read its metrics. The other
   arguments are for tests: `--scope .name` separates installations that share a Temporal namespace, the rest make it less patient. */

/* What runs leave behind is collected when there is half as much again as is needed, and not four times as much: a collection takes some
   milliseconds, and the memory is the machine's. (Not on the command line: a Node whose V8 does not know it would not start.) */
setFlagsFromString('--heap-growing-percent=60');

const { values } = parseArgs({
  options: {
    host: { type: 'string' },
    scope: { type: 'string' },
    'heartbeat-seconds': { type: 'string' },
    'retry-seconds': { type: 'string' },
  },
});

const pace = {
  ...(values['heartbeat-seconds'] === undefined ? {} : { heartbeatSeconds: Number(values['heartbeat-seconds']) }),
  ...(values['retry-seconds'] === undefined ? {} : { retrySeconds: Number(values['retry-seconds']) }),
};

const worker = await startWorkerProcess({
  config: readConfig(),
  ...(values.host === undefined ? {} : { host: values.host }),
  ...(values.scope === undefined ? {} : { scope: values.scope }),
  ...(Object.keys(pace).length === 0 ? {} : { pace }),
});
process.stdout.write('The worker is up.\n');

let stopping: Promise<void> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // A second one, while what is at hand ends, ends it at once.
  process.on(signal, () => {
    if (stopping !== undefined) process.exit(1);
    stopping = worker.stop();
  });
}
await worker.ended;
await stopping;
