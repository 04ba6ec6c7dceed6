import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { loadConfiguration, type LoadedConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import { addDays } from '../../domain/calendar.js';
import { recipientClassesOf } from '../../domain/configuration.js';
import type { Clock } from '../../platform/clock.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { idOf, notFound } from '../common/ids.js';
import { leaveWord } from '../common/outbox.js';
import type { Plain } from '../common/plain-type.js';
import { Problem } from '../common/problem.js';
import { CLOCK, HUB } from '../common/tokens.js';
import { validationProblem } from '../common/validation.js';
import { findGolden } from '../golden/golden.queries.js';
import { dateIn } from '../runs/start-run.js';
import type { PlaceRequest, ReleaseRequest } from './restriction.dto.js';
import {
  findRestriction,
  findStanding,
  insertRestriction,
  markDue,
  markReleased,
  type NewRestriction,
  type RestrictionRow,
} from './restriction.queries.js';
import type { RestrictionView } from './restriction.view.js';

/** Places and releases restrictions: in the database, in one transaction with the word that targets are to be told at once. */
@Injectable()
export class Restrict {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** The day where the institution is. */
  async today(caller: Caller): Promise<string> {
    return this.dayOf(await loadConfiguration(this.hub, caller.institutionId));
  }

  /** @throws Problem validation_failed, not_found, state_forbids */
  async place(caller: Caller, request: PlaceRequest): Promise<Plain<RestrictionView>> {
    const goldenId = idOf(request.goldenId, 'golden record');
    const loaded = await loadConfiguration(this.hub, caller.institutionId);
    const day = this.dayOf(loaded);
    refuseUnreadable(request, loaded, day);
    return await this.hub.transaction(caller.institutionId, async (client) => {
      const golden = await findGolden(client, goldenId, true);
      if (golden === null) throw notFound('golden record', goldenId);
      const { recipientClass, authority, reason, from = null, to = null } = request;
      const wanted = { goldenId, recipientClass, from, to, authority, reason, actor: caller.actor };
      const id = await insertRestriction(client, wanted);
      if (id === null) {
        throw new Problem(
          'state_forbids',
          `A restriction of this record against ${recipientClass} was placed before.`,
          {
            extensions: { restrictionId: await findStanding(client, goldenId, recipientClass) },
          },
        );
      }
      const begins = from === null || from < day ? day : from;
      await tellTargets(client, caller, { goldenId, word: `${id}-placed` }, [
        begins,
        ...(to === null ? [] : [addDays(to, 1)]),
      ]);
      // Read before the transaction ends: afterwards it may hide the record from whoever placed it.
      return toRestriction({ ...wanted, id, type: golden.type, at: this.clock.now(), day });
    });
  }

  /** Released twice, it has one effect. @throws Problem not_found */
  async release(caller: Caller, id: string, request: ReleaseRequest): Promise<Plain<RestrictionView>> {
    const day = await this.today(caller);
    return await this.hub.transaction(caller.institutionId, async (client) => {
      const row = await findRestriction(client, day, id, true);
      if (row === null) throw notFound('restriction', id);
      if (row.released_at === null) {
        await markReleased(client, id, { actor: caller.actor, reason: request.reason });
        await tellTargets(client, caller, { goldenId: row.golden_id, word: `${id}-released` }, [day]);
      }
      const released = await findRestriction(client, day, id);
      if (released === null) throw notFound('restriction', id);
      return toRestrictionView(released);
    });
  }

  private dayOf({ institution }: LoadedConfiguration): string {
    return dateIn(institution.timeZone, this.clock.now());
  }
}

/* What targets hold is looked at again from the first of these days on; a run of its own does so now. */
const tellTargets = async (
  client: PoolClient,
  caller: Caller,
  about: { readonly goldenId: string; readonly word: string },
  days: readonly string[],
): Promise<void> => {
  await markDue(client, about.goldenId, days);
  await leaveWord(client, caller.institutionId, 'due', about.word);
};

function refuseUnreadable(request: PlaceRequest, loaded: LoadedConfiguration, day: string): void {
  const { recipientClass, from, to } = request;
  const declared = recipientClassesOf({
    institution: loaded.institution,
    mappings: loaded.mappings.map(({ definition }) => definition),
  });
  const problems = [
    ...(recipientClass === '*' || declared.has(recipientClass)
      ? []
      : [
          {
            pointer: '/recipientClass',
            code: 'unknown',
            detail: `declared are ${[...declared].sort().join(', ')} and *`,
          },
        ]),
    ...(to !== undefined && to < (from ?? day)
      ? [{ pointer: '/to', code: 'invalid', detail: 'it ends before it begins' }]
      : []),
  ];
  if (problems.length > 0) throw validationProblem(problems);
}

const linksOf = (id: string, goldenId: string, standing: boolean): Record<string, string> => {
  const self = linkTo(`restrictions/${id}`);
  const goldenRecord = linkTo(`golden-records/${goldenId}`);
  return {
    self,
    goldenRecord,
    targets: `${goldenRecord}/targets`,
    ...(standing ? { release: `${self}/release` } : {}),
  };
};

const toRestriction = (
  placed: NewRestriction & { readonly id: string; readonly type: string; readonly at: Date; readonly day: string },
): Plain<RestrictionView> => ({
  ...{ id: placed.id, goldenId: placed.goldenId, entityType: placed.type, recipientClass: placed.recipientClass },
  ...{ state: 'standing', from: placed.from, to: placed.to, authority: placed.authority, reason: placed.reason },
  ...{ placedBy: placed.actor, placedAt: placed.at.toISOString() },
  ...{ releasedBy: null, releasedAt: null, releaseReason: null },
  links: linksOf(placed.id, placed.goldenId, true),
});

export const toRestrictionView = (row: RestrictionRow): Plain<RestrictionView> => ({
  ...{ id: row.id, goldenId: row.golden_id, entityType: row.entity_type, recipientClass: row.recipient_class },
  ...{ state: row.state, from: row.valid_from, to: row.valid_to, authority: row.authority, reason: row.reason },
  ...{ placedBy: row.placed_by, placedAt: row.placed_at.toISOString() },
  releasedBy: row.released_by,
  releasedAt: row.released_at?.toISOString() ?? null,
  releaseReason: row.release_reason,
  links: linksOf(row.id, row.golden_id, row.released_at === null),
});
