import { finished } from 'node:stream';
import type { Readable, Writable } from 'node:stream';
import type { PoolClient } from 'pg';
import { currentTraceId, failSpan, startSpan } from '../platform/tracing.js';

/** The client as it is; where a trace is kept, each statement becomes a span of it. A span names what is done to which table, and
 *  holds neither the statement nor its values. */
export function traced(client: PoolClient): PoolClient {
  if (currentTraceId() === null) return client;
  const ask = client.query.bind(client) as (...args: readonly unknown[]) => unknown;
  const query = (...args: readonly unknown[]): unknown => {
    const { operation, table } = summaryOf(args[0]);
    const span = startSpan(table === null ? operation : `${operation} ${table}`, {
      kind: 'CLIENT',
      attributes: {
        ...{ 'db.system.name': 'postgresql', 'db.operation.name': operation },
        ...(table === null ? {} : { 'db.collection.name': table }),
      },
    });
    const end = (error?: unknown): void => {
      if (error !== undefined && error !== null) failSpan(span, error);
      span.end();
    };
    const result = ask(...args);
    if (result instanceof Promise) result.then(() => end(), end);
    else if (isStream(result)) finished(result, end);
    else end();
    return result;
  };
  return new Proxy(client, {
    get(target, name) {
      if (name === 'query') return query;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

const statement =
  /^\s*(?:with\b[\s\S]*?\)\s*)?(select|insert|update|delete|merge|copy|begin|commit|rollback|create|drop|analyze|set|lock)\b(?:[\s\S]*?\b(?:from|into|update|copy|join|table|analyze)\s+(?:only\s+)?([a-z_][\w.]*))?/i;

/* A name of a table of ours; whatever else stands there is not told. */
function summaryOf(asked: unknown): { readonly operation: string; readonly table: string | null } {
  const text =
    typeof asked === 'string'
      ? asked
      : typeof asked === 'object' && asked !== null && 'text' in asked && typeof asked.text === 'string'
        ? asked.text
        : '';
  const [, operation, table] = statement.exec(text.slice(0, 2_000)) ?? [];
  return { operation: operation?.toLowerCase() ?? 'sql', table: table?.replace(/^(concord|staging)\./, '') ?? null };
}

const isStream = (value: unknown): value is Readable | Writable =>
  typeof value === 'object' && value !== null && 'on' in value && 'destroy' in value;
