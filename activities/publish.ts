import type { PoolClient } from 'pg';
import type { RowTarget, RowWrite, TargetEntity } from '../connectors/capabilities.js';
import type { Hub } from '../database/hub.js';
import { stagingOf } from '../database/staging.js';
import { SyncError } from '../domain/errors.js';
import { keySeparator, type RawRow } from '../domain/rows.js';
import { spelledRow, type RowSpelling } from '../domain/spelling.js';
import type { RunRef } from '../domain/run.js';
import { encodeTextArray } from '../platform/copy-sink.js';
import { checkCandidates, collectCandidates, hasBaseline, noteProjected, pendingRuns } from './candidates.js';
import type { StepCounts, TargetRef } from './contract.js';
import { readRun, type MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { InTurn, oneAhead } from './lanes.js';
import { fenced, readChunks, recordChunk, takeLease } from './lease.js';
import { hashOfRow, TargetJudge, type Judged, type TargetChange } from './projecting.js';
import {
  anyMerged,
  isWithin,
  judgedPages,
  type GoldenRange,
  type PublishCounts,
  type Publishing,
} from './publishing.js';
import { publishChanged } from './publish-changed.js';
import { nothingDone, publishFresh, type FreshPublish } from './publish-fresh.js';
import { publishFile } from './publish-file.js';
import { gatherStatistics } from './statistics.js';
import { holdingTarget } from './target-lock.js';
import { knownByFormerColumns } from './former-columns.js';
import {
  noteDue,
  noteProblems,
  recordIntent,
  recordOutcome,
  type Intent,
  type TargetOutcome,
} from './publish-record.js';

/** Rows that are judged, written and noted together. Three pages are at hand at once, of which little should grow old. */
const pageSize = 300;
const bulkPage = 50_000;

export const createPublish = (dependencies: ActivityDependencies) => {
  const { hub, configurations, openConnector } = dependencies;
  return {
    /** The targets of a run: those of its job that take golden records. Posted types are written by `post`. */
    async listTargets(run: RunRef): Promise<readonly TargetRef[]> {
      const context = await configurations.of(run.institutionId);
      if (run.jobId === null) return [];
      const targets = context
        .job(run.jobId)
        .definition.targets.map((name) => context.mappingNamed(name))
        .filter((mapping) => !context.isPosted(mapping));
      return (run.subjectKey === undefined ? targets : await knownTargets(hub, run, targets)).map((mapping) => ({
        mappingId: mapping.id,
        name: mapping.definition.name,
      }));
    },

    /** Writes to one target what golden records say on the run's date and it does not hold yet: intent, then compare-and-set
     *  there, then outcome. What is already so is `already`; what was edited there meanwhile is left alone and told. */
    async publish(run: RunRef, ref: TargetRef): Promise<StepCounts> {
      const context = await configurations.of(run.institutionId);
      const mapping = context.mapping(ref.mappingId);
      const lease = await takeLease(hub, run, 'publish', String(mapping.id));
      const { asOf } = await readRun(hub, run);
      const connector = openConnector(mapping.system);
      try {
        return await holdingTarget(hub, run, mapping, async () => {
          const { pending, baseline } = await hub.read(run.institutionId, async (client) => ({
            // A run that reads one person tells no more than what it wrote itself, and what of that person is due.
            pending: run.subjectKey === undefined ? await pendingRuns(client, run, mapping) : [run.runId],
            baseline: await hasBaseline(client, mapping),
          }));
          const compiled = context.target(mapping);
          const target = { entity: mapping.definition.entity, key: compiled.keyColumns, columns: compiled.columns };
          const publishing: Publishing = {
            dependencies,
            run,
            lease,
            context,
            mapping,
            judge: new TargetJudge(context, mapping, asOf),
            connector,
            target,
            asOf,
            baseline,
          };
          const wholeFile = compiled.target.wholeFile === true;
          const fresh = wholeFile ? nothingDone : await publishFresh(publishing);
          if (!fresh.whole) {
            await fenced(
              hub,
              lease,
              (client) => collectCandidates(client, run, context, mapping, { asOf, pending }),
              'bulk',
            );
          }
          const counts = wholeFile ? await publishFile(publishing) : await publishRows(publishing, fresh);
          await fenced(
            hub,
            lease,
            (client) => finishTarget(client, publishing, { pending, counts, all: fresh.whole }),
            'bulk',
          );
          return { ...counts };
        });
      } finally {
        await connector.close();
      }
    },
  };
};

/** A target that nothing was published to yet is left to a run over whole sources: it begins with everything. */
const knownTargets = (hub: Hub, run: RunRef, targets: readonly MappingRef[]): Promise<MappingRef[]> =>
  hub.read(run.institutionId, async (client) => {
    const known: MappingRef[] = [];
    for (const target of targets) if (await hasBaseline(client, target)) known.push(target);
    return known;
  });

/** The target has been offered everything: nothing of it is pending any more. */
const finishTarget = async (
  client: PoolClient,
  publishing: Publishing,
  {
    pending,
    counts,
    all,
  }: { readonly pending: readonly string[]; readonly counts: PublishCounts; readonly all: boolean },
): Promise<void> => {
  const { run, mapping, asOf, lease } = publishing;
  if (!all) await checkCandidates(client, run, mapping);
  const looked = all
    ? 'true'
    : `exists (select 1 from ${stagingOf(run.runId).candidates(mapping.id)} c where c.golden_id = d.golden_id)`;
  await client.query('delete from target_pending where mapping_id = $1 and run_id = any ($2::bigint[])', [
    mapping.id,
    pending,
  ]);
  await client.query(`delete from target_due d where d.mapping_id = $1 and d.due <= $2::date and ${looked}`, [
    mapping.id,
    asOf,
  ]);
  if (counts.refused + counts.differs > 0) await lookAgainAtUntold(client, publishing);
  const begun = await client.query(
    `insert into watermarks (mapping_id, kind, institution_id, value, run_id) values ($1, 'baseline', $2, $3, $4) on conflict (mapping_id, kind) do nothing`,
    [mapping.id, run.institutionId, asOf, run.runId],
  );
  await gatherStatistics(client, { written: counts.written, first: begun.rowCount === 1 });
  await noteProjected(client, run, mapping);
  const before = await readChunks(client, run.runId, 'publish', `${mapping.id}/counts`);
  const former = before[0]?.counts ?? {};
  const total = Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [name, Number(former[name] ?? 0) + Number(count)]),
  );
  await recordChunk(client, { ...lease, part: `${mapping.id}/counts` }, 0, { counts: total });
};

/** Records that were not told, of which we know no row there, are looked at in every run, as are rows of which something is untold. */
const lookAgainAtUntold = (client: PoolClient, { run, mapping, asOf }: Publishing): Promise<unknown> =>
  client.query(
    `insert into target_due (golden_id, mapping_id, due, institution_id, subject_key)
     select distinct f.golden_id, f.mapping_id, $3::date, f.institution_id, f.subject_key from findings f
     where f.run_id = $1 and f.mapping_id = $2 and f.kind in ('target_refused', 'update_origin_differs') and f.golden_id is not null
       and not exists (select 1 from record_images i where i.golden_id = f.golden_id and i.mapping_id = f.mapping_id and i.deleted_run is null)
     on conflict do nothing`,
    [run.runId, mapping.id, asOf],
  );

const none = (): PublishCounts => ({ written: 0, already: 0, differs: 0, refused: 0, withheld: 0 });

/** Gathers what is judged into pages of changes; due dates and problems are noted as they come. */
async function* changePages(
  publishing: Publishing,
  { size, merged, done }: { readonly size: number; readonly merged: boolean; readonly done: readonly GoldenRange[] },
  counts: PublishCounts,
): AsyncGenerator<TargetChange[], void, undefined> {
  const { dependencies, lease, mapping, run } = publishing;
  let changes: TargetChange[] = [];
  let noted: (Judged & { goldenId: string })[] = [];
  const note = async (): Promise<void> => {
    if (noted.length === 0) return;
    await fenced(dependencies.hub, lease, async (client) => {
      await noteDue(client, run, mapping, noted);
      await noteProblems(client, run, mapping, noted);
    });
    noted = [];
  };
  for await (const judged of judgedPages(publishing, size, merged, done)) {
    if (judged.nextDue !== null || judged.problems.length > 0) noted.push(judged);
    if (judged.problems.length > 0) counts.withheld += 1;
    if (judged.change !== null) changes.push(judged.change);
    if (noted.length >= 1_000) await note();
    if (changes.length < size) continue;
    yield changes;
    changes = [];
  }
  await note();
  if (changes.length > 0) yield changes;
}

const publishRows = async (publishing: Publishing, fresh: FreshPublish): Promise<PublishCounts> => {
  const { dependencies, connector, run, lease, mapping } = publishing;
  if (connector.rows === undefined)
    throw new SyncError('configuration_invalid', `system ${mapping.system.name} takes no rows`);
  const rows = connector.rows;
  const counts = { ...none(), written: fresh.written, withheld: fresh.withheld };
  if (fresh.whole) return counts;
  const chunks = await dependencies.hub.read(run.institutionId, (client) =>
    readChunks(client, run.runId, 'publish', `${mapping.id}/bulk`),
  );
  // A chunk that was begun and not finished may stand in the target: from then on every row is compared.
  const begun = chunks.filter(({ state }) => state === 'intended').map(({ cursor }) => rangeOf(cursor ?? ''));
  let bulk = !publishing.baseline && !publishing.judge.shared && begun.length === 0;
  let chunk = (chunks.at(-1)?.chunk ?? -1) + 1;
  const done = chunks
    .filter(({ state, counts: told }) => state === 'done' && told['fresh'] === true)
    .map(({ cursor }) => rangeOf(cursor ?? ''));
  const merged = await anyMerged(publishing);
  const spelling = await rows.spelling(publishing.target);
  const isDone = !merged && (await publishChanged(publishing, spelling, counts));
  const pages = changePages(publishing, { size: bulk ? bulkPage : pageSize, merged, done }, counts);
  // What came of one page is noted while the next is judged and written; where rows make room for others, one page after the other.
  const noting = new InTurn();
  let before = noKeys;
  try {
    for await (const changes of isDone ? [] : merged || bulk ? pages : oneAhead(pages)) {
      dependencies.heartbeat();
      const inserts = changes.every(({ image, row }) => image === null && row !== null);
      if (bulk && inserts && (await areAlone(publishing, changes, before))) {
        const done = await insertBulk(publishing, rows, changes, chunk);
        chunk += 1;
        if (done) {
          counts.written += changes.length;
          continue;
        }
        bulk = false;
      }
      for (let from = 0; from < changes.length; from += pageSize) {
        const page = changes.slice(from, from + pageSize);
        const told = await writePage(publishing, { rows, spelling, begun, before }, page, counts);
        before = told.keys;
        await noting.next(told.note);
        if (merged) await noting.done();
      }
      dependencies.crashPoint('publish');
    }
    await noting.done();
  } finally {
    await noting.settled();
  }
  if (begun.length > 0) {
    await fenced(dependencies.hub, lease, async (client) => {
      await client.query(`update run_chunks set state = 'done' where run_id = $1 and step = 'publish' and part = $2`, [
        run.runId,
        `${mapping.id}/bulk`,
      ]);
    });
  }
  return counts;
};

/** Many new rows at once: their chunk is the intent, their images the outcome. False where any of them stands there already. */
const insertBulk = async (
  publishing: Publishing,
  rows: RowTarget,
  changes: readonly TargetChange[],
  chunk: number,
): Promise<boolean> => {
  const { dependencies, lease, run, mapping, target } = publishing;
  const part = { ...lease, part: `${mapping.id}/bulk` };
  const range = {
    cursor: `${changes[0]?.goldenId ?? ''}-${changes.at(-1)?.goldenId ?? ''}`,
    counts: { rows: changes.length },
  };
  await fenced(dependencies.hub, lease, (client) => recordChunk(client, part, chunk, { ...range, state: 'intended' }));
  try {
    await rows.insertRows(target, batchesOf(changes));
  } catch (error) {
    if (!(error instanceof SyncError) || error.code !== 'target_row_exists') throw error;
    // Nothing of it was written: what stands there is not ours.
    await fenced(dependencies.hub, lease, (client) =>
      client.query(`delete from run_chunks where run_id = $1 and step = 'publish' and part = $2 and chunk = $3`, [
        run.runId,
        part.part,
        chunk,
      ]),
    );
    return false;
  }
  dependencies.crashPoint('publish');
  await fenced(
    dependencies.hub,
    lease,
    async (client) => {
      await recordOutcome(
        client,
        { run, mapping, context: publishing.context },
        changes.map((change) => ({ change, status: 'written', actual: null })),
        false,
      );
      await recordChunk(client, part, chunk, { ...range, state: 'done' });
    },
    'bulk',
  );
  return true;
};

async function* batchesOf(changes: readonly TargetChange[]): AsyncGenerator<readonly RawRow[], void, undefined> {
  for (let from = 0; from < changes.length; from += pageSize) {
    yield changes.slice(from, from + pageSize).map(({ row }) => row ?? []);
  }
}

/** The golden ids of a chunk that was to be inserted in bulk. */
const rangeOf = (cursor: string): GoldenRange => {
  const [first = '0', last = '0'] = cursor.split('-');
  return [BigInt(first), BigInt(last)];
};

const keyCellsOf = (keyText: string): RawRow => keyText.split(keySeparator);

const keyOfAnother = 'another record is told under this key';

/** Keys that came to be held and were let go of by a page, of which images may not tell yet. */
interface PageKeys {
  readonly taken: ReadonlySet<string>;
  readonly freed: ReadonlySet<string>;
}

const noKeys: PageKeys = { taken: new Set(), freed: new Set() };

/** Whether a record comes under a key that its row does not have yet. */
const isComing = ({ image, keyText, row }: TargetChange): boolean => row !== null && image?.[1] !== keyText;

const isLeaving = ({ image, keyText, row }: TargetChange): boolean =>
  image !== null && (row === null || image[1] !== keyText);

/** Of the keys that records come under, those of another one's row. */
const heldKeys = async (
  { dependencies: { hub }, run, context, mapping }: Publishing,
  changes: readonly TargetChange[],
  before: PageKeys,
): Promise<Set<string>> => {
  const keys = changes.filter(isComing).map(({ keyText }) => keyText);
  if (keys.length === 0) return new Set();
  const { rows } = await hub.read(run.institutionId, (client) =>
    client.query<{ key: string }>(
      `select source_key as key from record_images
       where mapping_id = $1 and entity_type_id = $2 and sub_key = '' and deleted_run is null and source_key = any ($3::text[])`,
      [mapping.id, context.entityTypeNamed(context.target(mapping).root).id, encodeTextArray(keys)],
    ),
  );
  const noted = rows.map(({ key }) => key).filter((key) => !before.freed.has(key));
  return new Set([...noted, ...keys.filter((key) => before.taken.has(key))]);
};

/** Whether each record comes under a key that is no other one's. */
const areAlone = async (publishing: Publishing, changes: readonly TargetChange[], before: PageKeys): Promise<boolean> =>
  new Set(changes.map(({ keyText }) => keyText)).size === changes.length &&
  (await heldKeys(publishing, changes, before)).size === 0;

const keysOfPage = (told: readonly TargetOutcome[]): PageKeys => {
  const done = told.filter(({ status }) => status === 'written' || status === 'already').map(({ change }) => change);
  return {
    taken: new Set(done.filter(isComing).map(({ keyText }) => keyText)),
    freed: new Set(done.filter(isLeaving).map(({ image }) => image?.[1] ?? '')),
  };
};

interface RowSite {
  readonly rows: RowTarget;
  readonly spelling: RowSpelling;
  /** Chunks that an earlier attempt may have brought. */
  readonly begun: readonly GoldenRange[];
  /** Of the page before. */
  readonly before: PageKeys;
}

/** Writes changes: intent, then the target. A record that would come under the key of another one's row is refused: whoever has the
 *  row keeps it, and of several that are new the first gets it. @returns what notes the outcome */
const writePage = async (
  publishing: Publishing,
  { rows, spelling, begun, before }: RowSite,
  changes: readonly TargetChange[],
  counts: PublishCounts,
): Promise<{ readonly note: () => Promise<void>; readonly keys: PageKeys }> => {
  const { dependencies, lease, run, mapping, target, context } = publishing;
  const keys = [
    ...new Set(changes.flatMap(({ keyText, image }) => (image === null ? [keyText] : [keyText, image[1]]))),
  ];
  const there = await rows.readRows(target, keys.map(keyCellsOf));
  const known = await knownByFormerColumns(publishing, rows, changes, there);
  const freed = new Set<string>();
  const held = await heldKeys(publishing, known, before);
  const compared = known.map((change) => {
    if (isComing(change)) {
      if (held.has(change.keyText)) return { change, status: 'refused' as const, actual: null, reason: keyOfAnother };
      held.add(change.keyText);
    }
    const one = comparedWith(publishing, change, { there, freed, spelling });
    // What is taken away makes room for the changes that follow.
    if ('write' in one && isLeaving(change)) {
      const key = change.image?.[1] ?? '';
      freed.add(key);
      held.delete(key);
    }
    return one;
  });
  const toWrite = compared.filter((one): one is Extract<Compared, { write: unknown }> => 'write' in one);
  const intents = [...toWrite, ...compared.flatMap((one) => foundThere(one, begun, spelling))];
  await fenced(dependencies.hub, lease, (client) => recordIntent(client, run, mapping, intents));
  dependencies.crashPoint('publish');
  const outcomes = await rows.writeRows(
    target,
    toWrite.flatMap(({ write }) => write),
  );
  dependencies.crashPoint('publish');
  let at = 0;
  const told = compared.map((one): TargetOutcome => {
    if (!('write' in one)) return one;
    const own = outcomes.slice(at, at + one.write.length);
    at += one.write.length;
    const worst = own.find(({ status }) => status === 'refused' || status === 'origin_differs') ?? own.at(-1);
    if (worst === undefined) return { change: one.change, status: 'already', actual: null };
    return {
      change: one.change,
      status: worst.status,
      actual: worst.status === 'origin_differs' ? worst.actual : worst.status === 'already' ? one.before : null,
      reason: worst.status === 'refused' ? worst.reason : undefined,
      intended: one.after,
    };
  });
  for (const { status } of told) counts[status === 'origin_differs' ? 'differs' : status] += 1;
  const standing = await readBack(rows, target, told);
  return {
    note: () =>
      fenced(dependencies.hub, lease, (client) => recordOutcome(client, { run, mapping, context }, standing, true)),
    keys: keysOfPage(told),
  };
};

/** A row as it will stand: as the target prints it, where that is known (`1.5` is `1.50` there). Its entry is right from the beginning
 *  then. */
const intendedRow = ({ row }: TargetChange, spelling: RowSpelling): RawRow | null =>
  row === null ? null : (spelledRow(spelling, row) ?? row);

/** What we wrote in the target's own spelling (`1.5` is `1.50` there), so that it is known again. */
const readBack = async (
  rows: RowTarget,
  target: TargetEntity,
  told: readonly TargetOutcome[],
): Promise<TargetOutcome[]> => {
  const written = told.filter(({ status, change }) => status === 'written' && change.row !== null);
  const there = await rows.readRows(
    target,
    written.map(({ change }) => keyCellsOf(change.keyText)),
  );
  return told.map((outcome): TargetOutcome => {
    if (outcome.status === 'already') return { ...outcome, standing: outcome.actual };
    if (outcome.status !== 'written' || outcome.change.row === null) return outcome;
    return { ...outcome, standing: there.get(outcome.change.keyText) ?? null };
  });
};

/** A row that stood there before us as it is to be: kept as its own before-image, so that no rollback takes it away. One that a
 *  bulk insert of ours may have brought is ours. */
const foundThere = (compared: Compared, begun: readonly GoldenRange[], spelling: RowSpelling): Intent[] => {
  const { change } = compared;
  if ('write' in compared || compared.status !== 'already') return [];
  if (compared.actual === null || change.image !== null) return [];
  return isWithin(change.goldenId, begun)
    ? []
    : [{ change, before: compared.actual, after: intendedRow(change, spelling) }];
};

type Compared = TargetOutcome | (Intent & { readonly write: readonly RowWrite[] });

/** What is there against what we last saw there: equal, and it may be written; else it was edited. At the first publish to a
 *  target, what stands there is its baseline and may be written over: it has been read. `freed`: keys whose rows changes before this
 *  one take away. */
const comparedWith = (
  publishing: Publishing,
  change: TargetChange,
  {
    there,
    freed,
    spelling,
  }: {
    readonly there: ReadonlyMap<string, RawRow>;
    readonly freed: ReadonlySet<string>;
    readonly spelling: RowSpelling;
  },
): Compared => {
  const { judge, baseline } = publishing;
  const oldKey = change.image?.[1] ?? change.keyText;
  const actual = freed.has(oldKey) ? null : (there.get(oldKey) ?? null);
  const known = actual === null ? null : hashOfRow(actual);
  if (change.row !== null && oldKey === change.keyText && known !== null && known === change.rowHash) {
    return { change, status: 'already', actual };
  }
  if (change.row === null && actual === null) return { change, status: 'already', actual };
  const takeover = !baseline && !judge.shared && change.image === null;
  const after = intendedRow(change, spelling);
  if (known !== change.knownHash && !takeover) {
    // An attempt that broke off may have written it: it stands there in the target's own spelling.
    const isThere = after !== null && oldKey === change.keyText && known === hashOfRow(after);
    return { change, status: isThere ? 'already' : 'origin_differs', actual };
  }
  const key = keyCellsOf(change.keyText);
  const intent = { change, before: actual, after };
  if (oldKey === change.keyText) return { ...intent, write: [{ key, before: actual, after: change.row }] };
  const write = [
    { key: keyCellsOf(oldKey), before: actual, after: null },
    { key, before: freed.has(change.keyText) ? null : (there.get(change.keyText) ?? null), after: change.row },
  ];
  return { ...intent, write };
};
