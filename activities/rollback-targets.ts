import type { PoolClient } from 'pg';
import type { RowOutcome, RowTarget, RowWrite, TargetEntity } from '../connectors/capabilities.js';
import { parkedKey, withIdentifiers } from '../database/image-rows.js';
import { movedRows, restrictedRow } from '../database/rollback-records.js';
import { SyncError } from '../domain/errors.js';
import { keySeparator, type RawRow } from '../domain/rows.js';
import type { ActivityDependencies } from './dependencies.js';
import { fenced } from './lease.js';
import { hashOfRow } from './projecting.js';
import { setBackFile } from './rollback-file.js';
import { freeWhenApart } from './rollback-restricted.js';
import { isBefore, type Cells, type SetBack, type SetBackOutcome, type TargetRollback } from './rollback-set-back.js';
import { holdingTarget } from './target-lock.js';

const pageSize = 2_000;

export interface RolledBackCounts {
  reversed: number;
  kept: number;
  failed: number;
}

/** Sets back what the run wrote to one target and what still stands there; edits made since are kept and listed. */
export const rollBackTarget = (
  dependencies: ActivityDependencies,
  rolling: TargetRollback,
): Promise<RolledBackCounts> =>
  holdingTarget(dependencies.hub, rolling.run, rolling.mapping, () => setBackTarget(dependencies, rolling));

const setBackTarget = async (
  dependencies: ActivityDependencies,
  rolling: TargetRollback,
): Promise<RolledBackCounts> => {
  const { context, mapping } = rolling;
  const compiled = context.target(mapping);
  const connector = dependencies.openConnector(mapping.system);
  const target = { entity: mapping.definition.entity, key: compiled.keyColumns, columns: compiled.columns };
  const counts: RolledBackCounts = { reversed: 0, kept: 0, failed: 0 };
  const record = async (outcomes: readonly SetBackOutcome[]): Promise<void> => {
    for (const { outcome } of outcomes) counts[outcome === 'restricted' ? 'kept' : outcome] += 1;
    await fenced(dependencies.hub, rolling.lease, (client) => recordSetBack(client, rolling, outcomes));
    dependencies.heartbeat();
  };
  const impossible = compiled.target.rollback === 'impossible';
  try {
    if (connector.rows !== undefined) {
      for (const which of setBackOrder) {
        // A row whose former key still holds another row of the run waits for that one, which may lie on another page.
        for (let [waiting, isStuck] = [Infinity, false]; waiting > 0;) {
          const waited = waiting;
          waiting = 0;
          for await (const page of pagesOf(dependencies, rolling, which, impossible, record)) {
            const outcomes = await setBackRows(connector.rows, target, page, isStuck);
            waiting += page.length - outcomes.length;
            await record(outcomes);
          }
          isStuck = waiting >= waited;
        }
      }
    } else if (connector.file !== undefined) {
      for await (const outcomes of setBackFile(
        dependencies,
        rolling,
        connector.file,
        target,
        pagesToSetBack(dependencies, rolling, impossible, record),
      ))
        await record(outcomes);
    } else {
      throw new SyncError('configuration_invalid', 'the system takes neither rows nor files');
    }
    return counts;
  } finally {
    await connector.close();
  }
};

/** What the run wrote goes first: a row that it took away may have stood where it wrote. */
const setBackOrder = ['written', 'taken'] as const;

/** Pages of rows that can be set back; those that cannot are recorded on the way. */
async function* pagesToSetBack(
  dependencies: ActivityDependencies,
  rolling: TargetRollback,
  impossible: boolean,
  record: (outcomes: readonly SetBackOutcome[]) => Promise<void>,
): AsyncGenerator<readonly SetBack[], void, undefined> {
  for (const which of setBackOrder) yield* pagesOf(dependencies, rolling, which, impossible, record);
}

async function* pagesOf(
  dependencies: ActivityDependencies,
  rolling: TargetRollback,
  which: (typeof setBackOrder)[number],
  impossible: boolean,
  record: (outcomes: readonly SetBackOutcome[]) => Promise<void>,
): AsyncGenerator<readonly SetBack[], void, undefined> {
  let after = '0';
  for (;;) {
    const page = await readPage(dependencies, rolling, which, after);
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.goldenId;
    const left = page.filter((one) => one.restricted || impossible);
    if (left.length > 0) {
      await record(
        left.map((one): SetBackOutcome => ({ one, outcome: one.restricted ? 'restricted' : 'failed', actual: null })),
      );
    }
    const rest = page.filter((one) => !left.includes(one));
    if (rest.length > 0) yield rest;
  }
}

/** Writes of the run that are not yet set back, of records that are not kept: entries, and rows that were inserted in bulk. A
 *  restriction outlives a rollback. */
const readPage = async (
  { hub }: ActivityDependencies,
  rolling: TargetRollback,
  which: (typeof setBackOrder)[number],
  after: string,
): Promise<SetBack[]> => {
  const { run, runId, mapping, table } = rolling;
  return hub.read(run.institutionId, async (client) => {
    const { rows } = await client.query<{
      golden: string;
      before: Cells | null;
      after: Cells | null;
      key: string | null;
      hash: string | null;
      restricted: boolean;
      owner: string;
    }>(
      `with moved as (${movedRows})
       select x.golden::text as golden, coalesce(w.was, x.golden)::text as owner, x.before, x.after, x.key, x.hash::text as hash,
         x.before is not null and ${restrictedRow('coalesce(w.was, x.golden)', '$5::text', 'u.as_of')} as restricted from (
         select e.row_id as golden, e.before, e.after, null::text as key, null::uuid as hash from change_set_entries e
         where e.run_id = $6 and e.kind = 'target' and e.mapping_id = $2 and e.outcome in ('intended', 'written') and e.rollback_outcome is null
         union all
         select i.golden_id, null, null, i.source_key, i.raw_hash from record_images i
         where i.mapping_id = $2 and i.created_run = $6 and i.read_run is null and i.deleted_run is null and i.raw is null and not i.untold
           and not exists (select 1 from change_set_entries e where e.run_id = $6 and e.kind = 'target' and e.mapping_id = $2 and e.row_id = i.golden_id)) x
       join ${table} t on t.golden_id = x.golden and not t.kept
       join sync_runs u on u.id = $4
       left join moved w on w.mapping_id = $2 and w.now = x.golden
       where x.golden > $3 and (x.before is not null and x.after is null) = ${String(which === 'taken')} order by x.golden limit ${pageSize}`,
      [[runId], mapping.id, after, run.runId, mapping.definition.target?.recipientClass ?? '', runId],
    );
    const doubtful = rows.filter(({ restricted }) => restricted).map(({ owner }) => owner);
    const free = doubtful.length === 0 ? new Set() : await freeWhenApart(client, rolling, doubtful);
    return rows.map(({ golden, before, after: wrote, key, hash, restricted, owner }) => ({
      goldenId: golden,
      wrote: wrote ?? (key === null ? null : { key, row: [] }),
      wroteHash: hash ?? (wrote === null ? null : hashOfRow(wrote.row)),
      before,
      restricted: restricted && !free.has(owner),
    }));
  });
};

const keyCells = (key: string): RawRow => key.split(keySeparator);

const keysOf = (page: readonly SetBack[]): RawRow[] =>
  [...new Set(page.flatMap(({ wrote, before }) => [wrote?.key, before?.key]))]
    .filter((key): key is string => key !== undefined)
    .map(keyCells);

const hashAt = (there: ReadonlyMap<string, RawRow>, key: string): string | null => {
  const row = there.get(key);
  return row === undefined ? null : hashOfRow(row);
};

/** The key that a row has to come back to, where the run took it from there. */
const formerKey = ({ wrote, before }: SetBack): string | null =>
  wrote !== null && before !== null && wrote.key !== before.key ? before.key : null;

/** Those that can be set back together: where a row comes back to its former key, nobody stands who does not leave with them. */
const withoutWaiting = (leaving: readonly SetBack[], there: ReadonlyMap<string, RawRow>): ReadonlySet<SetBack> => {
  let ready = leaving;
  for (;;) {
    const freed = new Set(
      ready
        .filter((one) => one.wrote !== null && (one.before === null || formerKey(one) !== null))
        .map(({ wrote }) => wrote?.key ?? ''),
    );
    const left = ready.filter((one) => {
      const key = formerKey(one);
      return key === null || freed.has(key) || !there.has(key);
    });
    if (left.length === ready.length) return new Set(ready);
    ready = left;
  }
};

const isDone = (status: RowOutcome['status'] | undefined): boolean => status === 'written' || status === 'already';

/** Sets rows back. One that has to wait for another row of the run to leave its former key has no outcome.
 *  @param isStuck nobody leaves any more: whoever still waits stays where it is, for another one stands where it came from */
const setBackRows = async (
  rows: RowTarget,
  target: TargetEntity,
  page: readonly SetBack[],
  isStuck: boolean,
): Promise<SetBackOutcome[]> => {
  const there = await rows.readRows(target, keysOf(page));
  const judged = page.map((one) => {
    const key = one.wrote?.key ?? one.before?.key ?? '';
    return { one, actual: there.get(key) ?? null, stands: hashAt(there, key) === one.wroteHash };
  });
  const standing = judged.filter(({ stands }) => stands);
  const ready = withoutWaiting(
    standing.map(({ one }) => one),
    there,
  );
  const moves = standing
    .filter(({ one }) => ready.has(one))
    .map(({ one, actual }) => ({ one, ...movesOf(one, actual) }));
  // All that leave make room for those that come.
  const writes = (['away', 'back'] as const).flatMap((way) =>
    moves.flatMap(({ one, [way]: write }) => (write === undefined ? [] : [{ one, write }])),
  );
  const outcomes = await rows.writeRows(
    target,
    writes.map(({ write }) => write),
  );
  const statuses = new Map<SetBack, RowOutcome['status']>();
  for (const [place, { one }] of writes.entries())
    if (!statuses.has(one) || isDone(statuses.get(one))) statuses.set(one, outcomes[place]?.status ?? 'refused');
  return judged.flatMap(({ one, actual, stands }): SetBackOutcome[] => {
    if (!stands) return [{ one, actual, outcome: wasSetBack(one, page, there) ? 'reversed' : 'kept' }];
    if (!ready.has(one)) return isStuck ? [{ one, actual, outcome: 'failed' }] : [];
    const status = statuses.get(one);
    return [{ one, actual, outcome: isDone(status) ? 'reversed' : status === 'refused' ? 'failed' : 'kept' }];
  });
};

/** As `isBefore`, of one whose key may have changed; where it was taken away an earlier attempt may have put back another one. */
const wasSetBack = (one: SetBack, page: readonly SetBack[], there: ReadonlyMap<string, RawRow>): boolean => {
  const key = one.before?.key ?? one.wrote?.key ?? '';
  if (isBefore(one, there.get(key) ?? null)) return true;
  const isOther = (other: SetBack): boolean => formerKey(other) === key && isBefore(other, there.get(key) ?? null);
  return one.before === null && page.some(isOther);
};

interface Moves {
  readonly away?: RowWrite;
  readonly back?: RowWrite;
}

/** The writes that set one row back. One whose key the run changed is taken away under the new key and put back under the former. */
const movesOf = (one: SetBack, actual: RawRow | null): Moves => {
  const { wrote, before } = one;
  const key = keyCells(wrote?.key ?? before?.key ?? '');
  const away = { key, before: actual, after: null };
  if (before === null) return { away };
  const former = formerKey(one);
  if (former === null) return { back: { key, before: actual, after: before.row } };
  return { away, back: { key: keyCells(former), before: null, after: before.row } };
};

/** Outcomes in the change set, and what we know of the target's rows. */
const recordSetBack = async (
  client: PoolClient,
  rolling: TargetRollback,
  outcomes: readonly SetBackOutcome[],
): Promise<void> => {
  const { run, runId, mapping } = rolling;
  const ids = outcomes.map(({ one }) => one.goldenId);
  await client.query(
    `update change_set_entries e set rollback_outcome = case o.outcome when 'restricted' then 'kept' else o.outcome end from unnest($1::bigint[], $2::text[]) as o (id, outcome)
     where e.run_id = $3 and e.kind = 'target' and e.mapping_id = $4 and e.row_id = o.id`,
    [ids, outcomes.map(({ outcome }) => outcome), runId, mapping.id],
  );
  const reversed = outcomes.filter(({ outcome }) => outcome === 'reversed');
  if (run.runId !== runId) {
    await client.query(
      `insert into change_set_entries as e (run_id, kind, mapping_id, row_id, institution_id, before, after, outcome, subject_key)
       select $1, 'target', $2, o.id, $3, o.before, o.after, 'written', g.subject_key
       from unnest($4::bigint[], $5::jsonb[], $6::jsonb[]) as o (id, before, after) join golden_records g on g.id = o.id
       on conflict (run_id, kind, mapping_id, row_id) do update set after = excluded.after`,
      [
        run.runId,
        mapping.id,
        run.institutionId,
        reversed.map(({ one }) => one.goldenId),
        reversed.map(({ one, actual }) =>
          cells(one.wrote?.key ?? '', one.wrote === null ? null : one.wrote.row.length > 0 ? one.wrote.row : actual),
        ),
        reversed.map(({ one }) => (one.before === null ? null : JSON.stringify(one.before))),
      ],
    );
  }
  // A row that is not put back stands as it stands: our image of it stays true, but for one that comes back with its record.
  await distrustImages(
    client,
    rolling,
    outcomes.filter(({ outcome }) => outcome === 'restricted'),
  );
  const touched = outcomes.filter(({ outcome }) => outcome !== 'restricted');
  if (mapping.definition.source === undefined) await rememberPure(client, rolling, touched);
  else await rememberShared(client, rolling, outcomes);
  const kept = outcomes.filter(({ outcome }) => outcome !== 'reversed');
  if (kept.length === 0) return;
  await client.query(
    `insert into findings (institution_id, run_id, kind, mapping_id, system_id, golden_id, detail, subject_key)
     select $1, $2, o.kind, $3, $4, g.id, o.detail, g.subject_key
     from unnest($5::bigint[], $6::text[], $7::text[]) as o (id, kind, detail) join golden_records g on g.id = o.id`,
    [
      run.institutionId,
      run.runId,
      mapping.id,
      mapping.systemId,
      kept.map(({ one }) => one.goldenId),
      kept.map(({ outcome }) => (outcome === 'reversed' ? '' : words[outcome].kind)),
      kept.map(({ outcome }) => (outcome === 'reversed' ? '' : words[outcome].detail)),
    ],
  );
};

/** Images of restricted rows, as the change set would bring them back: what they hold was not told. */
const distrustImages = async (
  client: PoolClient,
  { runId, mapping }: TargetRollback,
  restricted: readonly SetBackOutcome[],
): Promise<void> => {
  if (restricted.length === 0 || mapping.definition.source !== undefined) return;
  await client.query(
    `update change_set_entries e set before = e.before || '{"raw_hash": null, "told_hash": null, "untold": true, "settled_version": 0, "published_version": 0}'
     where e.run_id = $1 and e.kind = 'image' and e.before is not null and (e.before ->> 'mapping_id')::integer = $2
       and (e.golden_id = any ($3::bigint[]) or (e.after ->> 'golden_id')::bigint = any ($3::bigint[]))`,
    [runId, mapping.id, restricted.map(({ one }) => one.goldenId)],
  );
};

const words = {
  kept: { kind: 'kept_changed_since', detail: 'it was edited there since, so the edit was kept' },
  restricted: { kind: 'kept_restricted', detail: 'it may not be sent there any more, so it was not put back' },
  failed: { kind: 'rollback_failed', detail: 'the target did not take the former row' },
} as const;

const cells = (key: string, row: RawRow | null): string | null => (row === null ? null : JSON.stringify({ key, row }));

/** A target that we do not read: our image holds the hash of what stands there now. */
const rememberPure = async (
  client: PoolClient,
  { run, runId, mapping }: TargetRollback,
  outcomes: readonly SetBackOutcome[],
): Promise<void> => {
  const set = outcomes.map(({ one, outcome, actual }) => ({
    id: one.goldenId,
    key: outcome === 'reversed' ? (one.before?.key ?? null) : null,
    hash:
      outcome === 'reversed'
        ? one.before === null
          ? null
          : hashOfRow(one.before.row)
        : actual === null
          ? null
          : hashOfRow(actual),
    untold: outcome !== 'reversed',
  }));
  const kept = set.filter(({ untold }) => untold);
  // What the images were is kept for whoever undoes this; of a row that is kept, what an undo would bring back was not told.
  if (run.runId !== runId) {
    await client.query(
      `insert into change_set_entries (run_id, kind, row_id, institution_id, before, outcome, subject_key)
       select $1, 'image', i.id, $2, ${withIdentifiers}, 'written', i.subject_key
       from record_images i where i.mapping_id = $3 and i.sub_key = '' and i.golden_id = any ($4::bigint[]) on conflict do nothing`,
      [run.runId, run.institutionId, mapping.id, set.filter(({ untold }) => !untold).map(({ id }) => id)],
    );
  }
  await client.query(
    `update change_set_entries e set before = e.before || jsonb_build_object('raw_hash', o.hash, 'told_hash', null, 'untold', true, 'settled_version', 0, 'published_version', 0)
     from unnest($1::bigint[], $2::uuid[]) as o (id, hash)
     where e.run_id = $3 and e.kind = 'image' and (e.before ->> 'mapping_id')::integer = $4 and (e.before ->> 'golden_id')::bigint = o.id`,
    [kept.map(({ id }) => id), kept.map(({ hash }) => hash), runId, mapping.id],
  );
  // A key may go from one row to another: the row that is gone lets go of it, and those that come back meet none of each other's.
  await client.query(
    `delete from record_images where mapping_id = $1 and created_run = $2 and sub_key = '' and golden_id = any ($3::bigint[])`,
    [mapping.id, runId, set.filter(({ hash }) => hash === null).map(({ id }) => id)],
  );
  const keyed = set.filter(({ key }) => key !== null);
  await client.query(
    `update record_images i set source_key = ${parkedKey('i')} from unnest($1::bigint[], $2::text[]) as o (id, key)
     where i.mapping_id = $3 and i.golden_id = o.id and i.sub_key = '' and i.source_key <> o.key`,
    [keyed.map(({ id }) => id), keyed.map(({ key }) => key), mapping.id],
  );
  await client.query(
    `update record_images i set raw_hash = o.hash, told_hash = null, source_key = coalesce(o.key, i.source_key), untold = o.untold, last_run = $1,
       settled_version = case when o.untold then 0 else i.settled_version end,
       deleted_run = case when o.hash is null then $1::bigint end
     from unnest($2::bigint[], $3::text[], $4::uuid[], $5::boolean[]) as o (id, key, hash, untold)
     where i.mapping_id = $6 and i.golden_id = o.id and i.sub_key = ''`,
    [
      run.runId,
      set.map(({ id }) => id),
      set.map(({ key }) => key),
      set.map(({ hash }) => hash),
      set.map(({ untold }) => untold),
      mapping.id,
    ],
  );
  // What the run told of records that it did not change had waited to be told, and waits again.
  await client.query(
    `insert into target_due (golden_id, mapping_id, due, institution_id, subject_key)
     select g.id, $1, r.as_of, g.institution_id, g.subject_key from golden_records g join sync_runs r on r.id = $2
     where g.id = any ($4::bigint[]) and g.created_run <> $3
       and not exists (select 1 from change_set_entries e where e.run_id = $3 and e.kind = 'golden' and e.row_id = g.id)
     on conflict do nothing`,
    [mapping.id, run.runId, runId, set.filter(({ untold }) => !untold).map(({ id }) => id)],
  );
};

/** A target that we read too is restored with its image; where its edit was kept it was not told, so the edit will be concurrent. */
const rememberShared = async (
  client: PoolClient,
  { runId, mapping }: TargetRollback,
  outcomes: readonly SetBackOutcome[],
): Promise<void> => {
  const untold = outcomes.filter(({ outcome }) => outcome !== 'reversed').map(({ one }) => one.goldenId);
  if (untold.length === 0) return;
  await client.query(
    `update change_set_entries e set before = e.before || '{"untold": true, "settled": null, "settled_version": 0, "published_version": 0}'::jsonb
     where e.run_id = $1 and e.kind = 'image' and e.before is not null and (e.before ->> 'mapping_id')::integer = $2
       and (e.before ->> 'golden_id')::bigint = any ($3::bigint[])`,
    [runId, mapping.id, untold],
  );
};
