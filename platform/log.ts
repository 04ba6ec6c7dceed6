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
        method.apply(this, withMessage(plain) as Parameters<Log['info']>);
      },
    },
  };
  return pino(settings, options.destination ?? pino.destination({ dest: 2, sync: true }));
}

/** The log of one run: every line names it. */
export function runLog(log: Log, runId: string): Log {
  return log.child({ runId });
}

/* A line that says nothing but its error would get the error's own message from pino, values and all. */
function withMessage(args: readonly unknown[]): readonly unknown[] {
  const [first, another] = args;
  if (another !== undefined || typeof first !== 'object' || first === null) return args;
  const thrown = first instanceof Error ? first : 'err' in first ? first.err : undefined;
  return thrown instanceof Error ? [first, withoutUrlPassword(messageOf(thrown))] : args;
}

/* A database error quotes the row in `detail` and `where`; only what leads to the cause is kept. */
function describeError(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return withoutUrlPassword(String(thrown));
  const [code, message] = [codeOf(thrown), messageOf(thrown)];
  return {
    type: thrown.name,
    ...(code === undefined ? {} : { code }),
    message: withoutUrlPassword(message),
    stack: withoutUrlPassword([message, ...framesOf(thrown)].join('\n')),
    ...placeOf(thrown),
    ...(thrown.cause === undefined ? {} : { cause: describeError(thrown.cause) }),
  };
}

const codeOf = (thrown: Error): string | number | undefined =>
  'code' in thrown && (typeof thrown.code === 'string' || typeof thrown.code === 'number') ? thrown.code : undefined;

const messageOf = (thrown: Error): string =>
  quotesValues(thrown, codeOf(thrown)) ? '[it may quote a value]' : thrown.message;

/* PostgreSQL names the value that it refuses, and what a trigger or a view of the target says is anybody's (classes 22 data, 23 and 44
   constraints, P0 raised, 38 and 39 outside functions); JavaScript names the text that is no JSON. */
function quotesValues(thrown: Error, code: string | number | undefined): boolean {
  return thrown instanceof SyntaxError || (typeof code === 'string' && /^(22|23|38|39|44|P0)[0-9A-Z]{3}$/.test(code));
}

/* The stack begins with the message, however many lines that has. */
const framesOf = (thrown: Error): readonly string[] =>
  (thrown.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));

/* What of the schema a database error is about. */
function placeOf(thrown: Error): Readonly<Record<string, string>> {
  const known = thrown as Error & Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    ['table', 'column', 'constraint', 'dataType'].flatMap((name): [string, string][] => {
      const value = known[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}

function withoutUrlPassword(text: string): string {
  return text.replace(urlPassword, '$1[redacted]@');
}
