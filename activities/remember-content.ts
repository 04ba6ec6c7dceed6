import type { PoolClient } from 'pg';
import type { RunRef } from '../domain/run.js';
import { readSourcePlans, type SourcePlan } from './extract.js';
import { readChunks } from './lease.js';
import { keepRemembered, type RememberedBlocks } from './remembered-rows.js';
import type { SourceContent } from './source-content.js';

/** Whether every row that the run read of a source is in its images now, with nothing that a later run has to tell again. */
const allApplied = async (client: PoolClient, run: RunRef, mappingId: number): Promise<boolean> => {
  const [chunk] = await readChunks(client, run.runId, 'dispositions', String(mappingId));
  const [told] = await readChunks(client, run.runId, 'publish', `${mappingId}/counts`);
  if (chunk === undefined || Object.values(told?.counts ?? {}).some((count) => Number(count) > 0)) return false;
  return ['rejected', 'held', 'waiting', 'filtered'].every((kind) => Number(chunk.counts[kind] ?? 0) === 0);
};

/** What the last chunk of each partition says of a source that the run read. */
const lastCounts = async (
  client: PoolClient,
  run: RunRef,
  mappingId: number,
  plan: SourcePlan,
): Promise<readonly Readonly<Record<string, unknown>>[]> => {
  const found: Readonly<Record<string, unknown>>[] = [];
  for (const { ordinal } of plan.partitions) {
    const chunks = await readChunks(client, run.runId, 'extract', `${String(mappingId)}/${String(ordinal)}`);
    found.push(chunks.at(-1)?.counts ?? {});
  }
  return found;
};

/** What the run read of a source; null where it did not read the text of every partition from its beginning to its end. */
const contentRead = (read: readonly Readonly<Record<string, unknown>>[]): SourceContent | null => {
  const contents = read.flatMap(({ content }) => (content as SourceContent | null | undefined) ?? []);
  if (contents.length === 0 || contents.length < read.length) return null;
  const version = Math.min(...contents.map((content) => content.version));
  return { version, partitions: contents.flatMap(({ partitions }) => partitions) };
};

/** Remembers what the sources held that the run read whole, and which rows they were. Called where it completes. */
export const rememberContent = async (client: PoolClient, run: RunRef): Promise<void> => {
  if (run.kind !== 'sync' || run.subjectKey !== undefined) return;
  for (const [mappingId, plan] of await readSourcePlans(client, run.runId)) {
    if (plan.partitions.length === 0) continue;
    const read = await lastCounts(client, run, mappingId, plan);
    const [only] = read;
    const remembered = only?.['remembered'] as RememberedBlocks | undefined;
    if (remembered !== undefined) await keepRemembered(client, run, mappingId, remembered);
    const content = plan.mode === 'full' ? contentRead(read) : null;
    if (content === null || !(await allApplied(client, run, mappingId))) continue;
    await client.query(
      `insert into watermarks (mapping_id, kind, institution_id, value, run_id) values ($1, 'content', $2, $3, $4)
       on conflict (mapping_id, kind) do update set value = excluded.value, run_id = excluded.run_id`,
      [mappingId, run.institutionId, JSON.stringify(content), run.runId],
    );
  }
};
