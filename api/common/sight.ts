import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { Observable } from 'rxjs';
import type { Hub, Work } from '../../database/hub.js';
import type { Clock } from '../../platform/clock.js';
import { findCaller, type Caller } from './caller.js';
import type { HttpRequest } from './http.js';

/* Whoever asks, for everything that is done for them. Personal records are shown by policies of the database; this tells it once a
   transaction who looks. What is done for no request (or before the guard has let it in) sees no personal records. */

const sight = new AsyncLocalStorage<Caller | null>();

/** Does what a handler does in the sight of its caller. */
@Injectable()
export class SightInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const caller = findCaller(context.switchToHttp().getRequest<HttpRequest>());
    return new Observable((subscriber) => sight.run(caller, () => next.handle().subscribe(subscriber)));
  }
}

/** The hub as handlers have it: it shows each caller the records that they may see. */
export const withSight = (hub: Hub, clock: Clock): Hub => {
  const shown =
    <T>(work: Work<T>): Work<T> =>
    async (client) => {
      await showTo(client, sight.getStore() ?? null, clock.now());
      return await work(client);
    };
  return {
    ...hub,
    transaction: (institutionId, work, options) => hub.transaction(institutionId, shown(work), options),
    read: (institutionId, work, options) => hub.read(institutionId, shown(work), options),
    bulk: (institutionId, work, options) => hub.bulk(institutionId, shown(work), options),
  };
};

const showTo = async (client: PoolClient, caller: Caller | null, now: Date): Promise<void> => {
  if (caller === null) {
    await client.query(`select set_config('concord.organisations', '{}', true)`);
    return;
  }
  const { role, organisations } = caller;
  // Stewards see everything; so there is nothing to say.
  if (role === 'steward' && organisations.length === 0) return;
  await client.query('select concord.show_to($1, $2, $3)', [role, organisations, now]);
};
