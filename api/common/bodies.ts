import { Readable } from 'node:stream';
import type { HttpRequest } from './http.js';

interface RoutedRequest {
  readonly routeOptions: { readonly url?: string | undefined };
}

/** What we need of the server: to say how a body of a type is read, and to look at it before. */
interface BodyParsers {
  addHook(
    name: 'preParsing',
    hook: (
      request: RoutedRequest,
      reply: unknown,
      payload: Readable,
      done: (error?: Error | null, payload?: Readable) => void,
    ) => void,
  ): unknown;
  addContentTypeParser(
    type: string,
    parser: (request: RoutedRequest, payload: Readable, done: (error: Error | null, body?: unknown) => void) => void,
  ): unknown;
}

/** Files reach their route as streams, however large; a CSV that is to be looked at only is read whole, up to a limit. */
export const addFileParsers = (server: BodyParsers, bodyLimit: number): void => {
  server.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  server.addContentTypeParser('text/csv', (request, payload, done) => {
    if (request.routeOptions.url?.endsWith('/deliveries') === true) done(null, payload);
    else
      readWhole(payload, bodyLimit).then(
        (body) => done(null, body),
        (error: unknown) => done(error instanceof Error ? error : new Error('the body could not be read')),
      );
  });
};

const rawBodies = new WeakMap<object, Buffer>();
const mostSignedBytes = 64 * 1024;

/** Keeps the bodies of signed messages as they came: what was signed is bytes, and not what they mean. */
export const keepSignedBodies = (server: BodyParsers): void => {
  server.addHook('preParsing', (request, _reply, payload, done) => {
    if (request.routeOptions.url?.endsWith('/webhook') !== true) {
      done(null, payload);
      return;
    }
    readWhole(payload, mostSignedBytes).then(
      (body) => {
        rawBodies.set(request, body);
        // How much came over the line, which the server compares with what was announced.
        done(null, Object.assign(Readable.from([body]), { receivedEncodedLength: body.length }));
      },
      (error: unknown) => done(error instanceof Error ? error : new Error('the body could not be read')),
    );
  });
};

/** The body of a signed message. @throws Error where it was not kept (a defect) */
export const rawBodyOf = (request: HttpRequest): Buffer => {
  const body = rawBodies.get(request);
  if (body === undefined) throw new Error('a signed message whose body was not kept');
  return body;
};

const readWhole = async (payload: AsyncIterable<Buffer>, limit: number): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of payload) {
    size += chunk.length;
    if (size > limit) throw Object.assign(new Error('the body is too large'), { statusCode: 413 });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};
