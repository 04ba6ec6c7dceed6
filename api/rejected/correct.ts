import { Inject, Injectable } from '@nestjs/common';
import { loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import type { RawRow } from '../../domain/rows.js';
import type { Caller } from '../common/caller.js';
import { etagOf, requireMatch } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { notFound } from '../common/ids.js';
import type { Plain } from '../common/plain-type.js';
import { Problem, type ProblemPart } from '../common/problem.js';
import { HUB } from '../common/tokens.js';
import { validationProblem } from '../common/validation.js';
import type { CorrectionRequest } from './rejected.dto.js';
import { findRejected, lockRejected, storeCorrection, type Correction, type RejectedRow } from './rejected.queries.js';
import { toRejected } from './rejected-presenter.js';
import type { RejectedView } from './rejected.view.js';
import { RowReaders, type RowReader } from './row.js';

const longestCell = 100_000;

/** Corrects what was set aside. Nothing is done with it until it is replayed. */
@Injectable()
export class CorrectRejected {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

  /** @throws Problem not_found, precondition_failed, state_forbids, validation_failed, row_still_rejected */
  async correct(
    caller: Caller,
    request: HttpRequest,
    id: string,
    body: CorrectionRequest,
  ): Promise<Answer<Plain<RejectedView>>> {
    return await this.store(caller, request, id, (row, reader) => {
      const corrected = correctedRow(row, reader, body.values);
      const verdict = reader.judge(corrected);
      if ('problem' in verdict) throw stillRejected(verdict.problem);
      return { row: corrected, key: verdict.key, reason: body.reason, actor: caller.actor };
    });
  }

  /** Takes a correction away. @throws Problem not_found, precondition_failed, state_forbids */
  async withdraw(caller: Caller, request: HttpRequest, id: string): Promise<Answer<Plain<RejectedView>>> {
    return await this.store(caller, request, id, () => null);
  }

  private async store(
    caller: Caller,
    request: HttpRequest,
    id: string,
    correctionOf: (row: RejectedRow, reader: RowReader) => Correction | null,
  ): Promise<Answer<Plain<RejectedView>>> {
    const readers = new RowReaders(await loadConfiguration(this.hub, caller.institutionId));
    const present = toRejected(readers, caller.role);
    const after = await this.hub.transaction(caller.institutionId, async (client) => {
      const [row] = await lockRejected(client, [id]);
      if (row === undefined) throw notFound('record set aside', id);
      requireMatch(request, versionOf(row), () => ({ current: present(row) }));
      if (row.state !== 'open')
        throw new Problem('state_forbids', `The record is ${row.state}; it is corrected no more.`);
      const reader = readers.of(row.mapping_id);
      if (reader === null) throw new Problem('state_forbids', `Mapping ${row.mapping} reads nothing any more.`);
      await storeCorrection(client, id, correctionOf(row, reader));
      return await findRejected(client, id);
    });
    if (after === null) throw notFound('record set aside', id);
    return new Answer(present(after), { status: 200, headers: { etag: etagOf(after.version) } });
  }
}

const versionOf = (row: RejectedRow): Parameters<typeof requireMatch>[1] => ({
  version: row.version,
  changedBy: row.corrected_by ?? 'the run that set it aside',
  changedAt: (row.corrected_at ?? row.created_at).toISOString(),
});

/* What a correction leaves out stays as it was read, or as it was corrected before. */
const correctedRow = (row: RejectedRow, reader: RowReader, values: CorrectionRequest['values']): RawRow => {
  const base = row.corrected ?? reader.rowOf(row);
  const parts = Object.entries(values).flatMap(([column, value]) => problemOf(reader, column, value));
  const missing = base === null ? reader.columns.filter((column) => !(column in values)) : [];
  for (const column of missing) {
    parts.push({
      pointer: pointerTo(column),
      code: 'missing',
      detail: `${column} is needed: the row could not be read`,
    });
  }
  if (Object.keys(values).length === 0) {
    parts.push({ pointer: '/values', code: 'invalid', detail: 'name at least one column' });
  }
  if (parts.length > 0) throw validationProblem(parts);
  return reader.columns.map((column, index) => {
    const value = values[column];
    return value === undefined ? (base?.[index] ?? null) : (value as string | null);
  });
};

const problemOf = (reader: RowReader, column: string, value: unknown): ProblemPart[] => {
  const pointer = pointerTo(column);
  if (!reader.columns.includes(column))
    return [
      { pointer, code: 'unknown', detail: `there is no column ${column}; there are ${reader.columns.join(', ')}` },
    ];
  if (value === null) return [];
  if (typeof value !== 'string') return [{ pointer, code: 'invalid', detail: `${column} must be a text or null` }];
  if (value.length > longestCell || value.includes('\u0000'))
    return [{ pointer, code: 'invalid', detail: `${column} is too long, or holds a NUL` }];
  return [];
};

const pointerTo = (column: string): string => `/values/${column.replaceAll('~', '~0').replaceAll('/', '~1')}`;

const stillRejected = (problem: {
  readonly field: string | null;
  readonly reason: string;
  readonly detail: string;
}): Problem =>
  new Problem('row_still_rejected', `The row would be set aside still: ${problem.detail} (${problem.reason}).`, {
    errors: [
      {
        pointer: problem.field === null ? '/values' : pointerTo(problem.field),
        code: problem.reason,
        detail: problem.detail,
      },
    ],
  });
