import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { say } from '../languages/say.js';
import type { HttpReply } from './http.js';
import { Problem } from './problem.js';

/** Classes of routes: reading, changing, starting work, and signing in (with which refused keys count too). */
export type RateClass = 'read' | 'write' | 'work' | 'signIn';
export type Rates = Readonly<Record<RateClass, number>>;

const windowSeconds = 60;
const names: Readonly<Record<RateClass, string>> = { read: 'read', write: 'write', work: 'work', signIn: 'sign-in' };

/** How many requests a minute a caller may make, of each class of route. Counted in this process: a request costs no round trip, and
 *  of several processes each admits its part (docs/decisions/0021). */
export class RateLimits {
  private readonly limiters: Readonly<Record<RateClass, RateLimiterMemory>>;

  constructor(rates: Rates, processes: number) {
    const limiter = (rate: number): RateLimiterMemory =>
      new RateLimiterMemory({ points: Math.max(1, Math.floor(rate / processes)), duration: windowSeconds });
    this.limiters = {
      read: limiter(rates.read),
      write: limiter(rates.write),
      work: limiter(rates.work),
      signIn: limiter(rates.signIn),
    };
  }

  /** Counts a request and says on the reply how many are left. @throws Problem rate_limited where none was */
  async take(reply: HttpReply, of: RateClass, who: string): Promise<void> {
    const limiter = this.limiters[of];
    const taken = await limiter.consume(who).catch((refusal: unknown) => {
      if (refusal instanceof RateLimiterRes) return refusal;
      throw refusal;
    });
    const limit = limiter.points;
    const seconds = Math.max(1, Math.ceil(taken.msBeforeNext / 1000));
    const remaining = String(taken.remainingPoints);
    reply
      .header('ratelimit-policy', `"${names[of]}";q=${limit};w=${windowSeconds}`)
      .header('ratelimit', `"${names[of]}";r=${remaining};t=${seconds}`)
      .header('x-ratelimit-limit', String(limit))
      .header('x-ratelimit-remaining', remaining)
      .header('x-ratelimit-reset', String(seconds));
    if (taken.consumedPoints <= limit) return;
    throw new Problem('rate_limited', say('rate_limited.wait', { limit, seconds }), {
      headers: { 'retry-after': String(seconds) },
    });
  }
}
