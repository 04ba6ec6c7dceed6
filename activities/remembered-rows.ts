import type { PoolClient } from 'pg';
import type { Work } from '../database/hub.js';
import type { RunRef } from '../domain/run.js';
import { bothOf } from '../platform/both.js';
import { copyOutBytes, copyOutValues } from '../platform/copy.js';
import type { MappingRef } from './context.js';
import { KnownRows, touchedImages, type Loading } from './known-rows.js';
import { writersSince } from './source-content.js';

/* Rows of a source are remembered by the text that they were read as (`RowsOfText`), so that the next reads need not look at those whose
   lines are what they were, nor load the hashes of all images. What the images are remains the truth: of those that runs wrote since, the
   run that remembered among them, it is asked again. What was remembered stays in force as long as these are few; lines that came
   since are then looked at in each read, and are known by their hash. */

/** Of so many images that runs wrote since it is asked what became of them; of more, all are loaded. */
export const mostTouched = 100_000;
/* When a read remembers anew what it reads. */
/** Where one row of so many, or more, came since: each makes a group of lines that is looked at row by row, eight rows or so, and with
 *  that many of them it takes as long as writing all. */
const fewCame = 200;
/** Before there are too many images to be asked of. */
const manyTouched = mostTouched / 2;
/** After so many runs: what they wrote is looked through by each read, though it be the same images each time. */
const mostWriters = 10;

/** Whether a run may go by what is remembered of a source, and remember it. A system that we write to, too, says what we told it, of which no
 *  trace is left by image; a dry run has images of its own. */
export const mayRemember = (run: RunRef, mapping: MappingRef): boolean =>
  run.kind === 'sync' && run.dry !== true && run.subjectKey === undefined && mapping.definition.target === undefined;

/** What is in force of a source: `r` is the run that remembered it. */
interface Remembered {
  readonly run: string;
  readonly blocks: number;
  /** Runs that wrote images since, by which entries of change sets and new images are found. */
  readonly writers: readonly string[];
}

/** Runs of other kinds than these write images in their own way (discarded rows among them); those that ended otherwise took
 *  back what they did. */
const traced = `o.kind = 'sync' and o.finished_at is not null and o.state in ('completed', 'completed_with_questions')`;

const inForce = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<Remembered | null> => {
  const { rows } = await client.query<Remembered>(
    `select w.run_id::text as run, (w.value::jsonb ->> 'blocks')::integer as blocks, array(select o.id::text ${writersSince}) as writers
     from watermarks w join sync_runs r on r.id = w.run_id
     where w.mapping_id = $1 and w.kind = 'rows' and (w.value::jsonb ->> 'version')::integer = $3 and $3 >= $4
       and not exists (select ${writersSince} and not (${traced}))`,
    [mapping.id, run.runId, mapping.version, mapping.derivedSince],
  );
  return rows[0] ?? null;
};

/** What a run knows of a source before it reads it. */
export interface KnownSource {
  readonly rows: KnownRows;
  /** What it reads is to be remembered; where not, what was remembered stays in force. */
  readonly remember: boolean;
}

/** Reads one state of the data, over a connection of its own. */
export type Reading = <T>(work: Work<T>) => Promise<T>;

/** The rows of a source as they are remembered, and what became of their images since; null where that does not count, or is not to be had
 *  without looking at most of them. Both are read beside each other. */
export const loadRemembered = async (
  read: Reading,
  run: RunRef,
  mapping: MappingRef,
  { signal, most }: Loading,
): Promise<KnownSource | null> => {
  if (!mayRemember(run, mapping)) return null;
  const remembered = await read((client) => inForce(client, run, mapping));
  if (remembered === null) return null;
  const [corrections, known] = await bothOf(
    read((client) => readTouched(client, run, mapping, [remembered.run, ...remembered.writers], signal)),
    read((client) => readBlocks(client, mapping, remembered, signal)),
  );
  if (corrections === null || known === null) return null;
  const came = known.correct(corrections.texts);
  if (known.size > most) return null;
  const remember =
    came * fewCame > known.size || corrections.lines > manyTouched || remembered.writers.length >= mostWriters;
  return { rows: known, remember };
};

/** The rows as they were remembered; null where they cannot be read. */
const readBlocks = async (
  client: PoolClient,
  mapping: MappingRef,
  { run, blocks }: Remembered,
  signal: AbortSignal | undefined,
): Promise<KnownRows | null> => {
  const known = new KnownRows();
  let [count, readable] = [0, true];
  const sql = `copy (select bytes from remembered_rows where run_id = ${BigInt(run)} and mapping_id = ${mapping.id} order by block)
    to stdout (format binary)`;
  for await (const block of copyOutValues(client, sql, { signal })) {
    // To the end, whatever it is: a query that is broken off takes its transaction with it.
    readable &&= known.addBlock(block);
    count += 1;
  }
  // A crash of the server empties the table.
  if (!readable || count !== blocks) return null;
  known.makeIndex();
  return known;
};

/** What became of the images that these runs wrote or made; null where they are too many. */
const readTouched = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  runs: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ readonly texts: readonly Buffer[]; readonly lines: number } | null> => {
  const ids = runs.map((id) => BigInt(id)).join(', ');
  const touched = `select row_id as id from change_set_entries where run_id in (${ids}) and kind = 'image'
    union select id from record_images where created_run in (${ids}) and mapping_id = ${mapping.id}`;
  // Few of many, whatever the statistics say: by the indexes of ids and of the runs that made images.
  await client.query(
    'set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off',
  );
  const texts: Buffer[] = [];
  let lines = 0;
  for await (const text of copyOutBytes(
    client,
    `copy (${touchedImages(run, mapping, touched, mostTouched)}) to stdout`,
    { signal },
  )) {
    texts.push(text);
    for (let at = text.indexOf(newline); at >= 0; at = text.indexOf(newline, at + 1)) lines += 1;
  }
  return lines > mostTouched ? null : { texts, lines };
};

const newline = 0x0a;

/** Stores a block of what a run remembers of a source. It is in force when the run has completed (`keepRemembered`). */
export const storeBlock = async (
  client: PoolClient,
  run: RunRef,
  mappingId: number,
  block: number,
  bytes: Buffer,
): Promise<void> => {
  await client.query(
    'insert into remembered_rows (run_id, mapping_id, block, institution_id, bytes) values ($1, $2, $3, $4, $5)',
    [run.runId, mappingId, block, run.institutionId, bytes],
  );
};

/** Forgets what an earlier attempt of a run stored of a source. */
export const forgetBlocks = (client: PoolClient, run: RunRef, mappingId: number): Promise<unknown> =>
  client.query('delete from remembered_rows where run_id = $1 and mapping_id = $2', [run.runId, mappingId]);

/** What a run stored of a source: by which version of its mapping it was read, and how many blocks there are. */
export interface RememberedBlocks {
  readonly version: number;
  readonly blocks: number;
}

/** From here on what the run stored of a source is in force, and what others stored is no longer. */
export const keepRemembered = async (
  client: PoolClient,
  run: RunRef,
  mappingId: number,
  { version, blocks }: RememberedBlocks,
): Promise<void> => {
  await client.query(
    `insert into watermarks (mapping_id, kind, institution_id, value, run_id) values ($1, 'rows', $2, $3, $4)
     on conflict (mapping_id, kind) do update set value = excluded.value, run_id = excluded.run_id`,
    [mappingId, run.institutionId, JSON.stringify({ version, blocks }), run.runId],
  );
  await client.query(
    `delete from remembered_rows b where b.mapping_id = $1 and b.run_id <> $2
       and not exists (select from sync_runs o where o.id = b.run_id and o.finished_at is null)`,
    [mappingId, run.runId],
  );
};

/** What a run stored that is not in force when it ends is of no use any more. */
export const forgetUnkept = (client: PoolClient, run: RunRef): Promise<unknown> =>
  client.query(
    `delete from remembered_rows b where b.run_id = $1
       and not exists (select from watermarks w where w.mapping_id = b.mapping_id and w.kind = 'rows' and w.run_id = b.run_id)`,
    [run.runId],
  );
