import { setTimeout as pause } from 'node:timers/promises';

/** Asks again and again until the answer is not null. @throws Error after the time is over, with what was waited for */
export async function until<T>(what: string, seconds: number, ask: () => Promise<T | null>): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (Date.now() > deadline) throw new Error(`${what} was waited for ${String(seconds)} s in vain.`);
    await pause(80);
  }
}
