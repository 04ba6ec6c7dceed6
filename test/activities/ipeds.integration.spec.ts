import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import { createHub, type Hub } from '../../database/hub.js';
import type { Configuration } from '../../domain/job-definition.js';
import { createDatabase } from '../harness/database.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';
import { readSampleConfiguration } from '../samples/configuration.js';

jest.setTimeout(300_000);

const corpus = join(process.env['CONCORD_CORPUS'] ?? '../shared/data', 'ipeds');
const isThere = existsSync(join(corpus, 'hd2018.csv'));
if (!isThere)
  process.stderr.write(`SKIPPED: the register of institutions: there is no corpus at ${corpus} (CONCORD_CORPUS)\n`);

/** The US register of institutions, 2018 then 2019: real rows, a real year between them. */
(isThere ? describe : describe.skip)('the register of institutions', () => {
  const folder = mkdtempSync(join(tmpdir(), 'concord-ipeds-'));
  const [incoming, outgoing] = [join(folder, 'incoming'), join(folder, 'outgoing')];
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let hub: Hub;
  let conductor: DirectConductor;
  let institutionId = 0;
  let jobId = 0;

  const deliver = (year: number): void => {
    mkdirSync(join(incoming, String(year)), { recursive: true });
    copyFileSync(join(corpus, `hd${year}.csv`), join(incoming, String(year), 'hd.csv'));
  };
  const register = (): Buffer => readFileSync(join(outgoing, 'register.csv'));
  const original = (year: number): Buffer => readFileSync(join(corpus, `hd${year}.csv`));
  const one = <T extends object>(sql: string): Promise<T> =>
    hub.read(institutionId, async (client) => {
      const { rows } = await client.query<T>(sql);
      const [row] = rows;
      if (row === undefined) throw new Error(`no row: ${sql}`);
      return row;
    });
  const rowsOf = (runId: string): Promise<{ rows: Record<string, number> }> =>
    one(`select counts -> 'rows' as rows from sync_runs where id = ${runId}`);
  const decide = (kind: 'release' | 'discard'): Promise<string> =>
    hub.transaction(institutionId, async (client) => {
      const { rows } = await client.query<{ id: string; run: string }>(
        `select id::text, run_id::text as run from held_changes where state = 'held'`,
      );
      const batch = await client.query<{ id: string }>(
        `insert into decision_batches (institution_id, job_id, kind, parent_run_id, actor) values ($1, $2, $3, $4, 'test') returning id::text`,
        [institutionId, jobId, kind, rows[0]?.run],
      );
      const id = batch.rows[0]?.id ?? '';
      await client.query(`update held_changes set state = $2, batch_id = $3 where id = $1`, [
        rows[0]?.id,
        kind === 'release' ? 'released' : 'discarded',
        id,
      ]);
      return id;
    });

  beforeAll(async () => {
    database = await createDatabase();
    for (const path of [incoming, outgoing]) mkdirSync(path, { recursive: true });
    hub = createHub({ url: database.url, role: 'concord_worker', max: 8 });
    const configuration = await readSampleConfiguration('ipeds');
    const located: Configuration = {
      ...configuration,
      systems: configuration.systems.map((system) => ({
        ...system,
        settings: { ...system.settings, incoming, outgoing },
      })),
    };
    institutionId = (await applyConfiguration(hub, located, 'test')).institutionId;
    jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
    conductor = new DirectConductor(directActivities(hub));
    conductor.parentOf = async (_institution, batchId) =>
      (
        await one<{ parent: string | null }>(
          `select parent_run_id::text as parent from decision_batches where id = ${batchId}`,
        )
      ).parent;
  });

  afterAll(async () => {
    await hub.close();
    await database.drop();
  });

  let second = '';

  it('takes 6,857 institutions of 2018 and writes the register byte for byte', async () => {
    deliver(2018);
    const run = await conductor.sync(institutionId, jobId);
    expect((await rowsOf(run)).rows).toMatchObject({ extracted: 6857, new: 6857, rejected: 0 });
    expect(register().equals(original(2018))).toBe(true);
  });

  it('finds 130 new and 230 changed in 2019 and holds the 428 that are gone', async () => {
    deliver(2019);
    second = await conductor.sync(institutionId, jobId);
    expect((await rowsOf(second)).rows).toMatchObject({
      extracted: 6559,
      missing: 428,
      new: 130,
      changed: 230,
      held: 428,
      unchanged: 6199,
    });
    expect(
      await one(`select cause, operation, row_count::integer as rows from held_changes where state = 'held'`),
    ).toEqual({
      cause: 'limit',
      operation: 'delete',
      rows: 428,
    });
    expect(register().toString('latin1').trimEnd().split('\r\n')).toHaveLength(1 + 6987);
  });

  it('writes the register of 2019 once the removals are released', async () => {
    await conductor.settle(institutionId, jobId, await decide('release'), 'release');
    expect(register().equals(original(2019))).toBe(true);
  });

  it('does nothing with the same file again', async () => {
    const run = await conductor.sync(institutionId, jobId);
    expect((await rowsOf(run)).rows).toMatchObject({ extracted: 0, new: 0, changed: 0, missing: 0 });
    expect(register().equals(original(2019))).toBe(true);
  });

  it('rolls the run and its release back: the register is byte for byte as before', async () => {
    const undo = await conductor.rollback(institutionId, jobId, second);
    expect(register().equals(original(2018))).toBe(true);
    expect(await one(`select count(*)::integer as kept from findings where run_id = ${undo}`)).toEqual({ kept: 0 });
  });

  it('holds the same year as one question when it comes again', async () => {
    const run = await conductor.sync(institutionId, jobId);
    expect((await rowsOf(run)).rows).toMatchObject({ extracted: 6559, held: 130 + 230 + 428, unchanged: 6199 });
    expect(
      await one(`select count(*)::integer as held, min(cause) as cause from held_changes where state = 'held'`),
    ).toEqual({
      held: 1,
      cause: 'rolled_back_input',
    });
    expect(register().equals(original(2018))).toBe(true);
  });
});
