import { jest } from '@jest/globals';
import type pg from 'pg';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import { stagingOf } from '../../database/staging.js';
import type { CorroborationKeys } from '../../domain/canonical-record.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import { judgeHit } from '../../domain/identity.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { TestDatabase } from '../harness/database.js';
import { openStores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

jest.setTimeout(120_000);

interface Options {
  readonly shared?: boolean;
  /** Authority rules, so that all records are merged by the core. */
  readonly ruled?: boolean;
  /** Only the first system. */
  readonly alone?: boolean;
}

/** People of two systems with an identifier, a name and a birth date. */
const configurationOf = (code: string, url: string, options: Options): Configuration => {
  const person: EntityTypeDefinition = {
    name: 'person',
    kind: 'mastered',
    subject: 'self',
    identifiers: [{ scheme: 'number', ...(options.shared === true ? { shared: true } : {}) }],
    corroboration: { name: ['name'], birthDate: 'born' },
    groups: ['name', 'born', 'phone'].map((name) => ({
      name,
      attributes: [{ name, type: name === 'born' ? ('date' as const) : ('text' as const) }],
      strategy: 'three_way' as const,
      priority: ['one', 'two'],
      ...(options.ruled === true ? { authority: [{ systems: ['one', 'two'] }] } : {}),
    })),
  };
  const systems = options.alone === true ? ['one'] : ['one', 'two'];
  return {
    institution: { code, name: code, timeZone: 'UTC' },
    systems: systems.map((name) => ({ name, kind: 'postgresql', settings: { url } })),
    entityTypes: [person],
    mappings: systems.map((name) => ({
      name: `${name}.${code}_${name}`,
      system: name,
      entity: `${code}_${name}`,
      source: {
        columns: ['id', 'number', 'name', 'born', 'phone'],
        key: ['id'],
        records: [
          {
            entityType: 'person',
            groups: {
              name: { from: 'name' },
              born: { from: 'born' },
              phone: { from: 'phone', blank: 'empty' as const },
            },
            identifiers: { number: { from: 'number' } },
          },
        ],
      },
    })),
    codeTables: [],
    jobs: [{ name: 'all', sources: systems.map((name) => `${name}.${code}_${name}`), targets: [], partitions: 1 }],
  };
};

interface Row {
  readonly id: string;
  readonly number: string | null;
  readonly name: string | null;
  readonly born: string | null;
  readonly phone: string | null;
}

/** Rows in which each value is missing now and then, and names take escaping. */
const variousRows = (count: number): Row[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `k${index}`,
    number: index % 3 === 0 ? null : `n${index}`,
    name: index % 5 === 0 ? null : `Name "${index}"\\ ${'ä'.repeat(index % 4)}`,
    born: index % 4 === 0 ? null : '1990-01-01',
    phone: index % 2 === 0 ? null : `${index}`,
  }));

describe('matching and merging of people, set-based', () => {
  let database: TestDatabase;
  let hub: Hub;
  let systems: pg.Client;
  let close: () => Promise<void>;

  beforeAll(async () => {
    ({ database, hub, systems, close } = await openStores());
  });
  afterAll(() => close());

  /** Runs each of the loads (system → rows) as one run and returns the institution. */
  const play = async (
    code: string,
    options: Options,
    loads: readonly Readonly<Record<string, readonly Row[]>>[],
  ): Promise<number> => {
    for (const name of ['one', 'two']) {
      await systems.query(
        `create table public.${code}_${name} (id text primary key, number text, name text, born text, phone text)`,
      );
    }
    const { institutionId } = await applyConfiguration(hub, configurationOf(code, database.url, options), 'test');
    const jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
    const conductor = new DirectConductor(directActivities(hub));
    for (const load of loads) {
      for (const [name, rows] of Object.entries(load)) {
        for (const row of rows) {
          await systems.query(`insert into public.${code}_${name} values ($1, $2, $3, $4, $5)`, [
            row.id,
            row.number,
            row.name,
            row.born,
            row.phone,
          ]);
        }
      }
      await conductor.sync(institutionId, jobId);
    }
    return institutionId;
  };

  const names: Readonly<Record<string, string | null>> = { same: 'Ann Lee', other: 'Bob Roe', none: null };
  const births: Readonly<Record<string, string | null>> = { same: '2004-02-28', other: '2001-01-01', none: null };
  const pairs = Object.keys(names).flatMap((name) => Object.keys(births).map((born) => [name, born] as const));

  it.each([
    ['an identifier', false],
    ['a shared address', true],
  ])('links by %s as the core judges', async (_what, shared) => {
    const code = shared ? 'addr' : 'ident';
    const rows = pairs.map(([name, born], index) => ({
      one: { id: `a${index}`, number: `n${index}`, name: 'Ann Lee', born: '2004-02-28', phone: null },
      two: { id: `b${index}`, number: `n${index}`, name: names[name] ?? null, born: births[born] ?? null, phone: null },
    }));
    const institutionId = await play(code, { shared }, [
      { one: rows.map(({ one }) => one) },
      { two: rows.map(({ two }) => two) },
    ]);
    const found = await hub.read(institutionId, async (client) => {
      const { rows: images } = await client.query<{ key: string; golden: string; asked: boolean }>(
        `select i.source_key as key, i.golden_id::text as golden, exists (select 1 from sync_conflict_resolutions c where c.golden_id = i.golden_id and c.kind = 'duplicate') as asked
         from record_images i`,
      );
      return new Map(images.map((image) => [image.key, image]));
    });
    for (const [index, { two }] of rows.entries()) {
      const known: CorroborationKeys = { name: 'ann lee', birthDate: '2004-02-28' };
      const arriving: CorroborationKeys = {
        name: two.name === null ? null : two.name.toLowerCase(),
        birthDate: two.born,
      };
      const linked = found.get(`b${index}`)?.golden === found.get(`a${index}`)?.golden;
      const asked = found.get(`b${index}`)?.asked === true;
      expect({ two, verdict: linked ? 'link' : asked ? 'question' : 'different' }).toEqual({
        two,
        verdict: judgeHit({ shared }, arriving, known),
      });
    }
  });

  it('merges a lone new record in SQL as the core does', async () => {
    const rows = variousRows(60);
    const outcome = async (institutionId: number): Promise<unknown> =>
      hub.read(institutionId, async (client) => {
        const { rows: records } = await client.query<Record<string, unknown>>(
          `select i.source_key, g.version, g.values, coalesce(g.versions, array(select case when v is null then 0 else 1 end from unnest(g.values) v)) as versions,
             g.status, g.subject_key = g.id as own, i.states, i.settled_version, i.settled, i.raw, i.raw_hash, i.main, i.match_name, i.match_birth,
             (select array_agg(d.scheme || d.value) from record_identifiers d where d.image_id = i.id) as identifiers
           from record_images i join golden_records g on g.id = i.golden_id order by i.source_key`,
        );
        return records;
      });
    const inSql = await outcome(await play('lone', {}, [{ one: rows }]));
    const inCore = await outcome(await play('core', { ruled: true }, [{ one: rows }]));
    expect(inSql).toEqual(inCore);
    expect(inSql).toHaveLength(60);
  });

  it('merges lone changes in SQL as the core does, and they roll back alike', async () => {
    const rows = variousRows(80);
    const digits = `substr(id, 2)::integer`;
    // Values that change, come, go and stay; rows of which nothing changes but their text; identifiers; one source more.
    const changes = [
      `update TABLE set phone = 'p' || id where ${digits} % 3 = 0`,
      `update TABLE set name = coalesce(name, 'New \\ "' || id), phone = null, number = 'm' || id where ${digits} % 7 < 3`,
      `update TABLE set name = case when ${digits} % 2 = 0 then null else 'Other' end, born = coalesce(born, '1991-02-03') where ${digits} % 5 < 2`,
      `update TABLE set name = '  ' || name, phone = phone || phone where ${digits} % 11 < 6`,
    ];
    const loneAt: number[] = [];
    const outcome = (institutionId: number): Promise<unknown> =>
      hub.read(institutionId, async (client) => {
        const { rows: records } = await client.query<Record<string, unknown>>(
          `select i.source_key, g.version, g.values, coalesce(g.versions, array(select case when v is null then 0 else 1 end from unnest(g.values) v)) as versions,
             g.status, g.subject_key = g.id as own, g.origin_image = i.id as origin, g.origins, g.sticky, g.valid_from, g.updated_run - g.created_run as age,
             coalesce(i.statements, g.values) as statements, i.states, i.settled_version, i.settled, i.untold, i.deleted_run, i.raw, i.raw_hash, i.read_hash, i.main,
             i.match_name, i.match_birth, i.last_run - i.created_run as image_age, i.read_run - i.created_run as read_age, i.published_version,
             (select array_agg(d.scheme || d.value order by d.scheme, d.value) from record_identifiers d where d.image_id = i.id) as identifiers,
             (select json_agg(json_build_array(v.version, v.values, v.versions, v.origin_image = i.id, v.superseded_run - i.created_run) order by v.version)
              from golden_record_versions v where v.golden_id = g.id) as former,
             (select json_agg(json_build_array(e.kind, e.run_id - i.created_run, e.before_version, e.after_version, e.outcome,
                 e.before - $1::text[], e.after - $1::text[]) order by e.run_id, e.kind)
              from change_set_entries e where (e.kind, e.row_id) in (('image', i.id), ('golden', g.id))) as entries
           from record_images i join golden_records g on g.id = i.golden_id order by i.source_key`,
          // What differs between two institutions, and statements, which are derived where they are not kept.
          [
            'id golden_id institution_id system_id mapping_id entity_type_id subject_key created_run last_run read_run statements identifiers'.split(
              ' ',
            ),
          ],
        );
        const counted = await client.query<Record<string, unknown>>(
          `select counts -> 'rows' as rows, (select json_agg(json_build_array(f.kind, f.field) order by f.kind, f.field) from findings f where f.run_id = r.id) as findings,
             (select json_agg(c.kind || c.state order by c.kind, c.state) from sync_conflict_resolutions c where c.opened_run = r.id) as questions
           from sync_runs r order by r.id`,
        );
        return { records, runs: counted.rows };
      });
    const history = async (code: string, options: Options): Promise<unknown[]> => {
      const institutionId = await play(code, options, [{ one: rows }]);
      const jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
      const activities = directActivities(hub);
      const conductor = new DirectConductor({
        ...activities,
        apply: async (run, type) => {
          const planned = await hub.read(institutionId, (client) =>
            client.query<{ lone: string }>(`select count(lone_ord) as lone from ${stagingOf(run.runId).plan(type)}`),
          );
          loneAt.push(Number(planned.rows[0]?.lone));
          return activities.apply(run, type);
        },
      });
      const stages: unknown[] = [];
      const runs: string[] = [];
      for (const change of changes) {
        await systems.query(change.replaceAll('TABLE', `public.${code}_one`));
        runs.push(await conductor.sync(institutionId, jobId));
        stages.push(await outcome(institutionId));
      }
      for (const run of runs.reverse().slice(0, 2)) {
        await conductor.rollback(institutionId, jobId, run);
        stages.push(await outcome(institutionId));
      }
      return stages;
    };
    const inCore = await history('corechg', { ruled: true });
    expect(loneAt).toEqual([0, 0, 0, 0]);
    // Looked at before they are planned; then, of one system, when they are applied.
    expect(await history('lonechg', {})).toEqual(inCore);
    expect(await history('solechg', { alone: true })).toEqual(inCore);
    const [looked, taken] = [loneAt.slice(4, 8), loneAt.slice(8)];
    expect(looked.map((lone) => lone > 10)).toEqual([true, true, true, true]);
    expect(looked.some((lone, index) => lone < (taken[index] ?? 0))).toBe(true);
  });

  it('finds records that another run made after all of its own were found to be new', async () => {
    const code = 'beside';
    const configured = configurationOf(code, database.url, {});
    const jobs = ['one', 'two'].map((name) => ({
      name,
      sources: [`${name}.${code}_${name}`],
      targets: [],
      partitions: 1,
    }));
    const { institutionId } = await applyConfiguration(hub, { ...configured, jobs }, 'test');
    for (const name of ['one', 'two']) {
      await systems.query(
        `create table public.${code}_${name} as select '${name}' || i as id, 'n' || i as number, 'Ann ' || i as name, '2004-02-28' as born, null::text as phone
         from generate_series(1, 5) i`,
      );
      await systems.query(`alter table public.${code}_${name} add primary key (id)`);
    }
    const ids = new Map(
      (await loadConfiguration(hub, institutionId)).jobs.map(({ id, definition }) => [definition.name, id]),
    );
    const activities = directActivities(hub);
    let between = 0;
    const conductor = new DirectConductor({
      ...activities,
      apply: async (run, type) => {
        between += 1;
        await new DirectConductor(directActivities(hub)).sync(institutionId, ids.get('two') ?? 0);
        return activities.apply(run, type);
      },
    });
    await conductor.sync(institutionId, ids.get('one') ?? 0);
    expect(between).toBe(1);
    await hub.read(institutionId, async (client) => {
      const { rows } = await client.query(
        `select array_agg(i.source_key order by i.source_key) as keys from record_images i group by i.golden_id order by 1`,
      );
      expect(rows).toEqual([1, 2, 3, 4, 5].map((number) => ({ keys: [`one${number}`, `two${number}`] })));
    });
  });

  it('holds a known key that arrives as another person, and lets an ordinary change through', async () => {
    const rows: Row[] = ['a', 'b'].map((id) => ({ id, number: id, name: 'Ann Lee', born: '2004-02-28', phone: null }));
    const institutionId = await play('ident2', {}, [{ one: rows }]);
    await systems.query(`update public.ident2_one set name = 'Bob Roe', born = '2001-01-01' where id = 'a'`);
    await systems.query(`update public.ident2_one set name = 'Ann Roe' where id = 'b'`);
    const jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
    const run = await new DirectConductor(directActivities(hub)).sync(institutionId, jobId);
    await hub.read(institutionId, async (client) => {
      const held = await client.query(
        `select c.kind, i.source_key as key from sync_conflict_resolutions c join record_images i on i.id = c.image_id where c.state = 'open'`,
      );
      expect(held.rows).toEqual([{ kind: 'identity', key: 'a' }]);
      const golden = await client.query<{ name: string }>(
        `select g.values[1] as name from golden_records g join record_images i on i.golden_id = g.id order by i.source_key`,
      );
      expect(golden.rows.map(({ name }) => name)).toEqual(['"Ann Lee"', '"Ann Roe"']);
      const counts = await client.query<{ rows: Record<string, number> }>(
        `select counts -> 'rows' as rows from sync_runs where id = $1`,
        [run],
      );
      expect(counts.rows[0]?.rows).toMatchObject({ extracted: 2, held: 1, changed: 1 });
    });
  });
});
