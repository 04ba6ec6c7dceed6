import { sightOf, type Role } from '../../domain/access.js';
import { EMPTY, fromStated } from '../../domain/canonical.js';
import type { EntityTypeDefinition, GroupDefinition } from '../../domain/entity-type.js';
import { keyInWords } from '../../domain/rows.js';
import { compileSearch } from '../../domain/search.js';
import type { RunKind } from '../../domain/run.js';
import type { GoldenGroupView } from './golden.view.js';
import { Problem } from '../common/problem.js';
import type { Plain } from '../common/plain-type.js';

/** A golden record as it is stored: lists run in the order of the entity type's groups. */
export interface GoldenRow {
  readonly id: string;
  readonly type: string;
  readonly definition: EntityTypeDefinition;
  readonly version: number;
  readonly values: readonly (string | null)[];
  /** null: every group that is said was set by version 1. */
  readonly versions: readonly (number | null)[] | null;
  readonly origin_image: string | null;
  /** null: every group came from `origin_image`. */
  readonly origins: readonly (string | null)[] | null;
  readonly sticky: readonly number[] | null;
  readonly status: string;
  readonly merged_into: string | null;
  readonly valid_from: string | null;
  readonly valid_to: string | null;
  readonly created_run: string;
  readonly updated_run: string;
}

/** The record of a system that a value came from. */
export interface OriginRow {
  readonly id: string;
  readonly system: string;
  readonly source_key: string;
}

/** The run that made a version of the record. */
export interface VersionRow {
  readonly version: number;
  readonly run_id: string;
  readonly kind: RunKind;
  readonly actor: string;
  readonly started_at: Date;
}

export interface Provenance {
  readonly origins: ReadonlyMap<string, OriginRow>;
  readonly versions: ReadonlyMap<number, VersionRow>;
}

/** The image that each group came from; null: a person, or nothing yet. */
export const originOf = (row: Pick<GoldenRow, 'origins' | 'origin_image'>, group: number): string | null =>
  row.origins === null ? row.origin_image : (row.origins[group] ?? null);

/** The version that set each group. */
export const versionOf = (row: GoldenRow, group: number): number =>
  row.versions === null ? 1 : (row.versions[group] ?? 1);

/** Whether a person's override stands on a group. */
export const isSticky = (row: Pick<GoldenRow, 'sticky'>, group: number): boolean =>
  row.sticky?.includes(group) ?? false;

/** Whether a role sees a group only as dots. */
export const isMasked = (group: GroupDefinition | undefined, role: Role): boolean =>
  sightOf(role, group?.sensitivity) !== 'plain';

/** What a role sees masked it does not write either. @throws Problem forbidden */
export const refuseMasked = (role: Role, group: GroupDefinition | undefined): void => {
  if (isMasked(group, role))
    throw new Problem('forbidden', `The role ${role} sees this value masked and may not write it; a steward may.`);
};

/** The name of a record, as far as a role may see it. */
export const labelOf = (
  definition: EntityTypeDefinition,
  values: readonly (string | null)[],
  role: Role,
): string | null => {
  const names = compileSearch(definition)
    .filter(({ group }) => !isMasked(definition.groups[group], role))
    .map((path) => path.text(values, null))
    .filter((name) => name !== null);
  // Of several names the first stands for the record; the parts of one name make it together.
  const label = definition.search === undefined ? names.join(' ') : (names[0] ?? '');
  return label === '' ? null : label;
};

/** The groups of a record with their provenance in words. */
export const toGroups = (row: GoldenRow, provenance: Provenance, role: Role): Plain<GoldenGroupView>[] =>
  row.definition.groups.map((group, index) => toGroup(row, provenance, role, group, index));

const toGroup = (
  row: GoldenRow,
  provenance: Provenance,
  role: Role,
  group: GroupDefinition,
  index: number,
): Plain<GoldenGroupView> => {
  const stated = row.values[index] ?? null;
  const origin = originOf(row, index);
  const from = origin === null ? null : (provenance.origins.get(origin) ?? null);
  const version = versionOf(row, index);
  const since = provenance.versions.get(version) ?? null;
  const masked = stated !== null && stated !== EMPTY && isMasked(group, role);
  const decidedBy = stated !== null && origin === null && since?.kind === 'decision' ? since.actor : null;
  const sticky = isSticky(row, index);
  return {
    name: group.name,
    value: stated === null || masked ? null : fromStated(stated),
    says: stated === null ? 'nothing' : stated === EMPTY ? 'empty' : 'value',
    masked,
    sticky,
    system: stated === null ? null : (from?.system ?? null),
    sourceKey: stated === null ? null : (from?.source_key ?? null),
    decidedBy,
    since:
      stated === null ? [] : [{ version, runId: since?.run_id ?? null, at: since?.started_at.toISOString() ?? null }],
    words: inWords({ stated, from, version, since, sticky }),
  };
};

interface Told {
  readonly stated: string | null;
  readonly from: OriginRow | null;
  readonly version: number;
  readonly since: VersionRow | null;
  readonly sticky: boolean;
}

const inWords = ({ stated, from, version, since, sticky }: Told): string => {
  if (stated === null) return 'No system has said anything about this.';
  const empty = stated === EMPTY ? 'Explicitly empty. ' : '';
  const when = since === null ? '' : `, by run ${since.run_id} on ${dayInWords(since.started_at)}`;
  const stands = sticky ? ' It stands against imports until a source agrees.' : '';
  return `${empty}${whence(from, since)}, since version ${version}${when}.${stands}`;
};

const whence = (from: OriginRow | null, since: VersionRow | null): string => {
  if (since?.kind === 'rollback')
    return `${from === null ? 'Set back' : `From ${from.system} (record ${keyInWords(from.source_key)}), set back`} by a rollback of ${actorInWords(since.actor)}`;
  const decided =
    since?.kind === 'decision' ? `${from === null ? 'D' : ', d'}ecided by ${actorInWords(since.actor)}` : '';
  if (from !== null) return `From ${from.system} (record ${keyInWords(from.source_key)})${decided}`;
  return decided === '' ? 'What remained when the system that said it withdrew' : decided;
};

/** `steward:Data office` as a person says it. */
export const actorInWords = (actor: string): string => {
  const [role = '', name] = actor.split(/:(.*)/s, 2);
  return name === undefined || name === '' ? role : `the ${role} (${name})`;
};

const dayInWords = (moment: Date): string =>
  moment.toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });
