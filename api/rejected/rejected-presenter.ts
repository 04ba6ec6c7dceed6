import type { Role } from '../../domain/access.js';
import type { RawRow } from '../../domain/rows.js';
import { linkTo } from '../common/base-path.js';
import type { Plain } from '../common/plain-type.js';
import type { RejectedGroupRow, RejectedRow } from './rejected.queries.js';
import type { CorrectionView, RejectedGroupView, RejectedView } from './rejected.view.js';
import type { RowReader, RowReaders } from './row.js';

/** A record set aside, as a role may see it: its columns by their sensitivity. */
export const toRejected =
  (readers: RowReaders, role: Role) =>
  (row: RejectedRow): Plain<RejectedView> => {
    const reader = readers.of(row.mapping_id);
    const cells = reader?.rowOf(row) ?? null;
    const masked = reader?.maskedFor(role) ?? [];
    // Where we cannot tell the columns apart, only those see the row who see everything of it.
    const seesAll = reader !== null && masked.length === 0;
    const self = linkTo(`rejected-records/${row.id}`);
    return {
      ...{ id: row.id, runId: row.run_id, mapping: row.mapping, kind: row.kind, sourceKey: row.source_key },
      ...{ position: row.position, field: row.field, reason: row.reason, detail: row.detail },
      raw: seesAll ? row.raw : null,
      values: reader === null || cells === null ? null : reader.visible(cells, role),
      masked: [...masked],
      ...{ state: row.state, version: row.version },
      correction: toCorrection(row, reader, cells, role),
      batchId: row.batch_id,
      replayedByRunId: row.settle_run_id,
      createdAt: row.created_at.toISOString(),
      links: {
        self,
        run: linkTo(`runs/${row.run_id}`),
        ...(row.state === 'open' ? { correction: `${self}/correction`, replay: `${self}/replay` } : {}),
        ...(row.batch_id === null ? {} : { batch: linkTo(`decisions/${row.batch_id}`) }),
        ...(row.settle_run_id === null ? {} : { replayedBy: linkTo(`runs/${row.settle_run_id}`) }),
      },
    };
  };

const toCorrection = (
  row: RejectedRow,
  reader: RowReader | null,
  before: RawRow | null,
  role: Role,
): Plain<CorrectionView> | null => {
  const { corrected } = row;
  if (corrected === null) return null;
  const changed = reader?.columns.filter((_, index) => before === null || before[index] !== corrected[index]) ?? [];
  const visible = reader?.visible(corrected, role) ?? {};
  return {
    values: Object.fromEntries(Object.entries(visible).filter(([column]) => changed.includes(column))),
    reason: row.correction_reason ?? '',
    by: row.corrected_by ?? '',
    at: row.corrected_at?.toISOString() ?? null,
  };
};

export const toRejectedGroup =
  (path: string) =>
  (row: RejectedGroupRow): Plain<RejectedGroupView> => {
    const parameters = new URLSearchParams({
      ...{ mapping: row.mapping, kind: row.kind, reason: row.reason },
      ...(row.field === null ? {} : { field: row.field }),
    });
    return {
      ...{ mapping: row.mapping, kind: row.kind, reason: row.reason, field: row.field, detail: row.detail },
      ...{ count: row.count, open: row.open, exampleId: row.example_id, exampleKey: row.example_key },
      links: {
        records: `${linkTo(path)}?${parameters.toString()}`,
        example: linkTo(`rejected-records/${row.example_id}`),
      },
    };
  };
