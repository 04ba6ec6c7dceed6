import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';

/** A request that is asked again and again. */
export interface Asked {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
}

export interface Client {
  /** Seconds until the reply was read. @throws where it is not what was wanted */
  ask(asked: Asked, wanted?: (body: string) => boolean): Promise<number>;
  close(): void;
}

const succeeded = 200;

/** Asks the API over connections that stay open. */
export const clientOf = (origin: string, key: string, connections: number): Client => {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const url = new URL(origin);
  const place = { agent, host: url.hostname, port: url.port };
  return {
    ask: ({ method, path, body }, wanted = () => true) =>
      new Promise((resolve, reject) => {
        const headers = {
          authorization: `Bearer ${key}`,
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
        };
        const start = performance.now();
        const sent = request({ ...place, method, path, headers }, (reply) => {
          textOf(reply).then((text) => {
            const spent = (performance.now() - start) / 1000;
            if (reply.statusCode === succeeded && wanted(text)) resolve(spent);
            else
              reject(
                new Error(`${method} ${path} was answered with ${String(reply.statusCode)}: ${text.slice(0, 500)}`),
              );
          }, reject);
        });
        sent.on('error', reject);
        sent.end(body);
      }),
    close: () => {
      agent.destroy();
    },
  };
};

const textOf = async (reply: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = [];
  for await (const part of reply) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
};

/** Seconds of each of so many requests, so many of them at once. */
export const timesOf = async (
  count: number,
  atOnce: number,
  ask: (index: number) => Promise<number>,
): Promise<number[]> => {
  const times: number[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) times.push(await ask(index));
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return times;
};
