import { Inject, Injectable } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import { canonicalJson } from '../../platform/canonical-json.js';
import { hash128 } from '../../platform/hash.js';
import { say } from '../languages/say.js';
import type { Caller } from './caller.js';
import { Answer, headerOf, type HttpRequest } from './http.js';
import { partOf, Problem } from './problem.js';
import { HUB } from './tokens.js';

/** Replies are given again for so long. */
const keptFor = '24 hours';
/** Whoever began and was not heard of for so long is gone; the work itself is safe to begin again. */
const givenUpAfter = '1 minute';

interface StoredReply {
  readonly request_hash: string;
  readonly status: number | null;
  readonly reply: { readonly body: unknown; readonly headers: Readonly<Record<string, string>> } | null;
  readonly expired: boolean;
  readonly given_up: boolean;
}

/** The Idempotency-Key of a request, null where it has none.
 *  @throws Problem validation_failed for one that is none */
export const idempotencyKeyOf = (request: HttpRequest): string | null => {
  const key = headerOf(request, 'idempotency-key');
  if (key === null) return null;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new Problem('validation_failed', say('validation_failed.idempotency_key'), {
    errors: [partOf('Idempotency-Key', 'invalid', { field: 'idempotencyKey', values: {} })],
  });
};

/** @throws Problem idempotency_key_required */
export const requireIdempotencyKey = (request: HttpRequest): string => {
  const key = idempotencyKeyOf(request);
  if (key !== null) return key;
  throw new Problem('idempotency_key_required', say('idempotency_key_required.send'));
};

/** Gives the first reply again where a request is repeated. Only replies of success are kept: after a refusal the same key may
 *  be tried again. The work must be safe to begin again by itself: this table may be lost. */
@Injectable()
export class Idempotency {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

  /** Does the work once for a key; without a key it is just done. */
  async once<Body>(
    caller: Caller,
    request: HttpRequest,
    body: unknown,
    work: () => Promise<Answer<Body>>,
  ): Promise<Answer<unknown>> {
    const key = idempotencyKeyOf(request);
    if (key === null) return await work();
    const hash = hash128(canonicalJson([caller.actor, request.method, request.url, body ?? null]));
    const replayed = await this.begin(caller, key, hash);
    if (replayed !== null) return replayed;
    try {
      const answer = await work();
      await this.keep(caller, key, answer);
      return answer;
    } catch (error) {
      await this.forget(caller, key, hash);
      throw error;
    }
  }

  private async begin(caller: Caller, key: string, hash: string): Promise<Answer<unknown> | null> {
    return await this.hub.transaction(caller.institutionId, async (client) => {
      const inserted = await client.query(
        `insert into concord.idempotency_keys (institution_id, key, request_hash, created_by) values ($1, $2, $3, $4)
         on conflict (institution_id, key) do nothing`,
        [caller.institutionId, key, hash, caller.actor],
      );
      if (inserted.rowCount === 1) return null;
      const found = await client.query<StoredReply>(
        `select request_hash, status, reply, created_at < now() - $3::interval as expired,
           created_at < now() - $4::interval as given_up
         from concord.idempotency_keys where institution_id = $1 and key = $2 for update`,
        [caller.institutionId, key, keptFor, givenUpAfter],
      );
      const stored = found.rows[0];
      if (stored === undefined) throw inFlight();
      if (stored.expired || (stored.status === null && stored.given_up && stored.request_hash === hash)) {
        await client.query(
          `update concord.idempotency_keys set request_hash = $3, status = null, reply = null, created_by = $4, created_at = now()
           where institution_id = $1 and key = $2`,
          [caller.institutionId, key, hash, caller.actor],
        );
        return null;
      }
      return replay(stored, hash);
    });
  }

  private async keep(caller: Caller, key: string, answer: Answer<unknown>): Promise<void> {
    await this.hub.transaction(caller.institutionId, async (client) => {
      await client.query(
        'update concord.idempotency_keys set status = $3, reply = $4 where institution_id = $1 and key = $2',
        [
          caller.institutionId,
          key,
          answer.status ?? 200,
          JSON.stringify({ body: answer.body, headers: answer.headers }),
        ],
      );
    });
  }

  private async forget(caller: Caller, key: string, hash: string): Promise<void> {
    await this.hub.transaction(caller.institutionId, async (client) => {
      await client.query(
        'delete from concord.idempotency_keys where institution_id = $1 and key = $2 and request_hash = $3 and status is null',
        [caller.institutionId, key, hash],
      );
    });
  }
}

function replay(stored: StoredReply, hash: string): Answer<unknown> {
  if (stored.request_hash !== hash) {
    throw new Problem('idempotency_key_reused', say('idempotency_key_reused.other'));
  }
  if (stored.status === null || stored.reply === null) throw inFlight();
  return new Answer(stored.reply.body, {
    status: stored.status,
    headers: { ...stored.reply.headers, 'idempotency-replayed': 'true' },
  });
}

function inFlight(): Problem {
  return new Problem('idempotency_in_flight', say('idempotency_in_flight.first'), { headers: { 'retry-after': '1' } });
}
