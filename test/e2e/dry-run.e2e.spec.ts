import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { changesOf } from '../../activities/run-plan.js';
import type { ChangeCounts, RunPlan } from '../../domain/run-plan.js';
import { dryRun, syncRun } from '../../workflows/index.js';
import { workflowIds } from '../../workflows/messages.js';
import type { RunResult } from '../../workflows/messages.js';
import { OwnWorkers } from '../workflows/own-workers.js';
import { Campus } from './campus.js';

/* What a dry run says is what the run then does, and it changes nothing: over PostgreSQL, tables and files, and Temporal. */

jest.setTimeout(120_000);

/* What a dry run keeps of itself stands there, under its own id. */
const ofRuns = ['run_chunks', 'run_leases', 'run_samples', 'events'];

describe('a dry run', () => {
  let campus: Campus;
  let workers: OwnWorkers;
  let started = 0;

  beforeAll(async () => {
    campus = await Campus.open({ students: 120, employees: 60, both: 30 });
    workers = await OwnWorkers.start(campus.hub);
  });
  afterAll(async () => {
    await workers.close();
    await campus.close();
  });

  const begin = async (workflow: typeof dryRun | typeof syncRun, jobId: number): Promise<RunResult> => {
    started += 1;
    const { client, scope } = workers;
    const workflowId =
      workflow === dryRun
        ? workflowIds.dryRun(jobId, String(started), scope)
        : workflowIds.syncRun(jobId, String(started), scope);
    return await client.workflow.execute(workflow, {
      workflowId,
      taskQueue: `sync-io${scope}`,
      args: [{ institutionId: campus.institutionId, jobId, actor: 'test', asOf: '2026-09-01' }],
    });
  };

  /* Every row of every table but those that tell of the run itself, the places of sequences, the target's tables and the file. */
  const digests = async (but: string | null): Promise<Record<string, unknown>> => {
    const tables = await campus.asOwner<{ name: string }>(
      `select relname as name from pg_class where relnamespace = 'concord'::regnamespace and relkind = 'r' order by 1`,
    );
    const found: Record<string, unknown> = {};
    for (const { name } of tables) {
      const own = ofRuns.includes(name) ? 't.run_id' : name === 'sync_runs' ? 't.id' : 'null::bigint';
      const [row] = await campus.asOwner<{ digest: string | null }>(
        `select md5(string_agg(t::text, '|' order by t::text)) as digest from concord.${name} t where ${own} is distinct from $1`,
        [but ?? '0'],
      );
      found[name] = row?.digest ?? null;
    }
    const sequences = await campus.asOwner<{ name: string; last_value: string }>(
      `select sequencename as name, last_value::text from pg_sequences where schemaname = 'concord'
         and sequencename not in ('sync_runs_id_seq', 'events_id_seq', 'event_positions') order by 1`,
    );
    return {
      ...found,
      sequences,
      table: await campus.tableRows(),
      file: campus.fileText(),
      paid: await campus.payments(),
    };
  };

  const planOf = async (runId: string): Promise<RunPlan> => {
    const [row] = await campus.asOwner<{ counts: { plan: RunPlan } }>(
      'select counts from concord.sync_runs where id = $1',
      [runId],
    );
    if (row === undefined) throw new Error(`there is no run ${runId}`);
    return row.counts.plan;
  };

  /* A dry run that is checked to have changed nothing, and the run that follows it. */
  const rehearse = async (job: Parameters<Campus['job']>[0]): Promise<{ plan: ChangeCounts; done: ChangeCounts }> => {
    const before = await digests(null);
    const dry = await begin(dryRun, campus.job(job));
    expect(dry.state).toBe('completed');
    expect(await digests(dry.runId)).toEqual(before);
    const { leftOut, ...plan } = await planOf(dry.runId ?? '');
    expect(leftOut).toEqual([]);
    const real = await begin(syncRun, campus.job(job));
    const { questions, held, rejected, goldenWrites, targetWrites } = real;
    const { state: _, ...told } = dry;
    expect(told).toMatchObject({ questions, held, rejected, goldenWrites, targetWrites });
    const done = await campus.hub.read(campus.institutionId, (client) =>
      changesOf(client, { runId: real.runId ?? '' }),
    );
    return { plan, done };
  };

  test('of a first load tells every record and every row that comes', async () => {
    campus.addStudent({ family: '' });
    campus.addStudent({ hidden: 'yes' });
    await campus.storeStudents();
    const { plan, done } = await rehearse('all');
    expect(plan).toEqual(done);
    expect(plan.records).toEqual([{ entityType: 'person', insert: 151, update: 0, delete: 0 }]);
    expect(plan.targets).toEqual([
      { mapping: 'finance.persons', insert: 151, update: 0, delete: 0, differs: 0, withheld: 0 },
      { mapping: 'web.people', insert: 150, update: 0, delete: 0, differs: 0, withheld: 0 },
    ]);
    expect(plan.rejected).toEqual([
      { kind: 'rejected', mapping: 'sis.students', reason: 'family_given', field: 'family', rows: 1 },
    ]);
  });

  test('keeps samples of what changes, before and after', async () => {
    const [first] = [...campus.students.values()];
    if (first === undefined) throw new Error('there is nobody');
    campus.students.set(first.id, { ...first, phone: 'phone of a sample' });
    await campus.storeStudents();
    const dry = await begin(dryRun, campus.job('students'));
    const samples = await campus.asOwner<{ kind: string; operation: string; before: object; after: object }>(
      `select kind, operation, before, after from concord.run_samples where run_id = $1 and after::text like '%phone of a sample%'
         and before::text not like '%phone of a sample%' order by 1, mapping_id`,
      [dry.runId],
    );
    expect(samples.map(({ kind, operation }) => `${kind} ${operation}`)).toEqual([
      'golden update',
      'target update',
      'target update',
    ]);
  });

  test('of later changes tells questions, held changes and what ends', async () => {
    campus.students.delete([...campus.students.keys()].at(-1) ?? '');
    await campus.change();
    const [both] = [...campus.students.values()];
    if (both === undefined) throw new Error('there is nobody');
    // Both sides change one person's name; somebody else comes with a number that is taken.
    campus.students.set(both.id, { ...both, family: 'Ours' });
    for (const [key, employee] of campus.employees)
      if (employee.nid === both.nid) campus.employees.set(key, { ...employee, family: 'Theirs' });
    const taken = [...campus.students.values()].at(-3);
    campus.addEmployee({ nid: taken?.nid ?? '', given: 'Another', family: 'Person' });
    await campus.storeStudents();
    campus.deliver();
    // Deliveries are taken one after the other.
    await begin(syncRun, campus.job('students'));
    const { plan, done } = await rehearse('all');
    expect(plan).toEqual(done);
    const later = await rehearse('all');
    expect(later.plan).toEqual(later.done);
    expect([...plan.questions, ...later.plan.questions].length).toBeGreaterThan(0);
    for (const id of [...campus.students.keys()].slice(0, 120)) campus.students.delete(id);
    await campus.storeStudents();
    const held = await rehearse('all');
    expect(held.plan).toEqual(held.done);
    expect(held.plan.held).toMatchObject([{ cause: 'limit', operation: 'delete', mapping: 'sis.students' }]);
  });

  test('tells what would be posted, and a later run posts it', async () => {
    await campus.pay(25);
    const { plan, done } = await rehearse('payments');
    expect(plan).toEqual(done);
    expect(plan.targets).toMatchObject([{ mapping: 'finance.payments', insert: 25 }]);
    const { source, target } = await campus.payments();
    expect(target).toEqual(source);
  });

  test('goes on beside a run of the same job, and leaves nothing behind', async () => {
    await campus.asOwner(
      `insert into concord.sync_runs (institution_id, job_id, kind, workflow_id, actor, as_of, state)
       values ($1, $2, 'sync', 'occupies', 'test', '2026-09-01', 'extract')`,
      [campus.institutionId, campus.job()],
    );
    expect(await begin(syncRun, campus.job())).toMatchObject({ state: 'skipped' });
    expect(await begin(dryRun, campus.job())).toMatchObject({ state: 'completed' });
    await campus.asOwner(`delete from concord.sync_runs where workflow_id = 'occupies'`);
    expect(await campus.stagingTables()).toEqual([]);
    expect(await campus.asOwner(`select nspname from pg_namespace where nspname like 'dry_run%'`)).toEqual([]);
  });
});
