import type { RunKind, RunState } from '../../domain/run.js';
import type { RunRow } from './run.queries.js';

/** What is needed to say what stopping a run would do. */
interface CancellableRun {
  readonly kind: RunKind;
  readonly state: RunState;
  readonly finished: boolean;
  readonly applyStarted: boolean;
  /** The job keeps what a run wrote that fails or is cancelled. */
  readonly holds: boolean;
}

/** What stopping a run would do, in a word and in words. */
interface CancellationEffect {
  /** `ends`: nothing was changed. `rolls_back`: what was written is taken back. `holds`: what was written stands. `impossible`. */
  readonly effect: 'ends' | 'rolls_back' | 'holds' | 'impossible';
  readonly words: string;
}

/** Pure. A run rolls itself back only if it had begun to write. */
const cancellationOf = (run: CancellableRun): CancellationEffect => {
  if (run.finished) return { effect: 'impossible', words: 'It is over.' };
  if (run.kind === 'rollback' || run.state === 'rollback')
    return {
      effect: 'impossible',
      words: 'It takes back what was written: half of that is nothing that anybody wants.',
    };
  if (run.kind === 'due' && run.state !== 'opened')
    return {
      effect: 'holds',
      words: 'What targets were told already stands; the rest is told by the next run.',
    };
  if (!run.applyStarted) return { effect: 'ends', words: `It has changed nothing yet, and ends.${again(run)}` };
  if (run.holds)
    return {
      effect: 'holds',
      words: `What it wrote stands until somebody rolls it back, as its job says.${again(run)}`,
    };
  return { effect: 'rolls_back', words: `It stops after the step at hand and takes back what it wrote.${again(run)}` };
};

/* What people decided is not forgotten because its run was stopped. */
const again = ({ kind }: CancellableRun): string =>
  kind === 'decision' || kind === 'release'
    ? ' The decision stands, and is carried out again in a while unless it is taken back.'
    : '';

export const effectOf = (run: RunRow): CancellationEffect =>
  cancellationOf({
    kind: run.kind,
    state: run.state,
    finished: run.finished_at !== null,
    applyStarted: run.apply_started,
    holds: run.holds,
  });
