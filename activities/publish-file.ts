import { recreate, stagingOf } from '../database/staging.js';
import { SyncError } from '../domain/errors.js';
import type { RawRow } from '../domain/rows.js';
import { CopySink } from '../platform/copy-sink.js';
import { existingRows, keyReaderOf, mergedRows } from './file-rewrite.js';
import { fenced, readChunks, recordChunk } from './lease.js';
import { asFileRow, hashOfRow, type Judged, type TargetChange } from './projecting.js';
import { anyMerged, judgedPages, type PublishCounts, type Publishing } from './publishing.js';
import {
  noteDue,
  noteProblems,
  recordIntent,
  recordOutcome,
  type Intent,
  type TargetOutcome,
} from './publish-record.js';

const batch = 2_000;

/** One write that waits in staging: what is to stand under a key, and the hash of what we last saw there. */
interface FileWrite {
  readonly key: string;
  /** The row under this key is taken away: of a change that ends it, or that moves it to another key. */
  readonly removes: boolean;
  readonly change: TargetChange;
  readonly ours: boolean;
}

/** Puts the changes of every candidate into staging, so that they can be merged into the file in the order of its keys. */
const stageChanges = async (publishing: Publishing, counts: PublishCounts): Promise<number> => {
  const { dependencies, run, lease, mapping } = publishing;
  const table = stagingOf(run.runId).target(mapping.id);
  const noted: (Judged & { goldenId: string })[] = [];
  await fenced(dependencies.hub, lease, (client) =>
    recreate(client, table, 'key text collate "C" not null, removes boolean not null, change text not null'),
  );
  let [staged, page]: [number, [key: string, removes: 't' | 'f', change: string][]] = [0, []];
  // A transaction a page: one that read on while it is open could wait for a connection, or keep its lease from the next attempt.
  const flush = async (): Promise<void> => {
    const lines = page;
    page = [];
    if (lines.length === 0) return;
    await fenced(dependencies.hub, lease, async (client) => {
      const sink = new CopySink(client, `copy ${table} (key, removes, change) from stdin`);
      for (const line of lines) await sink.add(line);
      await sink.finish();
    });
    staged += lines.length;
    dependencies.heartbeat();
  };
  for await (const judged of judgedPages(publishing, batch, await anyMerged(publishing))) {
    if (judged.nextDue !== null || judged.problems.length > 0) noted.push(judged);
    if (judged.problems.length > 0) counts.withheld += 1;
    const { change } = judged;
    if (change === null) continue;
    const former = change.image?.[1] ?? null;
    const text = JSON.stringify(change);
    // A row whose key changed is taken away under the old one and set under the new.
    if (former !== null && former !== change.keyText) page.push([former, 't', text]);
    page.push([change.keyText, change.row === null ? 't' : 'f', text]);
    if (page.length >= batch) await flush();
  }
  await flush();
  await fenced(dependencies.hub, lease, async (client) => {
    await noteDue(client, run, mapping, noted);
    await noteProblems(client, run, mapping, noted);
  });
  return staged;
};

/** The staged writes in the order of keys. */
async function* stagedWrites(publishing: Publishing): AsyncGenerator<readonly FileWrite[], void, undefined> {
  const { dependencies, run, mapping } = publishing;
  const table = stagingOf(run.runId).target(mapping.id);
  // Read in portions by key, so that no transaction stays open while the file is written.
  let after: readonly [key: string | null, removes: boolean] = [null, true];
  for (;;) {
    const rows: FileWrite[] = await dependencies.hub.read(run.institutionId, async (client) => {
      const page = await client.query<{ key: string; removes: boolean; change: string }>(
        `select key, removes, change from ${table} where $1::text is null or key > $1 or key = $1 and removes < $2
         order by key, removes desc limit ${batch}`,
        [...after],
      );
      return page.rows.map(({ key, removes, change }) => {
        const read = JSON.parse(change) as TargetChange;
        return { key, removes, change: removes ? { ...read, row: null } : read, ours: !removes || read.row === null };
      });
    });
    const last = rows.at(-1);
    if (last === undefined) return;
    after = [last.key, last.removes];
    yield rows;
  }
}

/** What stands in the file after one write. */
const decide = (
  { change, ours }: FileWrite,
  actual: RawRow | null,
  outcome: (outcome: TargetOutcome, ours: boolean) => void,
): RawRow | null => {
  const hash = actual === null ? null : hashOfRow(actual);
  if (hash === (change.row === null ? null : change.rowHash)) {
    outcome({ change, status: 'already', actual }, ours);
    return actual;
  }
  const moved = change.image !== null && change.image[1] !== change.keyText;
  const expected = change.row !== null && moved ? null : change.knownHash;
  if (hash !== expected) {
    outcome({ change, status: 'origin_differs', actual }, ours);
    return actual;
  }
  outcome({ change, status: 'written', actual }, ours);
  return change.row;
};

/** Publishes to a file that we own: the changes are merged into it by key and the whole is swapped in. Rows that did not change
 *  keep their bytes. */
export const publishFile = async (publishing: Publishing): Promise<PublishCounts> => {
  const { dependencies, connector, target, run, lease, mapping, context, baseline } = publishing;
  const { file } = connector;
  if (file === undefined)
    throw new SyncError('configuration_invalid', `system ${mapping.system.name} takes no whole files`);
  const counts: PublishCounts = { written: 0, already: 0, differs: 0, refused: 0, withheld: 0 };
  const staged = await stageChanges(publishing, counts);
  const there = await file.currentDigest(target);
  if (staged === 0 && (there !== null || baseline)) return counts;
  // The first file has its chunk as intent and its images as outcome, as rows that are inserted in bulk.
  const part = { ...lease, part: `${mapping.id}/bulk` };
  const begun = await dependencies.hub.read(run.institutionId, (client) =>
    readChunks(client, run.runId, 'publish', part.part),
  );
  const first = there === null || begun.some(({ state }) => state === 'intended');
  const rewriting = {
    dependencies,
    run,
    lease,
    file,
    target,
    table: `${stagingOf(run.runId).target(mapping.id)}_file`,
  };
  if (first) await fenced(dependencies.hub, lease, (client) => recordChunk(client, part, 0, { state: 'intended' }));
  else await intend(publishing);
  for (;;) {
    const before = await file.currentDigest(target);
    const outcomes: TargetOutcome[] = [];
    const note = (outcome: TargetOutcome, ours: boolean): void => {
      if (ours) outcomes.push(outcome);
    };
    const rows = mergedRows(existingRows(rewriting), stagedWrites(publishing), keyReaderOf(target), (write, row) =>
      decide(write, row === null ? null : asFileRow(row), note),
    );
    dependencies.crashPoint('publish');
    const swapped = await file.replaceWhole(target, rows, before);
    dependencies.heartbeat();
    if ('differs' in swapped) continue;
    dependencies.crashPoint('publish');
    for (const { status } of outcomes) counts[status === 'origin_differs' ? 'differs' : status] += 1;
    await fenced(
      dependencies.hub,
      lease,
      async (client) => {
        for (let from = 0; from < outcomes.length; from += batch) {
          await recordOutcome(client, { run, mapping, context }, outcomes.slice(from, from + batch), !first);
        }
        await client.query(
          `insert into target_files (mapping_id, institution_id, digest, rows, run_id) values ($1, $2, $3, $4, $5)
           on conflict (mapping_id) do update set digest = excluded.digest, rows = excluded.rows, run_id = excluded.run_id`,
          [mapping.id, run.institutionId, swapped.digest, swapped.rows, run.runId],
        );
        if (first) await recordChunk(client, part, 0, { counts: { rows: swapped.rows } });
      },
      'bulk',
    );
    return counts;
  }
};

/** Intents of all writes, with the rows that stand in the file under their keys as before-images. */
const intend = async (publishing: Publishing): Promise<void> => {
  const { dependencies, connector, target, run, lease, mapping } = publishing;
  const keyOfRow = keyReaderOf(target);
  const wanted = new Map<string, RawRow>();
  const keys = new Set<string>();
  for await (const writes of stagedWrites(publishing))
    for (const { change } of writes) keys.add(change.image?.[1] ?? change.keyText);
  for await (const rows of connector.file?.readWhole(target) ?? []) {
    for (const row of rows) if (keys.has(keyOfRow(row))) wanted.set(keyOfRow(row), asFileRow(row));
  }
  let page: Intent[] = [];
  const flush = async (): Promise<void> => {
    await fenced(dependencies.hub, lease, (client) => recordIntent(client, run, mapping, page));
    page = [];
  };
  for await (const writes of stagedWrites(publishing)) {
    for (const { change, ours } of writes) {
      if (!ours) continue;
      page.push({ change, before: wanted.get(change.image?.[1] ?? change.keyText) ?? null, after: change.row });
      if (page.length >= batch) await flush();
    }
  }
  if (page.length > 0) await flush();
};
