import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import type { Hub } from '../../database/hub.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { notFound } from '../common/ids.js';
import type { Plain } from '../common/plain-type.js';
import { HUB } from '../common/tokens.js';
import { validationProblem } from '../common/validation.js';
import type { RevealRequest } from './golden.dto.js';
import { findGolden, listIdentifiers } from './golden.queries.js';
import type { GoldenRow } from './golden-row.js';
import type { DisclosureView, RevealedView } from './reveal.view.js';
import { isShown, said } from './story.js';

/** Shows masked values once, with a reason that stays. */
@Injectable()
export class Reveal {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

  /** The disclosure is durable before anything is shown. @throws Problem not_found, validation_failed */
  async reveal(caller: Caller, goldenId: string, request: RevealRequest): Promise<Plain<RevealedView>> {
    const { groups, identifiers: schemes = [], reason } = request;
    return await this.hub.transaction(caller.institutionId, async (client) => {
      const row = await findGolden(client, goldenId);
      if (row === null) throw notFound('golden record', goldenId);
      refuseUnknown(caller, row, groups, schemes);
      const known = await listIdentifiers(client, goldenId);
      const { rows } = await client.query<{ id: string }>(
        `insert into concord.disclosures (institution_id, golden_id, groups, identifiers, actor, reason, subject_key)
         select institution_id, id, $2, $3, $4, $5, subject_key from concord.golden_records where id = $1 returning id`,
        [goldenId, groups, schemes, caller.actor, reason],
      );
      return {
        disclosureId: rows[0]?.id ?? '',
        groups: row.definition.groups.flatMap(({ name }, index) =>
          groups.includes(name) ? [{ name, ...said(row.values[index] ?? null, false) }] : [],
        ),
        identifiers: known.filter(({ scheme }) => schemes.includes(scheme)),
        links: { goldenRecord: linkTo(`golden-records/${goldenId}`) },
      };
    });
  }
}

function refuseUnknown(caller: Caller, row: GoldenRow, groups: readonly string[], schemes: readonly string[]): void {
  const shown = row.definition.groups.filter((group) => isShown(group, caller.role)).map(({ name }) => name);
  const known = (row.definition.identifiers ?? []).map(({ scheme }) => scheme);
  const problems = [
    ...unknown(groups, shown, '/groups', `${row.type} has the groups ${shown.join(', ')}`),
    ...unknown(schemes, known, '/identifiers', `${row.type} has the identifiers ${known.join(', ')}`),
    ...(groups.length + schemes.length === 0
      ? [{ pointer: '/groups', code: 'missing', detail: 'name what is to be shown' }]
      : []),
  ];
  if (problems.length > 0) throw validationProblem(problems);
}

const unknown = (
  names: readonly string[],
  known: readonly string[],
  pointer: string,
  detail: string,
): { pointer: string; code: string; detail: string }[] =>
  names.flatMap((name, index) =>
    known.includes(name) ? [] : [{ pointer: `${pointer}/${index}`, code: 'unknown', detail }],
  );

interface DisclosureRow {
  readonly id: string;
  readonly golden_id: string;
  readonly groups: readonly string[];
  readonly identifiers: readonly string[];
  readonly actor: string;
  readonly reason: string;
  readonly disclosed_at: Date;
}

/** Disclosures, newest first. */
export const listDisclosures = async (
  client: PoolClient,
  goldenId: string | null,
  before: string | null,
  most: number,
): Promise<readonly DisclosureRow[]> => {
  const { rows } = await client.query<DisclosureRow>(
    `select id, golden_id, groups, identifiers, actor, reason, disclosed_at from concord.disclosures
     where ($1::bigint is null or golden_id = $1) and ($2::bigint is null or id < $2) order by id desc limit $3`,
    [goldenId, before, most],
  );
  return rows;
};

export const toDisclosure = (row: DisclosureRow): Plain<DisclosureView> => ({
  ...{ id: row.id, goldenId: row.golden_id, groups: row.groups, identifiers: row.identifiers },
  ...{ actor: row.actor, reason: row.reason, at: row.disclosed_at.toISOString() },
  links: { goldenRecord: linkTo(`golden-records/${row.golden_id}`) },
});
