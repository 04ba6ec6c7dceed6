import type { Client, WorkflowHandle } from '@temporalio/client';
import { Runtime } from '@temporalio/worker';
import type { NativeConnection, WorkflowBundleOption } from '@temporalio/worker';
import { createLog } from '../../platform/log.js';
import { startWorkers, workflowsBundle } from '../../worker/create-worker.js';
import type { RunningWorkers } from '../../worker/create-worker.js';
import type { WorkflowActivities } from '../../workflows/activity-options.js';
import { searchAttributesOf } from '../../workflows/messages.js';
import { uniqueSuffix } from '../harness/temporal.js';
import { fakeActivities } from './fake-activities.js';
import type { FakeActivities } from './fake-activities.js';
import type { Scenario, Stage } from './scenarios.js';

export interface Played {
  readonly fake: FakeActivities;
  readonly handle: Awaited<ReturnType<Scenario['play']>>;
}

/** Workers for many scenarios: draining takes seconds, so a test file has them once. */
export class Theatre {
  private readonly fakes = new Map<number, FakeActivities>();

  private constructor(
    private readonly client: Client,
    readonly scope: string,
    private readonly searchable: boolean,
  ) {}

  private workers: RunningWorkers | null = null;

  /** `searchable`: the server knows our search attributes. */
  static async open(client: Client, connection: NativeConnection, searchable = true): Promise<Theatre> {
    const theatre = new Theatre(client, `.${uniqueSuffix()}`, searchable);
    const activities = theatre.routed();
    theatre.workers = await startWorkers({
      ...{ connection, namespace: 'default', scope: theatre.scope, activities, bundle: await testBundle() },
      log: createLog({ level: 'silent', name: 'test' }),
      crashPoints: { reach: () => undefined },
    });
    return theatre;
  }

  async play(scenario: Scenario): Promise<Played> {
    const fake = scenario.fake();
    const number = this.fakes.size + 1;
    this.fakes.set(number, fake);
    return { fake, handle: await scenario.play(this.stage(number), fake) };
  }

  /** Of what a handle leads to: the first of the executions that continue one another. */
  firstRun(handle: Played['handle']): WorkflowHandle {
    return this.client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId);
  }

  /** For what a scenario had started by others than its stage. */
  handleOf(workflowId: string): Played['handle'] {
    const handle = this.client.workflow.getHandle(workflowId);
    return Object.assign(handle, { firstExecutionRunId: '', eagerlyStarted: false });
  }

  /** Has what an institution's activities are asked go to this fake from now on. */
  cast(institutionId: number, fake: FakeActivities): void {
    this.fakes.set(institutionId, fake);
  }

  async close(): Promise<void> {
    await this.workers?.drain();
  }

  private stage(number: number): Stage {
    const attributes = searchAttributesOf({ institutionId: number, jobId: number, kind: 'sync' });
    return {
      ...{ scope: this.scope, number },
      start: (workflow, { workflowId, queue, args }) =>
        this.client.workflow.start(workflow.name, {
          ...{ workflowId, taskQueue: queue + this.scope },
          ...(this.searchable ? { typedSearchAttributes: attributes } : {}),
          args: [...args],
        }),
    };
  }

  /* An activity belongs to the scenario whose institution its first argument names. */
  private routed(): WorkflowActivities {
    const names = Object.keys(fakeActivities().activities) as (keyof WorkflowActivities)[];
    const entries = names.map((name): [string, unknown] => [
      name,
      async (first: number | { institutionId: number }, ...rest: unknown[]): Promise<unknown> => {
        const fake = this.fakes.get(typeof first === 'number' ? first : first.institutionId);
        const activity = fake?.activities[name] as ((...args: unknown[]) => Promise<unknown>) | undefined;
        if (activity === undefined) throw new Error(`nobody plays ${name}`);
        return await activity(first, ...rest);
      },
    ]);
    return Object.fromEntries(entries) as unknown as WorkflowActivities;
  }
}

let bundle: Promise<WorkflowBundleOption> | undefined;

/** The workflows' bundle, made once a test file. */
export const testBundle = (): Promise<WorkflowBundleOption> => (bundle ??= workflowsBundle());

/** Keeps the SDK's own log out of the tests' output. */
export function quietRuntime(): void {
  const quiet = (): void => undefined;
  Runtime.install({
    shutdownSignals: [],
    logger: { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, log: quiet },
  });
}
