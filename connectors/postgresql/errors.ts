import { SyncError } from '../../domain/errors.js';
import type { ErrorCode } from '../../domain/errors.js';

/** What the system is to the one who asks: it decides which code an error has. */
export type Side = 'source' | 'target';

type Trouble = 'unreachable' | 'forbidden' | 'schema_changed' | 'configuration';

const codes: Readonly<Record<Side, Readonly<Record<Trouble, ErrorCode>>>> = {
  source: {
    unreachable: 'source_unreachable',
    forbidden: 'source_forbidden',
    schema_changed: 'source_schema_changed',
    configuration: 'configuration_invalid',
  },
  target: {
    unreachable: 'target_unreachable',
    forbidden: 'target_forbidden',
    schema_changed: 'target_schema_changed',
    configuration: 'configuration_invalid',
  },
};

/** First match wins; SQLSTATEs by their beginning. */
const troubles: readonly (readonly [prefix: string, trouble: Trouble, words: string])[] = [
  ['28', 'forbidden', 'the login was refused'],
  ['42501', 'forbidden', 'a permission is missing'],
  ['0A000', 'forbidden', 'row-level security or the kind of relation forbids it'],
  ['25006', 'forbidden', 'the database is read-only'],
  ['42', 'schema_changed', 'a table, column or type is not as it was'],
  ['3F', 'schema_changed', 'a schema is not there'],
  ['3D', 'configuration', 'the database does not exist'],
  ['22', 'configuration', 'a value given to it is not of its type'],
  ['57014', 'unreachable', 'a statement was cancelled or took too long'],
  ['08', 'unreachable', 'the connection broke'],
  ['40', 'unreachable', 'the transaction lost against another one'],
  ['53', 'unreachable', 'the server lacks resources'],
  ['55', 'unreachable', 'something is locked'],
  ['57', 'unreachable', 'the server is going down or starting'],
  ['58', 'unreachable', 'the server has trouble with its system'],
  ['XX', 'unreachable', 'the server reports an internal error'],
];

/** The SQLSTATE of an error of the server, null for any other. */
export const sqlStateOf = (error: unknown): string | null => {
  const state = fieldOf(error, 'code');
  return state !== null && /^[0-9A-Z]{5}$/.test(state) ? state : null;
};

const fieldOf = (error: unknown, field: string): string | null => {
  if (typeof error !== 'object' || error === null) return null;
  const value: unknown = Reflect.get(error, field);
  return typeof value === 'string' ? value : null;
};

/** Whether the server's own constraints, types or triggers refused a row, so that another row may still do. */
export const isRowRefusal = (error: unknown): boolean => /^(22|23|27|44|P0|428C9)/.test(sqlStateOf(error) ?? '');

/** Why a row was refused: constraint, column and SQLSTATE, never a value (the server's own message quotes the row). */
export const refusalOf = (error: unknown): string => {
  const names = (['constraint', 'column'] as const)
    .map((field) => [field, fieldOf(error, field)] as const)
    .filter(([, name]) => name !== null)
    .map(([field, name]) => `${field} ${String(name)}`);
  return [...names, `SQLSTATE ${sqlStateOf(error) ?? 'unknown'}`].join(', ');
};

/** The error in our words. Server messages quote rows, so only their SQLSTATE and names survive, in the cause too.
 *  An error of ours, or one that comes from the caller's own stream, is handed on as it is. */
export const toSyncError = (error: unknown, side: Side, what: string): unknown => {
  if (error instanceof SyncError) return error;
  const state = sqlStateOf(error);
  if (state !== null) {
    const found = troubles.find(([prefix]) => state.startsWith(prefix));
    const code = found === undefined ? 'internal' : codes[side][found[1]];
    return new SyncError(code, `${what}: ${found?.[2] ?? 'the server refused'} (SQLSTATE ${state})`, {
      cause: withoutData(error),
    });
  }
  if (isConnectionTrouble(error)) {
    return new SyncError(codes[side].unreachable, `${what}: no connection to the server`, { cause: error });
  }
  return error;
};

const connectionTrouble =
  /^(ECONN|EPIPE|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENETUNREACH|ENOENT$|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_STREAM_PREMATURE_CLOSE)/;
const connectionWords =
  /connection terminated|connection ended|timeout exceeded|timeout expired|not queryable|does not support SSL/i;

/* By fields, not `instanceof Error`: an error of Node's own may come from another realm. */
const isConnectionTrouble = (error: unknown): boolean =>
  connectionTrouble.test(fieldOf(error, 'code') ?? '') || connectionWords.test(fieldOf(error, 'message') ?? '');

const withoutData = (error: unknown): Error => {
  const cause = new Error(refusalOf(error));
  const stack = fieldOf(error, 'stack') ?? '';
  cause.stack = [cause.message, ...stack.split('\n').filter((line) => /^\s+at /.test(line))].join('\n');
  return cause;
};

/** Whether the connection is as good as new after this: the server itself spoke, or we did. */
export const leavesConnectionUsable = (error: unknown): boolean =>
  error instanceof SyncError || (sqlStateOf(error) !== null && fieldOf(error, 'severity') === 'ERROR');
