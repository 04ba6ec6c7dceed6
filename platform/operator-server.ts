import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a process tells those who operate it, on a port of its own. */
export interface OperatorServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface OperatorServerOptions {
  readonly port: number;
  readonly host: string;
  /** The metrics as Prometheus reads them. */
  readonly metrics: () => Promise<string>;
  /** Parts by name, and whether each is ready. */
  readonly ready: () => Promise<Readonly<Record<string, boolean>>>;
}

const prometheusText = 'text/plain; version=0.0.4; charset=utf-8';

/** Serves `/metrics`, `/healthz` and `/readyz`. @throws where the port is taken */
export async function startOperatorServer(options: OperatorServerOptions): Promise<OperatorServer> {
  const answers: Readonly<Record<string, () => Promise<{ status: number; type: string; body: string }>>> = {
    '/metrics': async () => ({ status: 200, type: prometheusText, body: await options.metrics() }),
    '/healthz': async () => ({ status: 200, type: 'application/json', body: '{"status":"ok"}' }),
    '/readyz': async () => {
      const parts = await options.ready();
      const ready = Object.values(parts).every(Boolean);
      const body = JSON.stringify({ status: ready ? 'ready' : 'not_ready', parts });
      return { status: ready ? 200 : 503, type: 'application/json', body };
    },
  };
  const server = createServer((request, reply) => {
    const answer = answers[(request.url ?? '').split('?')[0] ?? ''];
    if (answer === undefined || request.method !== 'GET') {
      reply.writeHead(404).end();
      return;
    }
    answer().then(
      ({ status, type, body }) =>
        reply.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body),
      // What is missing shows in /readyz; a reason could name hosts and users.
      () => reply.writeHead(503).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
