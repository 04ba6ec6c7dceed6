import { sightOf, type Role } from '../../domain/access.js';
import { EMPTY, fromStated, type Json, type Stated } from '../../domain/canonical.js';
import type { EntityTypeDefinition, GroupDefinition } from '../../domain/entity-type.js';
import { elementHolds } from '../../domain/paths.js';
import { compileStanding } from '../../domain/validity.js';
import { linkTo } from '../common/base-path.js';
import type { Plain } from '../common/plain-type.js';
import { actorInWords, isMasked, isSticky, originOf, type OriginRow } from './golden-row.js';
import type { TargetRow, VersionState } from './story.queries.js';
import type {
  AsOfView,
  GroupChangeView,
  SaidView,
  TargetStateView,
  targetStates,
  GoldenVersionView,
} from './story.view.js';

/** A value as a role sees it. */
export const said = (stated: Stated | null, masked: boolean): Plain<SaidView> => ({
  says: stated === null ? 'nothing' : stated === EMPTY ? 'empty' : 'value',
  value: stated === null || stated === EMPTY || masked ? null : fromStated(stated),
});

/** A group of which a role is told that it is there. */
export const isShown = (group: GroupDefinition, role: Role): boolean => sightOf(role, group.sensitivity) !== 'hidden';

/** What a version changed of the one before it (null: it is the first). Pure. */
export const toVersion = (
  after: VersionState,
  before: VersionState | null,
  definition: EntityTypeDefinition,
  origins: ReadonlyMap<string, OriginRow>,
  role: Role,
): Plain<GoldenVersionView> => {
  const changes = definition.groups.flatMap((group, index): Plain<GroupChangeView>[] => {
    const [was, is] = [before?.values[index] ?? null, after.values[index] ?? null];
    const released = before !== null && isSticky(before, index) !== isSticky(after, index);
    if ((was === is && !released) || !isShown(group, role)) return [];
    const origin = originOf(after, index);
    const from = origin === null || is === null ? null : (origins.get(origin) ?? null);
    const masked = isMasked(group, role);
    return [
      {
        ...{ group: group.name, masked, before: said(was, masked), after: said(is, masked) },
        ...{ system: from?.system ?? null, sourceKey: from?.source_key ?? null, sticky: isSticky(after, index) },
      },
    ];
  });
  return {
    ...{ version: after.version, knownAt: after.known_at.toISOString(), runId: after.run_id, kind: after.kind },
    ...{ actor: after.actor, status: after.status, changes },
    words: versionWords(after, before, changes),
    links: { run: linkTo(`runs/${after.run_id}`) },
  };
};

const versionWords = (
  after: VersionState,
  before: VersionState | null,
  changes: readonly Plain<GroupChangeView>[],
): string => {
  const names = changes.map(({ group }) => group.replaceAll('_', ' '));
  const what =
    before === null
      ? 'The record was made'
      : after.status !== before.status
        ? after.status === 'active'
          ? 'The record came back'
          : `The record ${after.status === 'merged' ? 'was merged into another' : 'ended'}`
        : names.length === 0
          ? 'Nothing of what is seen here changed'
          : `${listed(names)} changed`;
  const systems = [...new Set(changes.flatMap(({ system }) => (system === null ? [] : [system])))].sort();
  const whence = systems.length === 0 || after.kind === 'decision' ? '' : `, as ${listed(systems)} said`;
  const who =
    after.kind === 'decision'
      ? `, decided by ${actorInWords(after.actor)}`
      : after.kind === 'rollback'
        ? `, set back by a rollback of ${actorInWords(after.actor)}`
        : '';
  const text = `${what}${whence}${who}.`;
  return text.charAt(0).toUpperCase() + text.slice(1);
};

const listed = (names: readonly string[]): string =>
  names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;

/** A version with what of it holds on a day. Pure. */
export const toAsOf = (
  state: VersionState,
  of: { readonly id: string; readonly type: string; readonly definition: EntityTypeDefinition },
  times: { readonly knownAt: string; readonly validOn: string },
  role: Role,
): Plain<AsOfView> => ({
  ...{ id: of.id, type: of.type, version: state.version, status: state.status, ...times },
  holds: state.status === 'active' && compileStanding(of.definition)(state.values, times.validOn).holds,
  groups: of.definition.groups.flatMap((group, index) => {
    if (!isShown(group, role)) return [];
    const masked = isMasked(group, role);
    return [{ name: group.name, masked, ...said(heldOn(group, state.values[index] ?? null, times.validOn), masked) }];
  }),
  links: { self: linkTo(`golden-records/${of.id}`) },
});

/* The elements of a value that hold on a day; explicitly empty where none does. */
const heldOn = (group: GroupDefinition, stated: Stated | null, day: string): Stated | null => {
  const { validity } = group;
  if (validity === undefined || stated === null || stated === EMPTY) return stated;
  const value = fromStated(stated);
  const elements: readonly Json[] = Array.isArray(value) ? (value as readonly Json[]) : [value];
  const held = elements.filter((element) => elementHolds(element, validity, day));
  if (held.length === elements.length) return stated;
  return held.length === 0 ? EMPTY : JSON.stringify(held);
};

type TargetState = (typeof targetStates)[number];

/** Whether a record has reached a target. Pure. */
export const toTargetState = (row: TargetRow, mapping: string, status: string): Plain<TargetStateView> => {
  const system = mapping.split('.')[0] ?? mapping;
  const there = row.image_id !== null && row.deleted !== true;
  const state = stateOf(row, there);
  const since = state === 'withheld' ? row.restricted_since : row.since;
  return {
    ...{ system, mapping, state, since: since?.toISOString() ?? null, due: row.due },
    // A system that is read too may say so itself, without having been told.
    version: there && (row.published_version ?? 0) > 0 ? row.published_version : null,
    key: there ? row.source_key : null,
    runId: row.run_id ?? row.finding_run,
    words: targetWords(state, row, { system, there, status }),
  };
};

const stateOf = (row: TargetRow, there: boolean): TargetState => {
  if (row.restricted_since !== null) return 'withheld';
  if (row.untold === true && row.finding === 'target_refused') return 'refused';
  if (row.untold === true && row.finding === 'update_origin_differs') return 'differs';
  if (row.pending || row.untold === true) return 'pending';
  if (there) return 'told';
  return row.finding === 'target_refused' ? 'refused' : 'absent';
};

const targetWords = (
  state: TargetState,
  row: TargetRow,
  { system, there, status }: { readonly system: string; readonly there: boolean; readonly status: string },
): string => {
  switch (state) {
    case 'told':
      return (row.published_version ?? 0) > 0
        ? `${system} was told version ${row.published_version ?? 0} by run ${row.run_id ?? ''}.`
        : `${system} says the same itself.`;
    case 'pending':
      return `${system} is to be told by the next run that publishes to it.`;
    case 'withheld':
      return there
        ? `A restriction keeps the record from ${system}; it is taken away there by the next run that publishes to it.`
        : `A restriction keeps the record from ${system}.`;
    case 'refused':
      return `${system} refused the record; run ${row.finding_run ?? ''} tells why.`;
    case 'differs':
      return `It was edited in ${system} since it was last read; the edit was left alone.`;
    case 'absent':
      return status === 'active'
        ? `${system} receives no row of this record.`
        : `The record is ${status}; ${system} has no row of it.`;
  }
};
