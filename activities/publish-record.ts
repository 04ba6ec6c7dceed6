import { Readable } from 'node:stream';
import type { PoolClient } from 'pg';
import { goldenJson, readGolden, type GoldenJson } from '../database/golden-rows.js';
import { parkedKey, withIdentifiers } from '../database/image-rows.js';
import { EMPTY, type Statement } from '../domain/canonical.js';
import { afterRefusedWrite, afterTold } from '../domain/publish.js';
import { packStatements, unpackStatements } from '../domain/record-merge.js';
import { keySeparator, type RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import { copyIn } from '../platform/copy.js';
import { encodeTextArray } from '../platform/copy-sink.js';
import { hash128 } from '../platform/hash.js';
import type { InstitutionContext, MappingRef } from './context.js';
import { hashOfRow, type Judged, type TargetChange } from './projecting.js';
import { identifyTold } from './told-identifiers.js';

export interface TargetOutcome {
  readonly change: TargetChange;
  readonly status: 'written' | 'already' | 'origin_differs' | 'refused';
  /** What was found where it differs; null: nothing is there. */
  readonly actual: RawRow | null;
  readonly reason?: string;
  /** The row as it stands after a write, in the target's own spelling; absent where it was not read back. */
  readonly standing?: RawRow | null;
  /** The row as its intent says that it will stand; absent where there was none. */
  readonly intended?: RawRow | null;
}

/** The hash of what stands in the target now. */
const standingHash = ({ change, standing }: TargetOutcome): string | null =>
  standing === undefined || standing === null ? change.rowHash : hashOfRow(standing);

interface Where {
  readonly run: RunRef;
  readonly mapping: MappingRef;
  readonly context: InstitutionContext;
}

/** What a record's projection changes to, and when, though nothing is changed. */
export const noteDue = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  judged: readonly (Judged & { goldenId: string })[],
): Promise<void> => {
  const due = judged.filter(({ nextDue }) => nextDue !== null);
  if (due.length === 0) return;
  await client.query(
    `insert into target_due (golden_id, mapping_id, due, institution_id, subject_key)
     select d.id, $1, d.due, $2, g.subject_key from unnest($3::bigint[], $4::date[]) as d (id, due) join golden_records g on g.id = d.id
     on conflict do nothing`,
    [mapping.id, run.institutionId, due.map(({ goldenId }) => goldenId), due.map(({ nextDue }) => nextDue)],
  );
};

/** Rows that could not be written as they should be: a finding each, and the rest goes on. */
export const noteProblems = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  judged: readonly (Judged & { goldenId: string })[],
): Promise<void> => {
  const problems = judged.flatMap(({ goldenId, problems: found }) =>
    found.map((problem) => ({ goldenId, ...problem })),
  );
  if (problems.length === 0) return;
  await client.query(
    `insert into findings (institution_id, run_id, kind, mapping_id, system_id, golden_id, field, detail, subject_key)
     select $1, $2, p.reason, $3, $4, p.id, p.field, p.detail, g.subject_key
     from unnest($5::bigint[], $6::text[], $7::text[], $8::text[]) as p (id, field, reason, detail) join golden_records g on g.id = p.id`,
    [
      run.institutionId,
      run.runId,
      mapping.id,
      mapping.systemId,
      problems.map(({ goldenId }) => goldenId),
      problems.map(({ column }) => column),
      problems.map(({ reason }) => reason),
      problems.map(({ detail }) => detail),
    ],
  );
};

const cellsJson = (keyText: string, row: RawRow | null): string | null =>
  row === null ? null : JSON.stringify({ key: keyText, row });

/** A write that is meant: the rows before and after it, as the target prints them. */
export interface Intent {
  readonly change: TargetChange;
  readonly before: RawRow | null;
  readonly after: RawRow | null;
}

/** @param writes selects golden id, rows before and after, subject. $1 is the run, $2 the mapping, $3 the institution. */
const intentsOf = (writes: string): string =>
  `insert into change_set_entries as e (run_id, kind, mapping_id, row_id, institution_id, before, after, outcome, subject_key)
   select $1, 'target', $2, w.id, $3, w.before, w.after, 'intended', w.subject_key from (${writes}) w (id, before, after, subject_key)
   on conflict (run_id, kind, mapping_id, row_id) do update set after = excluded.after,
     before = case when e.outcome = 'intended' then e.before else coalesce(e.before, excluded.before) end,
     outcome = 'intended'`;

/** As `recordIntent`, of many: binary rows of golden id, rows before and after (`jsonb`) and subject. */
export const recordIntents = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  writes: Buffer,
): Promise<void> => {
  await client.query(
    'create temp table intended (id bigint, before jsonb, after jsonb, subject_key bigint) on commit drop',
  );
  await copyIn(client, 'copy intended from stdin (format binary)', Readable.from([writes]));
  await client.query(intentsOf('select * from intended'), [run.runId, mapping.id, run.institutionId]);
};

/** The intent of each write, in logged rows, before the target hears of it. A retry keeps the first intent's before-image. */
export const recordIntent = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  writes: readonly Intent[],
): Promise<void> => {
  if (writes.length === 0) return;
  await client.query(
    intentsOf(
      `select w.id, w.before, w.after, g.subject_key
       from unnest($4::bigint[], $5::jsonb[], $6::jsonb[]) as w (id, before, after) join golden_records g on g.id = w.id`,
    ),
    [
      run.runId,
      mapping.id,
      run.institutionId,
      writes.map(({ change }) => change.goldenId),
      encodeTextArray(writes.map(({ change, before }) => cellsJson(change.image?.[1] ?? change.keyText, before))),
      encodeTextArray(writes.map(({ change, after }) => cellsJson(change.keyText, after))),
    ],
  );
};

/** Whether a row stands as it was to stand: its entry says so already. */
const isAsIntended = ({ intended, standing }: TargetOutcome): boolean =>
  standing?.length === intended?.length && standing?.every((cell, place) => cell === intended?.[place]) === true;

/** What an earlier attempt intended and stands there already was written by it. */
const outcomeOf = ({ status }: TargetOutcome): string => (status === 'already' ? 'written' : status);

/** The entries of writes; most rows stand as they were to stand. Those by lists of their ids: PostgreSQL takes the entries of a run that it
 *  does not know yet for one, and would look through all that is told for each of them. */
const noteOutcomes = async (
  client: PoolClient,
  { run, mapping }: Where,
  outcomes: readonly TargetOutcome[],
): Promise<void> => {
  const plain = new Map<string, string[]>();
  const others: TargetOutcome[] = [];
  for (const outcome of outcomes) {
    const { change, standing } = outcome;
    const isPlain = standing === undefined || standing === null || isAsIntended(outcome);
    if (!isPlain) others.push(outcome);
    else {
      const ids = plain.get(outcomeOf(outcome)) ?? [];
      plain.set(outcomeOf(outcome), ids);
      ids.push(change.goldenId);
    }
  }
  for (const [outcome, ids] of plain) await noteOutcome(client, { run, mapping }, outcome, ids);
  await noteOthers(
    client,
    { run, mapping },
    others.map((outcome) => ({
      goldenId: outcome.change.goldenId,
      outcome: outcomeOf(outcome),
      after: cellsJson(outcome.change.keyText, outcome.standing ?? null),
    })),
  );
};

const isIntended = `e.run_id = $1 and e.kind = 'target' and e.mapping_id = $2 and e.outcome = 'intended'`;

type Site = Omit<Where, 'context'>;

const noteOutcome = (
  client: PoolClient,
  { run, mapping }: Site,
  outcome: string,
  goldenIds: readonly string[],
): Promise<unknown> =>
  client.query(`update change_set_entries e set outcome = $4 where ${isIntended} and e.row_id = any ($3::bigint[])`, [
    run.runId,
    mapping.id,
    encodeTextArray(goldenIds),
    outcome,
  ]);

/** Those of rows that do not stand as they were to stand. */
const noteOthers = async (
  client: PoolClient,
  { run, mapping }: Site,
  others: readonly { readonly goldenId: string; readonly outcome: string; readonly after: string | null }[],
): Promise<void> => {
  if (others.length === 0) return;
  await client.query(
    `update change_set_entries e set outcome = o.status, after = o.after
     from unnest($3::bigint[], $4::text[], $5::jsonb[]) as o (id, status, after) where ${isIntended} and e.row_id = o.id`,
    [
      ...[run.runId, mapping.id, others.map(({ goldenId }) => goldenId), others.map(({ outcome }) => outcome)],
      encodeTextArray(others.map(({ after }) => after)),
    ],
  );
};

/** A row that was written over another one, and what stands there now. */
export interface WrittenRow {
  readonly goldenId: string;
  readonly imageId: string;
  readonly key: string;
  /** Hashes of what stands there and of what was told. */
  readonly standing: string;
  readonly told: string;
  readonly version: number;
  /** The row as it stands, as JSON; null: as it was intended. */
  readonly after: string | null;
}

/** As `recordOutcome`, of many rows that are all written. */
export const recordWritten = async (
  client: PoolClient,
  { run, mapping }: Site,
  rows: readonly WrittenRow[],
): Promise<void> => {
  const others = rows.flatMap(({ goldenId, key, after }) =>
    after === null ? [] : [{ goldenId, outcome: 'written', after: `{"key":${JSON.stringify(key)},"row":${after}}` }],
  );
  await noteOthers(client, { run, mapping }, others);
  await noteOutcome(
    client,
    { run, mapping },
    'written',
    rows.map(({ goldenId }) => goldenId),
  );
  await tellImages(client, { run, mapping }, rows);
};

/** Images of rows that stand as they were told. */
const tellImages = async (
  client: PoolClient,
  { run, mapping }: Site,
  rows: readonly Omit<WrittenRow, 'goldenId' | 'after'>[],
): Promise<void> => {
  await client.query(
    `update record_images i set raw_hash = k.hash, told_hash = k.told, published_version = k.version, settled_version = k.version, untold = false, deleted_run = null,
       source_key = k.key, last_run = $1, mapping_version = $2
     from unnest($3::bigint[], $4::text[], $5::uuid[], $6::uuid[], $7::integer[]) as k (id, key, hash, told, version) where i.id = k.id`,
    [
      ...[run.runId, mapping.version],
      encodeTextArray(rows.map(({ imageId }) => imageId)),
      encodeTextArray(rows.map(({ key }) => key)),
      encodeTextArray(rows.map(({ standing }) => standing)),
      encodeTextArray(rows.map(({ told }) => told)),
      rows.map(({ version }) => version),
    ],
  );
};

/** What became of each write: entries, images of the target, findings. In one transaction, golden records locked in id order. */
export const recordOutcome = async (
  client: PoolClient,
  where: Where,
  outcomes: readonly TargetOutcome[],
  entries: boolean,
): Promise<void> => {
  const { mapping } = where;
  if (outcomes.length === 0) return;
  if (entries) await noteOutcomes(client, where, outcomes);
  const shared = mapping.definition.source !== undefined;
  if (shared) await tellShared(client, where, outcomes);
  else await tellPure(client, where, outcomes);
  await findDiffering(client, where, outcomes);
};

/** Images of a target that is not read keep a hash of what stands there. */
const tellPure = async (
  client: PoolClient,
  { run, mapping, context }: Where,
  outcomes: readonly TargetOutcome[],
): Promise<void> => {
  const done = outcomes.filter(({ status }) => status === 'written' || status === 'already');
  const kept = done.filter(({ change }) => change.row !== null);
  const gone = done.filter(({ change }) => change.row === null && change.image !== null);
  const root = context.entityTypeNamed(mapping.definition.target?.root ?? '').id;
  if (gone.length > 0) {
    await client.query(
      `update record_images set deleted_run = $1, last_run = $1, untold = false where id = any ($2::bigint[])`,
      [run.runId, gone.map(({ change }) => change.image?.[0] ?? null)],
    );
  }
  // A row that was taken away holds its key no longer: another record's row may come under it.
  const renamed = kept.filter(({ change }) => change.image !== null && change.image[1] !== change.keyText);
  if (renamed.length > 0) {
    await client.query(
      `delete from record_images t using unnest($2::bigint[], $3::text[]) as k (id, key)
       where t.mapping_id = $1 and t.source_key = k.key and t.sub_key = '' and t.deleted_run is not null and t.id <> k.id`,
      [mapping.id, ...columnsOf(renamed, [({ change }) => change.image?.[0] ?? null, ({ change }) => change.keyText])],
    );
    // Rows that follow one another under a key are told in one statement, which must not meet the key of the row before.
    await client.query(`update record_images i set source_key = ${parkedKey('i')} where i.id = any ($1::bigint[])`, [
      renamed.map(({ change }) => change.image?.[0] ?? null),
    ]);
  }
  await tellImages(
    client,
    { run, mapping },
    kept.flatMap((outcome) => {
      const { image, keyText: key, rowHash, version } = outcome.change;
      if (image === null || rowHash === null) return [];
      return [{ imageId: image[0], key, standing: standingHash(outcome) ?? rowHash, told: rowHash, version }];
    }),
  );
  await client.query(
    `insert into record_images (id, institution_id, system_id, mapping_id, entity_type_id, source_key, golden_id, raw_hash, told_hash, mapping_version,
       settled_version, published_version, subject_key, created_run, last_run)
     select nextval('image_ids'), $2, $3, $4, $5, k.key, k.golden, k.hash, k.told, $6, k.version, k.version, g.subject_key, $1, $1
     from unnest($7::bigint[], $8::text[], $9::uuid[], $10::uuid[], $11::integer[]) as k (golden, key, hash, told, version) join golden_records g on g.id = k.golden
     order by k.key collate "C"
     on conflict (mapping_id, entity_type_id, source_key, sub_key) do update set golden_id = excluded.golden_id, raw_hash = excluded.raw_hash, told_hash = excluded.told_hash,
       published_version = excluded.published_version, settled_version = excluded.settled_version, untold = false, deleted_run = null, last_run = $1, mapping_version = excluded.mapping_version`,
    [
      run.runId,
      run.institutionId,
      mapping.systemId,
      mapping.id,
      root,
      mapping.version,
      ...columnsOf(
        kept.filter(({ change }) => change.image === null),
        [
          ({ change }) => change.goldenId,
          ({ change }) => change.keyText,
          standingHash,
          ({ change }) => change.rowHash,
          ({ change }) => change.version,
        ],
      ),
    ],
  );
  await learnPure(client, { run, mapping, context }, outcomes, root);
};

/** A pure target that was edited is seen now: its edit is known, was never told, and is written over by the next publish. */
const learnPure = async (
  client: PoolClient,
  { run, mapping }: Where,
  outcomes: readonly TargetOutcome[],
  root: number,
): Promise<void> => {
  const differing = outcomes.filter(({ status }) => status === 'origin_differs');
  for (const { change, actual } of differing) {
    if (change.image !== null) {
      await client.query(
        `update record_images set raw_hash = $2, told_hash = null, untold = true, settled_version = 0, published_version = 0, last_run = $1,
           mapping_version = $4, deleted_run = case when $2::uuid is null then $1::bigint end where id = $3`,
        [run.runId, actual === null ? null : hashOfRow(actual), change.image[0], mapping.version],
      );
    } else if (actual !== null) {
      await recordFound(client, { run, mapping }, change, actual);
      await client.query(
        `insert into record_images (id, institution_id, system_id, mapping_id, entity_type_id, source_key, golden_id, raw_hash, mapping_version, untold,
           subject_key, created_run, last_run)
         select nextval('image_ids'), $2, $3, $4, $5, $6, g.id, $8, $9, true, g.subject_key, $1, $1 from golden_records g where g.id = $7
         on conflict (mapping_id, entity_type_id, source_key, sub_key) do update set golden_id = excluded.golden_id, raw_hash = excluded.raw_hash, told_hash = null,
           untold = true, settled_version = 0, published_version = 0, deleted_run = null, last_run = $1, mapping_version = excluded.mapping_version`,
        [
          run.runId,
          run.institutionId,
          mapping.systemId,
          mapping.id,
          root,
          change.keyText,
          change.goldenId,
          hashOfRow(actual),
          mapping.version,
        ],
      );
    }
  }
  const refused = outcomes.filter(({ status, change }) => status === 'refused' && change.image !== null);
  if (refused.length === 0) return;
  await client.query('update record_images set untold = true, last_run = $1 where id = any ($2::bigint[])', [
    run.runId,
    refused.map(({ change }) => change.image?.[0] ?? null),
  ]);
};

/** A row that somebody else made is not the run's, though its image is: no rollback takes it away. */
const recordFound = (
  client: PoolClient,
  { run, mapping }: Site,
  change: TargetChange,
  actual: RawRow,
): Promise<unknown> =>
  client.query(
    `insert into change_set_entries (run_id, kind, mapping_id, row_id, institution_id, before, after, outcome, subject_key)
     select $1, 'target', $2, g.id, $3, $5, $6, 'origin_differs', g.subject_key from golden_records g where g.id = $4 on conflict do nothing`,
    [
      ...[run.runId, mapping.id, run.institutionId, change.goldenId],
      ...[cellsJson(change.keyText, actual), cellsJson(change.keyText, change.row)],
    ],
  );

const columnsOf = (
  outcomes: readonly TargetOutcome[],
  readers: readonly ((outcome: TargetOutcome) => string | number | null)[],
): unknown[] => readers.map((read) => outcomes.map(read));

/** Images of a system that is read too: its statements become what it was told. */
const tellShared = async (client: PoolClient, where: Where, outcomes: readonly TargetOutcome[]): Promise<void> => {
  const { run } = where;
  const ids = [...new Set(outcomes.map(({ change }) => change.goldenId))];
  const { rows } = await client.query<{ id: string; golden: GoldenJson; subject: string | null }>(
    `select g.id::text as id, ${goldenJson} as golden, g.subject_key::text as subject from golden_records g where g.id = any ($1::bigint[]) order by g.id for update`,
    [ids],
  );
  const goldens = new Map(rows.map((row) => [row.id, row]));
  const existing = outcomes.filter(({ change }) => change.image !== null).map(({ change }) => change.image?.[0] ?? '');
  await client.query(
    `insert into change_set_entries (run_id, kind, row_id, institution_id, before, outcome, subject_key)
     select $1, 'image', i.id, $2, ${withIdentifiers}, 'written', i.subject_key
     from record_images i where i.id = any ($3::bigint[]) and i.created_run <> $1 on conflict (run_id, kind, mapping_id, row_id) do nothing`,
    [run.runId, run.institutionId, existing],
  );
  for (const outcome of outcomes) {
    const golden = goldens.get(outcome.change.goldenId);
    if (golden !== undefined) await tellOne(client, where, outcome, golden);
  }
};

/** One shared image after its write: raw is what the source part reads of the row (verified by reading it back). */
const tellOne = async (
  client: PoolClient,
  { run, mapping, context }: Where,
  { change, status }: TargetOutcome,
  row: { readonly golden: GoldenJson; readonly subject: string | null },
): Promise<void> => {
  const golden = readGolden(row.golden);
  const compiled = context.target(mapping);
  const type = context.entityTypeNamed(compiled.root);
  const image = change.image;
  if (status === 'refused' || status === 'origin_differs') {
    if (image === null) return;
    const { rows } = await client.query<{
      statements: (string | null)[] | null;
      states: string | null;
      settled_version: number;
      settled: number[] | null;
    }>('select statements, states, settled_version, settled from record_images where id = $1', [image[0]]);
    const stored = rows[0];
    const groups = compiled.rootGroups;
    const statements = await currentStatements(context, mapping, image, stored, type.definition.groups.length);
    const refused = statements.map((statement, index) =>
      groups.includes(index) && statement.state !== 'open' ? afterRefusedWrite(statement) : statement,
    );
    await storeStatements(client, run, image[0], refused, { untold: true });
    return;
  }
  if (change.row === null) return;
  const current = image === null || image[3] === null ? null : (JSON.parse(image[3]) as RawRow);
  const sourceRow = compiled.toSourceRow(change.row, current);
  const stated = compiled.statedFromTarget(change.row, current);
  const before = await currentStatements(context, mapping, image, null, type.definition.groups.length);
  const statements = before.map((statement, index): Statement => {
    if (!compiled.rootGroups.includes(index)) return statement;
    // It was told nothing of this group.
    if (image !== null && (golden.values[index] ?? null) === null) return statement;
    if ((stated?.values[index] ?? null) === null) {
      // The row says nothing of it now: an edit that brings the old value back must count as a change.
      const emptied = (golden.values[index] ?? EMPTY) === EMPTY && statement.state !== 'open';
      return emptied ? { value: null, state: 'live', settled: golden.version } : statement;
    }
    const group = { value: golden.values[index] ?? null, version: golden.version, origin: null, sticky: false };
    const told = afterTold(
      group,
      image === null ? null : statement,
      golden.version,
      type.definition.groups[index]?.strategy,
    );
    return told.state === 'echo' && type.definition.groups[index]?.strategy !== 'set_union'
      ? { ...told, value: stated?.values[index] ?? told.value }
      : told;
  });
  const raw = JSON.stringify(sourceRow);
  if (image !== null) {
    await storeStatements(client, run, image[0], statements, { untold: false });
    await client.query(
      `update record_images set read_hash = coalesce(read_hash, raw_hash), raw = $2, raw_hash = $3, published_version = $4 where id = $1`,
      [image[0], raw, hash128(raw), golden.version],
    );
    if (stated !== null) await identifyTold(client, image[0], stated);
    return;
  }
  const packed = packStatements(
    statements.map((statement, index) =>
      compiled.rootGroups.includes(index) ? statement : { ...statement, settled: golden.version },
    ),
  );
  const { rows } = await client.query<{ id: string }>(
    `insert into record_images (id, institution_id, system_id, mapping_id, entity_type_id, source_key, golden_id, raw, raw_hash, mapping_version,
       statements, states, settled_version, settled, published_version, subject_key, created_run, last_run)
     values (nextval('image_ids'), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $1, $1)
     on conflict (mapping_id, entity_type_id, source_key, sub_key) do nothing returning id::text`,
    [
      run.runId,
      run.institutionId,
      mapping.systemId,
      mapping.id,
      type.id,
      change.keyText,
      change.goldenId,
      raw,
      hash128(raw),
      mapping.version,
      packed.statements,
      packed.states,
      packed.settledVersion,
      packed.settled,
      golden.version,
      row.subject,
    ],
  );
  for (const { id } of rows) if (stated !== null) await identifyTold(client, id, stated);
};

/** The statements of a shared image; derived from its raw row where only that is kept. */
const currentStatements = async (
  context: InstitutionContext,
  mapping: MappingRef,
  image: TargetChange['image'],
  stored:
    | {
        readonly statements: (string | null)[] | null;
        readonly states: string | null;
        readonly settled_version: number;
        readonly settled: number[] | null;
      }
    | null
    | undefined,
  groups: number,
): Promise<Statement[]> => {
  const silent = Array.from({ length: groups }, (): null => null);
  if (image === null) return unpackStatements({ statements: silent, states: null, settledVersion: 0, settled: null });
  const statements = stored?.statements ?? image[5];
  const derived =
    statements ?? (image[3] === null ? silent : (context.derive(mapping, JSON.parse(image[3]) as RawRow) ?? silent));
  return unpackStatements({
    statements: derived,
    states: stored?.states ?? image[6],
    settledVersion: stored?.settled_version ?? image[7],
    settled: stored?.settled ?? image[8],
  });
};

const storeStatements = async (
  client: PoolClient,
  run: RunRef,
  id: string,
  statements: readonly Statement[],
  told: { readonly untold: boolean },
): Promise<void> => {
  const packed = packStatements(statements);
  await client.query(
    `update record_images set statements = $2, states = $3, settled_version = $4, settled = $5, untold = $6, last_run = $7 where id = $1`,
    [id, packed.statements, packed.states, packed.settledVersion, packed.settled, told.untold, run.runId],
  );
};

/** Edits that we did not know of were left alone: named, and compared by the next read. */
const findDiffering = async (
  client: PoolClient,
  { run, mapping, context }: Where,
  outcomes: readonly TargetOutcome[],
): Promise<void> => {
  const root = context.entityTypeNamed(mapping.definition.target?.root ?? '').id;
  const told = outcomes.filter(({ status }) => status === 'origin_differs' || status === 'refused');
  if (told.length === 0) return;
  await client.query(
    `insert into findings (institution_id, run_id, kind, mapping_id, system_id, entity_type_id, golden_id, source_key, detail, subject_key)
     select $1, $2, o.kind, $3, $4, $5, o.id, o.key, o.detail, g.subject_key
     from unnest($6::bigint[], $7::text[], $8::text[], $9::text[]) as o (id, kind, key, detail) join golden_records g on g.id = o.id`,
    [
      run.institutionId,
      run.runId,
      mapping.id,
      mapping.systemId,
      root,
      told.map(({ change }) => change.goldenId),
      told.map(({ status }) => (status === 'refused' ? 'target_refused' : 'update_origin_differs')),
      told.map(({ change }) => change.keyText.split(keySeparator).join(' ')),
      told.map(({ status, reason }) =>
        status === 'refused' ? (reason ?? '') : 'it was edited there since it was last read; the edit was left alone',
      ),
    ],
  );
};
