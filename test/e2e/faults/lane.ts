import { Client, Connection } from '@temporalio/client';
import type { ChildProgram } from '../../harness/processes.js';
import { temporalAddress, uniqueSuffix } from '../../harness/temporal.js';
import { WorkflowConductor } from '../../merge/workflow-conductor.js';
import { Campus } from '../campus.js';
import type { CampusOptions } from '../campus.js';
import { impatient, startWorkerChild } from '../worker-child.js';
import type { WorkerPlace } from '../worker-child.js';

/** A campus with a worker of its own, which may be told where to die. */
export class Lane {
  private worker: ChildProgram | null = null;
  /** Where the worker at hand is going to die; null: nowhere. */
  private armed: string | null = null;
  private sleeper: ChildProgram | null = null;

  private constructor(
    readonly campus: Campus,
    readonly client: Client,
    readonly conductor: WorkflowConductor,
    readonly scope: string,
    private readonly connection: Connection,
    private readonly address: string,
  ) {}

  static async open(options: CampusOptions = {}, address = temporalAddress()): Promise<Lane> {
    const campus = await Campus.open(options);
    const connection = await Connection.connect({ address });
    const client = new Client({ connection });
    const scope = `.${uniqueSuffix()}`;
    const conductor = new WorkflowConductor({ client, hub: campus.hub, scope, pace: impatient });
    return new Lane(campus, client, conductor, scope, connection, address);
  }

  /** A worker that dies there, or one that lives: the one at hand, if it is such a one. */
  async work(crashAt: string | null = null): Promise<ChildProgram> {
    if (this.worker !== null && this.armed === crashAt) return this.worker;
    await this.worker?.kill9();
    this.armed = crashAt;
    this.worker = await startWorkerChild(this.place, crashAt === null ? {} : { crashAt });
    return this.worker;
  }

  /** A worker that falls asleep there, in place of the one at hand; `work` then starts one beside it. */
  async workUntilAsleep(sleepAt: string): Promise<ChildProgram> {
    await this.worker?.kill9();
    this.worker = null;
    this.sleeper = await startWorkerChild(this.place, { sleepAt });
    return this.sleeper;
  }

  private get place(): WorkerPlace {
    return { databaseUrl: this.campus.concordUrl, temporalAddress: this.address, scope: this.scope };
  }

  async close(): Promise<void> {
    await this.worker?.kill9();
    await this.sleeper?.kill9();
    await this.connection.close();
    await this.campus.close();
  }
}
