import type { TargetEntity, WholeFileTarget } from '../connectors/capabilities.js';
import { recreate, stagingOf } from '../database/staging.js';
import type { RawRow } from '../domain/rows.js';
import { CopySink } from '../platform/copy-sink.js';
import type { ActivityDependencies } from './dependencies.js';
import { existingRows, keyReaderOf, mergedRows } from './file-rewrite.js';
import { fenced } from './lease.js';
import { asFileRow, hashOfRow } from './projecting.js';
import { isBefore, type SetBack, type SetBackOutcome, type TargetRollback } from './rollback-set-back.js';

const batch = 2_000;

interface KeyedSetBack {
  readonly key: string;
  readonly one: SetBack;
}

/** Sets rows of a whole file back in one rewrite of the file. Rows to set back and what became of them stand in staging, so that
 *  nothing is in memory as a whole: give pages of them, and take pages of outcomes. */
export async function* setBackFile(
  dependencies: ActivityDependencies,
  rolling: TargetRollback,
  file: WholeFileTarget,
  target: TargetEntity,
  pages: AsyncIterable<readonly SetBack[]>,
): AsyncGenerator<readonly SetBackOutcome[], void, undefined> {
  const { run, runId, lease, mapping } = rolling;
  const base = `${stagingOf(run.runId).target(mapping.id)}_back_${BigInt(runId).toString()}`;
  const [wanted, found] = [base, `${base}_found`];
  const staged = await stage(dependencies, rolling, wanted, pages);
  if (staged === 0) return;
  const rewriting = { dependencies, run, lease, file, target, table: `${base}_file` };
  for (;;) {
    const before = await file.currentDigest(target);
    await fenced(dependencies.hub, lease, (client) =>
      recreate(client, found, 'golden_id bigint not null, outcome text not null, actual text'),
    );
    const outcomes: SetBackOutcome[] = [];
    const flush = async (): Promise<void> => {
      await fenced(dependencies.hub, lease, async (client) => {
        const sink = new CopySink(client, `copy ${found} (golden_id, outcome, actual) from stdin`);
        for (const { one, outcome, actual } of outcomes)
          await sink.add([one.goldenId, outcome, actual === null ? null : JSON.stringify(actual)]);
        await sink.finish();
      });
      outcomes.length = 0;
      dependencies.heartbeat();
    };
    const rows = mergedRows(
      existingRows(rewriting),
      stagedPages(dependencies, rolling, wanted),
      keyReaderOf(target),
      ({ one }, row) => decide(one, row, outcomes),
      flush,
    );
    const swapped = await file.replaceWhole(target, rows, before);
    if (!('differs' in swapped)) break;
  }
  dependencies.crashPoint('rollBackTargets');
  yield* outcomePages(dependencies, rolling, wanted, found);
}

const stage = async (
  { hub, heartbeat }: ActivityDependencies,
  { lease }: TargetRollback,
  table: string,
  pages: AsyncIterable<readonly SetBack[]>,
): Promise<number> => {
  let staged = 0;
  await fenced(hub, lease, (client) =>
    recreate(client, table, 'key text collate "C" not null, golden_id bigint not null, one text not null'),
  );
  for await (const page of pages) {
    await fenced(hub, lease, async (client) => {
      const sink = new CopySink(client, `copy ${table} (key, golden_id, one) from stdin`);
      for (const one of page) await sink.add([keyOfSetBack(one), one.goldenId, JSON.stringify(one)]);
      await sink.finish();
    });
    staged += page.length;
    heartbeat();
  }
  await fenced(hub, lease, async (client) => {
    await client.query(`create index on ${table} (key, golden_id)`);
    await client.query(`create index on ${table} (golden_id)`);
  });
  return staged;
};

const keyOfSetBack = ({ wrote, before }: SetBack): string => wrote?.key ?? before?.key ?? '';

/** In the order of keys, in portions, so that no transaction stays open while the file is written. */
async function* stagedPages(
  { hub }: ActivityDependencies,
  { run }: TargetRollback,
  table: string,
): AsyncGenerator<readonly KeyedSetBack[], void, undefined> {
  let [key, golden] = ['', '0'];
  for (;;) {
    const page = await hub.read(run.institutionId, async (client) => {
      const { rows } = await client.query<{ key: string; golden: string; one: string }>(
        `select key, golden_id::text as golden, one from ${table} where (key, golden_id) > ($1, $2::bigint) order by key, golden_id limit ${batch}`,
        [key, golden],
      );
      return rows;
    });
    const last = page.at(-1);
    if (last === undefined) return;
    [key, golden] = [last.key, last.golden];
    yield page.map((row) => ({ key: row.key, one: JSON.parse(row.one) as SetBack }));
  }
}

/** What stands in the file afterwards: the former row where what the run wrote still stands, else what is there. */
const decide = (one: SetBack, row: RawRow | null, outcomes: SetBackOutcome[]): RawRow | null => {
  const actual = row === null ? null : asFileRow(row);
  const stands = (actual === null ? null : hashOfRow(actual)) === one.wroteHash;
  const former = one.before === null ? null : { ...one, before: { ...one.before, row: asFileRow(one.before.row) } };
  const reversed = stands || isBefore(former ?? one, actual);
  outcomes.push({ one, actual, outcome: reversed ? 'reversed' : 'kept' });
  return stands ? (former?.before.row ?? null) : row;
};

async function* outcomePages(
  { hub }: ActivityDependencies,
  { run }: TargetRollback,
  wanted: string,
  found: string,
): AsyncGenerator<readonly SetBackOutcome[], void, undefined> {
  for (let after = '0'; ;) {
    const page = await hub.read(run.institutionId, async (client) => {
      const { rows } = await client.query<{
        one: string;
        outcome: SetBackOutcome['outcome'];
        actual: string | null;
      }>(
        `select w.one, f.outcome, f.actual from ${found} f join ${wanted} w on w.golden_id = f.golden_id
         where f.golden_id > $1 order by f.golden_id limit ${batch}`,
        [after],
      );
      return rows.map(({ one, outcome, actual }) => ({
        one: JSON.parse(one) as SetBack,
        outcome,
        actual: actual === null ? null : (JSON.parse(actual) as RawRow),
      }));
    });
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.one.goldenId;
    yield page;
  }
}
