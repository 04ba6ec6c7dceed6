import { readFileSync } from 'node:fs';
import pg from 'pg';

/** What a process has used so far. */
export interface Usage {
  readonly cpuSeconds: number;
  /** The most memory it ever held, in MiB. */
  readonly peakMiB: number;
}

const ticksASecond = 100;

/** Of another process, from Linux's own books; null elsewhere. */
export const usageOf = (pid: number): Usage | null => {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { cpuSeconds: ticks / ticksASecond, peakMiB: Number(peak?.[1] ?? 0) / 1024 };
  } catch {
    return null;
  }
};

/** Seconds that the work took. */
export const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};

/** The value in the middle. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
};

/** The value below which so many of a hundred lie. */
export const percentile = (values: readonly number[], hundredths: number): number => {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil((sorted.length * hundredths) / 100) - 1)] ?? 0;
};

/** A connection for as long as the work takes. */
export const connected = async <T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

export const seconds = (value: number): string => `${value.toFixed(2)} s`;

/** One line of the closing table. */
export interface Figure {
  readonly job: string;
  readonly floor: string;
  readonly ours: string;
  readonly ratio: string;
  readonly goal: string;
  readonly met: boolean | null;
  readonly worker: string;
  /** What was found in the target; a figure without it is void. */
  readonly content: string;
}

/** The median of ratios, and how far they are apart. */
export const spreadOf = (ratios: readonly number[]): string =>
  `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}, ${String(ratios.length)} pairs)`;

/** Times of pairs as a figure; the ratio is the median of the pairs' own ratios. */
export const pairFigure = (
  job: string,
  pairs: readonly { readonly floor: number; readonly ours: number }[],
  facts: { readonly most: number; readonly usage: Usage | null; readonly content: string },
): Figure => {
  const ratios = pairs.map(({ floor, ours }) => ours / floor);
  return {
    job,
    floor: seconds(median(pairs.map(({ floor }) => floor))),
    ours: seconds(median(pairs.map(({ ours }) => ours))),
    ratio: spreadOf(ratios),
    goal: `≤ ${String(facts.most)}`,
    met: median(ratios) <= facts.most,
    worker: wordsOf(facts.usage),
    content: facts.content,
  };
};

export const wordsOf = (usage: Usage | null): string =>
  usage === null ? 'not known here' : `${usage.cpuSeconds.toFixed(1)} s CPU, ${usage.peakMiB.toFixed(0)} MiB peak`;

/** What was used between two readings. */
export const between = (before: Usage | null, after: Usage | null): Usage | null =>
  before === null || after === null
    ? null
    : { cpuSeconds: after.cpuSeconds - before.cpuSeconds, peakMiB: after.peakMiB };
