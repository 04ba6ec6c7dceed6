import type { PoolClient } from 'pg';
import type { GoldenState } from '../domain/record-merge.js';

/** A golden record as queries give it. */
export type GoldenJson = readonly [
  version: number,
  values: readonly (string | null)[],
  versions: readonly number[] | null,
  originImage: string | null,
  origins: readonly (string | null)[] | null,
  sticky: readonly number[] | null,
  status: 'active' | 'ended' | 'merged',
  mergedInto: string | null,
];

const jsonOf = (alias: string): string =>
  `json_build_array(${alias}.version, ${alias}.values, ${alias}.versions, ${alias}.origin_image::text, ${alias}.origins::text[], ${alias}.sticky,
    ${alias}.status, ${alias}.merged_into::text)`;

/** Of a row `g` of `golden_records`. */
export const goldenJson = jsonOf('g');
/** Of a row `v` of `golden_record_versions`. */
export const versionJson = jsonOf('v');

/** Whether runs wrote a golden record last, as a condition on its row. An index knows the records that were changed since they were
 *  made, and another one who made those that were not: each side asks one of them.
 *  @param runs a comparison, as `= $1` */
export const lastWrittenBy = (alias: string, runs: string): string =>
  `(${alias}.updated_run <> ${alias}.created_run and ${alias}.updated_run ${runs}
    or ${alias}.updated_run = ${alias}.created_run and ${alias}.created_run ${runs})`;

/** Has the index of who made records look at pages that were filled since it last did: until then each `lastWrittenBy` reads through them. */
export const summarizeRecords = async (client: PoolClient): Promise<void> => {
  await client.query('select summarize_records()');
};

/** The golden record as the core sees it. */
export function readGolden(json: GoldenJson): GoldenState;
export function readGolden(json: GoldenJson | null): GoldenState | null;
export function readGolden(json: GoldenJson | null): GoldenState | null {
  if (json === null) return null;
  const [version, values, versions, originImage, origins, sticky, status, mergedInto] = json;
  return {
    version,
    values,
    versions: versions ?? values.map((value) => (value === null ? 0 : 1)),
    origins: origins ?? values.map((value) => (value === null ? null : originImage)),
    sticky: sticky ?? [],
    status,
    ...(mergedInto === null ? {} : { mergedInto }),
  };
}
