import type { Role } from '../../domain/access.js';
import { EMPTY } from '../../domain/canonical.js';
import { linkTo } from '../common/base-path.js';
import { isMasked } from '../golden/golden-row.js';
import { jsonOf, readCandidates, type Candidate } from './choice.js';
import type { ConflictRow } from './conflict.queries.js';
import type { CandidateView, ConflictView, DecidedView } from './conflict.view.js';
import type { Plain } from '../common/plain-type.js';

/** A question as a role may see it: what it sees masked it does not decide either. */
export const toConflict = (row: ConflictRow, role: Role): Plain<ConflictView> => {
  const candidates = readCandidates(row.candidates);
  const group = row.definition.groups.find(({ name }) => name === row.group_name);
  const masked = isMasked(group, role);
  const self = linkTo(`conflicts/${row.id}`);
  return {
    id: row.id,
    type: row.kind,
    status: row.state === 'open' ? 'pending' : row.state,
    version: row.version,
    entityType: row.entity_type,
    goldenId: row.golden_id,
    group: row.group_name,
    reason: reasonOf(row, candidates),
    base: masked ? null : shown(row, row.base, role),
    candidates: candidates.map((candidate) => toCandidate(row, candidate, masked, role)),
    otherGoldenId: row.other_id,
    masked,
    suggestion: masked ? null : objectOf(row.suggestion),
    impact: objectOf(row.impact) ?? {},
    jobId: row.job_id === null ? null : String(row.job_id),
    runId: row.opened_run,
    createdAt: row.created_at.toISOString(),
    dueAt: row.due_at?.toISOString() ?? null,
    assignee: row.assignee,
    decision: decidedOf(row, masked),
    links: {
      self,
      ...(row.state === 'open' ? { decision: `${self}/decision`, assignee: `${self}/assignee` } : {}),
      ...(row.state === 'decided' || row.state === 'settled' ? { takeBack: `${self}/decision/take-back` } : {}),
      goldenRecord: linkTo(`golden-records/${row.golden_id}`),
      ...(row.other_id === null ? {} : { otherRecord: linkTo(`golden-records/${row.other_id}`) }),
      run: linkTo(`runs/${row.opened_run}`),
      ...(row.batch_id === null ? {} : { batch: linkTo(`decisions/${row.batch_id}`) }),
    },
  };
};

const toCandidate = (
  row: ConflictRow,
  { systems, value }: Candidate,
  masked: boolean,
  role: Role,
): Plain<CandidateView> => ({
  systems: [...systems],
  value: masked ? null : shown(row, value, role),
  empty: value === EMPTY,
});

/** Of a whole record, what the role may see of each group; of a possible duplicate, the other record if it is seen. */
const shown = (row: ConflictRow, value: string | null, role: Role): unknown => {
  if (row.kind === 'duplicate') return row.other_id;
  const read = jsonOf(value);
  if (row.kind === 'value') return read;
  return Object.fromEntries(
    Object.entries(objectOf(read) ?? {}).map(([name, said]): [string, unknown] => [
      name,
      isMasked(
        row.definition.groups.find((group) => group.name === name),
        role,
      )
        ? null
        : said,
    ]),
  );
};

const decidedOf = (row: ConflictRow, masked: boolean): Plain<DecidedView> | null => {
  const decision = objectOf(row.decision);
  if (decision === null) return null;
  const choice = objectOf(decision['choice']) ?? {};
  return {
    choice: masked && 'value' in choice ? { value: null } : choice,
    reason: typeof decision['reason'] === 'string' ? decision['reason'] : null,
    by: row.decided_by ?? '',
    at: row.decided_at?.toISOString() ?? null,
    batchId: row.batch_id,
    runId: row.settle_run_id,
  };
};

const objectOf = (value: unknown): Record<string, unknown> | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;

const reasonOf = (row: ConflictRow, candidates: readonly Candidate[]): string => {
  const systems = listed([...new Set(candidates.flatMap((candidate) => candidate.systems))].sort());
  const group = row.group_name.replaceAll('_', ' ');
  switch (row.kind) {
    case 'value':
      return candidates.length > 1
        ? `${systems} say different things about the ${group}.`
        : `${systems} changed the ${group} without knowing that it had changed meanwhile.`;
    case 'duplicate':
      return `This ${row.entity_type} may be the same as another: ${systems} gives them one identifier.`;
    case 'identity':
      return `A known key of ${systems} came with another name and another date of birth.`;
  }
};

const listed = (names: readonly string[]): string =>
  names.length < 2 ? (names[0] ?? 'A system') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
