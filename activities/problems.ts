import type { PoolClient } from 'pg';
import type { RejectedRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';

export interface NewFinding {
  readonly kind: string;
  readonly mappingId?: number | null;
  readonly systemId?: number | null;
  readonly entityTypeId?: number | null;
  readonly goldenId?: string | null;
  readonly imageId?: string | null;
  readonly sourceKey?: string | null;
  readonly field?: string | null;
  /** In words, without personal data. */
  readonly detail?: string;
}

/** Something that a person should know of, though nothing waits for them. */
export const addFinding = async (client: PoolClient, run: RunRef, finding: NewFinding): Promise<void> => {
  await client.query(
    `insert into findings (institution_id, run_id, kind, mapping_id, system_id, entity_type_id, golden_id, image_id, source_key, field, detail)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [
      run.institutionId,
      run.runId,
      finding.kind,
      finding.mappingId ?? null,
      finding.systemId ?? null,
      finding.entityTypeId ?? null,
      finding.goldenId ?? null,
      finding.imageId ?? null,
      finding.sourceKey ?? null,
      finding.field ?? null,
      finding.detail ?? '',
    ],
  );
};

/** PostgreSQL's text holds no NUL: it is shown as the replacement character in what we keep of a rejected row. */
const storable = (text: string): string => text.replaceAll('\u0000', '\ufffd');

/** Rows that a reader set aside, kept with what could be read of them. */
export const addRejected = async (
  client: PoolClient,
  run: RunRef,
  mappingId: number,
  rejected: readonly RejectedRow[],
): Promise<void> => {
  if (rejected.length === 0) return;
  await client.query(
    `insert into rejected_records (institution_id, run_id, mapping_id, kind, source_key, position, raw, field, reason, detail)
     select $1, $2, $3, 'rejected', r.key, r.position, r.raw, r.field, r.reason, r.detail
     from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[]) as r (key, position, raw, field, reason, detail)`,
    [
      run.institutionId,
      run.runId,
      mappingId,
      rejected.map(({ problem }) => (problem.key === null ? null : storable(problem.key))),
      rejected.map(({ problem }) => problem.row),
      rejected.map(({ raw }) => storable(raw)),
      rejected.map(({ problem }) => problem.field),
      rejected.map(({ problem }) => problem.reason),
      rejected.map(({ problem }) => storable(problem.detail)),
    ],
  );
};
