import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** `preferred` where it can be listened on, else any free port. Another program may still take it first: callers try again. */
export async function freePort(preferred: number, taken: ReadonlySet<number> = new Set()): Promise<number> {
  if (preferred !== 0 && !taken.has(preferred)) {
    const port = await listenOnce(preferred);
    if (port !== null) return port;
  }
  for (;;) {
    const port = await listenOnce(0);
    if (port !== null && !taken.has(port)) return port;
  }
}

function listenOnce(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => {
      resolve(null);
    });
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = probe.address() as AddressInfo;
      probe.close(() => {
        resolve(address.port);
      });
    });
  });
}
