import type { PoolClient } from 'pg';
import { copyIn, copyOutBytes } from '../../platform/copy.js';
import type { CopyTarget } from '../capabilities.js';
import { isRowRefusal, sqlStateOf } from './errors.js';
import type { Relation } from './relation.js';
import type { PostgresSessions } from './sessions.js';
import type { PlanWrites, WritePlan } from './write-plan.js';

/** Nothing is to be changed: the transaction is rolled back. */
class NotChanged extends Error {}

/** What the caller's part threw: it is none of the target's errors. */
class Interrupted extends Error {
  constructor(readonly reason: unknown) {
    super('the intent was not recorded');
  }
}

const incoming = 'pg_temp.concord_incoming';

/** All rows of a text in one transaction that sees one state of the target from its beginning: where somebody else changes one of the
 *  rows that were shown, the server refuses our change of it. */
export const changeText =
  (sessions: PostgresSessions, planWrites: PlanWrites): CopyTarget['changeText'] =>
  async (target, text, intend) => {
    try {
      return await sessions.transaction('target', `changing "${target.entity}"`, async (client) => {
        await client.query('set transaction isolation level repeatable read');
        const plan = await planWrites(client, target);
        const isGenerated = plan.writable.length < plan.columns.length;
        if (isGenerated || valuesOf(plan).length === 0 || !(await isPlain(client, plan.relation))) return null;
        return await changeAll(client, plan, text, intend);
      });
    } catch (error) {
      if (error instanceof NotChanged) return null;
      throw error instanceof Interrupted ? error.reason : error;
    }
  };

type Parameters = globalThis.Parameters<CopyTarget['changeText']>;

const changeAll = async (
  client: PoolClient,
  plan: WritePlan,
  text: Parameters[1],
  intend: Parameters[2],
): Promise<Buffer[]> => {
  const count = await taken(() => fill(client, plan, text));
  const standing = await linesOf(client, standingRows(plan));
  let isIntended: boolean;
  try {
    isIntended = await intend(standing);
  } catch (error) {
    throw new Interrupted(error);
  }
  if (!isIntended) throw new NotChanged();
  const changed = await taken(() => linesOf(client, changeRows(plan)));
  // A policy may drop a row without an error, a key be that of several.
  if (countOf(changed) !== count) throw new NotChanged();
  return changed;
};

/** Whether a statement that changes rows does that and nothing else. Whoever may not make temporary tables has to go row by row. */
const isPlain = async (client: PoolClient, { sql }: Relation): Promise<boolean> => {
  const { rows } = await client.query<{ plain: boolean }>(
    `with recursive parts (oid) as (
       select $1::regclass::oid union select i.inhrelid from pg_inherits i join parts p on i.inhparent = p.oid)
     select bool_and(c.relkind in ('r', 'p') and not c.relhasrules
         and not exists (select from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal))
       and has_database_privilege(current_database(), 'temporary') as plain
     from parts join pg_class c using (oid)`,
    [sql],
  );
  return rows[0]?.plain === true;
};

const fill = async (
  client: PoolClient,
  { relation, columns }: WritePlan,
  text: AsyncIterable<Buffer>,
): Promise<number> => {
  // A deferred constraint would speak at the commit, when it is too late to leave the rows to others.
  await client.query('set constraints all immediate');
  await client.query(
    `create temp table concord_incoming on commit drop as
     select ${columns.map(({ sql }) => sql).join(', ')} from ${relation.sql} with no data`,
  );
  return await copyIn(client, `copy ${incoming} from stdin`, text);
};

/** Refusals of rows, deadlocks and changes by others are for those who go row by row. */
const taken = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (isRowRefusal(error) || sqlStateOf(error)?.startsWith('40') === true) throw new NotChanged();
    throw error;
  }
};

const valuesOf = ({ columns, key }: WritePlan): WritePlan['columns'] =>
  columns.filter((column) => !key.includes(column));

const sameKey = ({ key }: WritePlan): string => key.map(({ sql }) => `t.${sql} = s.${sql}`).join(' and ');

/* Rows were filled in their order, and none of them was changed: they lie in it. */
const standingRows = (plan: WritePlan): string =>
  `copy (select ${plan.columns.map(({ sql }) => `t.${sql}`).join(', ')}
     from ${incoming} s join ${plan.relation.sql} t on ${sameKey(plan)} order by s.ctid) to stdout`;

const changeRows = (plan: WritePlan): string => {
  const values = valuesOf(plan).map(({ sql }) => `${sql} = s.${sql}`);
  const texts = plan.columns.map(({ sql }, index) => `t.${sql} as c${String(index)}`);
  return `copy (with changed as (
       update ${plan.relation.sql} t set ${values.join(', ')} from ${incoming} s where ${sameKey(plan)}
       returning s.ctid as place, ${texts.join(', ')})
     select ${texts.map((_, index) => `c${String(index)}`).join(', ')} from changed order by place) to stdout`;
};

const linesOf = async (client: PoolClient, copy: string): Promise<Buffer[]> => {
  const lines: Buffer[] = [];
  for await (const bytes of copyOutBytes(client, copy)) lines.push(bytes);
  return lines;
};

const newline = 0x0a;

const countOf = (lines: readonly Buffer[]): number => {
  let count = 0;
  for (const bytes of lines)
    for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) count += 1;
  return count;
};
