import type { Connector, TargetEntity } from '../connectors/capabilities.js';
import { SyncError } from '../domain/errors.js';
import type { RunRef } from '../domain/run.js';
import { copyOut } from '../platform/copy.js';
import { candidateQuery, hasMerged, type Candidate } from './candidates.js';
import type { InstitutionContext, MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import type { Lease } from './lease.js';
import { parsed } from './merge.js';
import type { Judged, TargetJudge } from './projecting.js';

/** Everything that publishing to one target needs. */
export interface Publishing {
  readonly dependencies: ActivityDependencies;
  readonly run: RunRef;
  readonly lease: Lease;
  readonly context: InstitutionContext;
  readonly mapping: MappingRef;
  readonly judge: TargetJudge;
  readonly connector: Connector;
  readonly target: TargetEntity;
  readonly asOf: string;
  readonly baseline: boolean;
}

export interface PublishCounts {
  written: number;
  already: number;
  differs: number;
  refused: number;
  withheld: number;
}

/** Golden ids from the first to the last, both included. */
export type GoldenRange = readonly [first: bigint, last: bigint];

export const isWithin = (goldenId: string, ranges: readonly GoldenRange[]): boolean => {
  if (ranges.length === 0) return false;
  const id = BigInt(goldenId);
  return ranges.some(([first, last]) => first <= id && id <= last);
};

/** Whether records among the candidates became part of others. */
export const anyMerged = ({ dependencies, run, mapping }: Publishing): Promise<boolean> =>
  dependencies.hub.read(run.institutionId, (client) => hasMerged(client, run, mapping));

/** Candidates in pages of golden ids, each judged; those in the ranges are done. `merged`: some became part of others, and come first:
 *  their rows make room for those. */
export async function* judgedPages(
  publishing: Publishing,
  size: number,
  merged: boolean,
  done: readonly GoldenRange[] = [],
): AsyncGenerator<Judged & { goldenId: string }, void, undefined> {
  if (merged) yield* judgedOf(publishing, size, done, 'merged');
  yield* judgedOf(publishing, size, done, merged ? 'others' : 'all');
}

async function* judgedOf(
  publishing: Publishing,
  size: number,
  done: readonly GoldenRange[],
  which: 'merged' | 'others' | 'all',
): AsyncGenerator<Judged & { goldenId: string }, void, undefined> {
  const { dependencies, run, context, mapping, judge } = publishing;
  let after = '0';
  for (;;) {
    const page = await dependencies.hub.read(run.institutionId, async (client) => {
      const found: (Judged & { goldenId: string })[] = [];
      let last = after;
      for await (const rows of copyOut(client, candidateQuery(run, context, mapping, { after, most: size, which }), {
        signal: dependencies.cancelled(),
      })) {
        for (const row of rows) {
          const candidate = readCandidate(row);
          // A record that stands under several keys in one system is told under the first.
          if (candidate.goldenId === last) continue;
          last = candidate.goldenId;
          if (isWithin(last, done)) continue;
          const judged = judge.judge(candidate);
          if (judged.change !== null || judged.nextDue !== null || judged.problems.length > 0)
            found.push({ ...judged, goldenId: candidate.goldenId });
        }
        dependencies.heartbeat();
      }
      return { found, last };
    });
    yield* page.found;
    if (page.last === after) return;
    after = page.last;
  }
}

const readCandidate = ([goldenId, golden, references, image, restrictions, identifiers]: readonly (
  string | null
)[]): Candidate => {
  const read = parsed<Candidate['golden']>(golden);
  if (goldenId === null || goldenId === undefined || read === null)
    throw new SyncError('internal', 'a candidate without its record');
  return {
    goldenId,
    golden: read,
    references: parsed<Candidate['references']>(references) ?? {},
    image: parsed(image),
    restrictions: parsed(restrictions),
    identifiers: parsed(identifiers),
  };
};
