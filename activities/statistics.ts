import type { PoolClient } from 'pg';

const worthAnalysing = 1_000;

/** Later steps join these tables: after many rows were written, their plans need to know. Of the columns that are compared; what lies in
 *  texts and lists is long to look at and asked for by nobody.
 *  @param first rows of a mapping that had none: as long as the statistics do not know it, PostgreSQL thinks that one row of it is there,
 *  and looks through all of them for each record */
export const gatherStatistics = async (
  client: PoolClient,
  { written, first }: { readonly written: number; readonly first: boolean },
): Promise<void> => {
  if (written < worthAnalysing) return;
  if (!first) {
    const { rows } = await client.query<{ known: string }>(
      `select reltuples::bigint as known from pg_class where oid = 'concord.golden_records'::regclass`,
    );
    if (written < Number(rows[0]?.known ?? 0) / 10) return;
  }
  await client.query(
    // The institution too: every statement compares it, and PostgreSQL takes one of two hundred records to be of it otherwise.
    `analyze golden_records (id, institution_id, entity_type_id, status, created_run, updated_run),
       record_images (id, institution_id, mapping_id, entity_type_id, source_key, sub_key, main, golden_id, raw_hash, untold, deleted_run, created_run,
         read_run, last_run),
       record_identifiers, golden_references`,
  );
};
