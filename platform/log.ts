import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import { currentTraceId } from './tracing.js';

/** Our log: one JSON object a line, with the ids that lead to the run. Counts, codes and ids only: rows and bodies of requests
 *  are never given to it, and what slips in under a telling name is blanked. */
export type Log = Logger;

/* pino looks for exact paths: each name is blanked at the top, and one and two levels below. */
const secretNames = [
  ...['password', 'passwd', 'secret', 'token', 'apiKey', 'api_key', 'accessKey', 'privateKey', 'credentials'],
  ...['authorization', 'Authorization', 'cookie', 'Cookie', 'set-cookie', 'x-api-key', 'X-Api-Key'],
  ...['databaseUrl', 'connectionString', 'DATABASE_URL', 'TEMPORAL_API_KEY'],
];
const personalNames = [
  'body',
  'payload',
  'row',
  'rows',
  'raw',
  'record',
  'value',
  'values',
  'before',
  'after',
  'parameters',
];

/** Paths that are blanked in every line. */
export const redactedPaths: readonly string[] = [...secretNames, ...personalNames].flatMap((name) => {
  const key = `["${name}"]`;
  return [key, `*${key}`, `*.*${key}`];
});

const urlPassword = /([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@]+@/gi;

/** Makes the log of a process. Lines go to standard error, so that standard output stays with what a command answers. */
export function createLog(options: {
  readonly level: string;
  readonly name: string;
  readonly destination?: DestinationStream;
}): Log {
  const settings = {
    name: options.name,
    level: options.level,
    base: { process: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    // Leads from a line to its trace, where traces are kept.
    mixin: () => {
      const traceId = currentTraceId();
      return traceId === null ? {} : { traceId };
    },
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: [...redactedPaths], censor: '[redacted]' },
    serializers: { err: describeError, error: describeError },
    hooks: {
      // A connection string in a message is found by its shape: there is no name to go by.
      logMethod(this: Log, args: Parameters<Log['info']>, method: Log['info']): void {
        const plain = args.map((arg: unknown) => (typeof arg === 'string' ? withoutUrlPassword(arg) : arg));
        method.apply(this, plain as Parameters<Log['info']>);
      },
    },
  };
  return pino(settings, options.destination ?? pino.destination({ dest: 2, sync: true }));
}

/** The log of one run: every line names it. */
export function runLog(log: Log, runId: string): Log {
  return log.child({ runId });
}

/* A database error quotes the row in `detail` and `where`; only what leads to the cause is kept. */
function describeError(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return withoutUrlPassword(String(thrown));
  const code =
    'code' in thrown && (typeof thrown.code === 'string' || typeof thrown.code === 'number') ? thrown.code : undefined;
  return {
    type: thrown.name,
    ...(code === undefined ? {} : { code }),
    message: withoutUrlPassword(thrown.message),
    stack: withoutUrlPassword(thrown.stack ?? ''),
    ...(thrown.cause === undefined ? {} : { cause: describeError(thrown.cause) }),
  };
}

function withoutUrlPassword(text: string): string {
  return text.replace(urlPassword, '$1[redacted]@');
}
