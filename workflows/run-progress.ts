import {
  ApplicationFailure,
  CancellationScope,
  condition,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { SearchAttributePair } from '@temporalio/common';
import type { DelayedTarget, RunSummary, StepCounts } from '../activities/contract.js';
import type { RunState, Step } from '../domain/run.js';
import { cancelRun, pause, progress, resume } from './messages.js';
import type { LeftOut, RunProgress } from './messages.js';

/* What each step does, for the operator who looks at the workflow. */
const inWords: Readonly<Record<Step, string>> = {
  extract: 'Reads the sources',
  diff: 'Compares what was read with what each system said before',
  guard: 'Looks for more changes than the limits allow',
  standardize: 'Brings new and changed records into one form and checks them',
  match: 'Finds which records are of the same person or thing',
  merge: 'Weighs what the systems say',
  apply: 'Writes what holds now',
  publish: 'Tells the targets',
  verify: 'Reads back what was written',
  rollback: 'Takes back what was written',
};

/** Where a run stands: answers queries, keeps the Web UI current, lets the run be paused and cancelled from outside. */
export class RunProgressKeeper {
  private runId: string | null = null;
  private state: RunState = 'opened';
  private paused = false;
  private cancelling = false;
  private closing = false;
  private readonly counts: Record<string, number> = {};
  private readonly scope = new CancellationScope({ cancellable: true });
  dropped: LeftOut[] = [];
  delayed: DelayedTarget[] = [];

  constructor(private readonly task: string) {
    setHandler(progress, () => this.snapshot());
    setHandler(resume, () => void (this.paused = false));
    setHandler(
      pause,
      () => {
        this.paused = true;
        return this.snapshot();
      },
      { validator: () => this.refuseWhereClosing() },
    );
    setHandler(
      cancelRun,
      () => {
        this.cancelling = true;
        this.scope.cancel();
        return this.snapshot();
      },
      { validator: () => this.refuseWhereClosing() },
    );
  }

  opened(runId: string): void {
    this.runId = runId;
    this.enter('opened', 'Is open');
  }

  /** Runs the procedure so that `cancelRun` and a cancellation by Temporal end it alike. */
  async cancellable(procedure: () => Promise<void>): Promise<void> {
    await this.scope.run(procedure);
  }

  /** Begins a step, once the run is not paused. `where` says which part of it, in words. */
  async begin(step: Step, where = ''): Promise<void> {
    if (this.paused) {
      this.tell(`Paused before: ${inWords[step]}`);
      await condition(() => !this.paused);
    }
    this.enter(step, where === '' ? inWords[step] : `${inWords[step]}: ${where}`);
  }

  count(step: string, counts: StepCounts): void {
    for (const [name, count] of Object.entries(counts)) {
      const key = `${step}.${name}`;
      this.counts[key] = (this.counts[key] ?? 0) + count;
    }
  }

  /** From here on the run can be neither paused nor cancelled. */
  rollingBack(): void {
    this.closing = true;
    this.enter('rollback', inWords.rollback);
  }

  closes(): void {
    this.closing = true;
  }

  ended(summary: RunSummary): void {
    this.closes();
    this.enter(summary.state, `Over: ${summary.state.replaceAll('_', ' ')}`);
    this.upsert({ key: { name: 'ConcordQuestions', type: 'INT' }, value: summary.questions });
  }

  private enter(state: RunState, words: string): void {
    const moved = state !== this.state || state === 'opened';
    this.state = state;
    this.tell(words);
    if (moved) this.upsert({ key: { name: 'ConcordState', type: 'KEYWORD' }, value: state });
  }

  private tell(words: string): void {
    const run = this.runId === null ? '' : `Run ${this.runId} (page /runs/${this.runId})`;
    const left = [...this.dropped, ...this.delayed].map(({ name, code }) => `left out: ${name} (${code})`);
    setCurrentDetails([this.task, run, `${words}.`, ...left].filter((line) => line !== '').join('\n\n'));
  }

  /* A namespace without our attributes refuses a task that sets one, for ever: so only where the start could set them. */
  private upsert(attribute: SearchAttributePair): void {
    const known = workflowInfo().typedSearchAttributes.get({ name: 'ConcordInstitution', type: 'KEYWORD' });
    if (known !== undefined) upsertSearchAttributes([attribute]);
  }

  private refuseWhereClosing(): void {
    if (!this.closing) return;
    throw ApplicationFailure.nonRetryable('The run is over or takes itself back.', 'state_forbids');
  }

  private snapshot(): RunProgress {
    return {
      runId: this.runId,
      state: this.state,
      paused: this.paused,
      cancelling: this.cancelling,
      counts: { ...this.counts },
      ...this.leftOut(),
    };
  }

  /** What this run goes without, by names and codes. */
  leftOut(): { readonly dropped: readonly LeftOut[]; readonly delayed: readonly LeftOut[] } {
    return { dropped: [...this.dropped], delayed: this.delayed.map(({ name, code }) => ({ name, code })) };
  }
}
