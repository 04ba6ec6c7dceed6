import { createHash, randomBytes } from 'node:crypto';
import type { PoolClient } from 'pg';
import type { Hub } from '../../database/hub.js';
import type { Caller } from '../common/caller.js';

const lifeMilliseconds = 60_000;

export interface Ticket {
  readonly ticket: string;
  readonly expiresAt: Date;
}

/** A ticket lets its holder begin one stream of events within a minute: for clients that cannot send a header. Only its hash is
 *  stored. */
export const issueTicket = async (client: PoolClient, caller: Caller, now: Date): Promise<Ticket> => {
  const ticket = `ticket_${randomBytes(24).toString('base64url')}`;
  const expiresAt = new Date(now.getTime() + lifeMilliseconds);
  await client.query(
    'insert into concord.event_tickets (secret_hash, institution_id, caller, expires_at) values ($1, $2, $3, $4)',
    [hashOf(ticket), caller.institutionId, JSON.stringify(holderOf(caller)), expiresAt],
  );
  return { ticket, expiresAt };
};

/** Whom a ticket lets in; null: it is unknown, used or too old. It is used now. */
export const redeemTicket = async (hub: Hub, ticket: string, now: Date): Promise<Caller | null> =>
  hub.system(async (client) => {
    const { rows } = await client.query<{ caller: Caller | null }>('select concord.redeem_ticket($1, $2) as caller', [
      hashOf(ticket),
      now,
    ]);
    return rows[0]?.caller ?? null;
  });

/* What a stream needs to know of whoever watches; of a session no more than whom it was of. */
const holderOf = ({ institutionId, role, actor, organisations }: Caller): Caller => ({
  ...{ institutionId, role, actor, organisations },
});

const hashOf = (ticket: string): string => createHash('sha256').update(ticket).digest('hex');
