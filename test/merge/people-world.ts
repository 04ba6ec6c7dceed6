import pg from 'pg';
import { Decide } from '../../api/conflicts/decide.js';
import type { DecisionChoice } from '../../api/conflicts/choice.js';
import { ChoiceBody } from '../../api/conflicts/conflict.dto.js';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import { createHub, type Hub } from '../../database/hub.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { RecordTemplate } from '../../domain/mapping-definition.js';
import type { Conductor } from './database-world.js';

/* People of two systems with what they belong to, and two targets: for questions whether two are the same. Decisions are made as
   the API makes them. */

const text = (name: string): Configuration['entityTypes'][number]['groups'][number] => ({
  name,
  attributes: [{ name, type: name === 'born' ? 'date' : 'text' }],
  strategy: 'three_way',
  fallback: 'source_priority',
  priority: ['one', 'two'],
});

const records: readonly RecordTemplate[] = [
  {
    entityType: 'person',
    groups: { name: { from: 'name' }, born: { from: 'born' }, phone: { from: 'phone', blank: 'empty' } },
    identifiers: { number: { from: 'number' } },
    restrictions: [{ recipientClass: 'desk', when: { field: 'hidden', equals: 'yes' } }],
  },
  {
    entityType: 'membership',
    when: { field: 'org', is: 'present' },
    groups: { org: { from: 'org' }, role: { from: 'role' } },
    references: { person: {} },
  },
];

const configurationOf = (code: string, url: string): Configuration => ({
  institution: { code, name: code, timeZone: 'UTC' },
  systems: ['one', 'two', 'out'].map((name) => ({ name, kind: 'postgresql', settings: { url } })),
  entityTypes: [
    {
      name: 'person',
      kind: 'mastered',
      subject: 'self',
      identifiers: [{ scheme: 'number' }],
      corroboration: { name: ['name'], birthDate: 'born' },
      groups: ['name', 'born', 'phone'].map(text),
    },
    {
      name: 'membership',
      kind: 'reconciled',
      subject: { reference: 'person' },
      naturalKey: ['person', 'org'],
      groups: [
        {
          name: 'person',
          attributes: [{ name: 'person', type: 'reference', references: 'person' }],
          strategy: 'three_way',
          priority: ['one', 'two'],
        },
        text('org'),
        text('role'),
      ],
    },
  ],
  mappings: [
    ...['one', 'two'].map((name) => ({
      name: `${name}.${code}_${name}`,
      system: name,
      entity: `${code}_${name}`,
      source: {
        columns: ['id', 'number', 'name', 'born', 'phone', 'org', 'role', 'hidden'],
        key: ['id'],
        records,
      },
    })),
    {
      name: `out.${code}_people`,
      system: 'out',
      entity: `${code}_people`,
      target: {
        root: 'person',
        key: [{ column: 'name', from: 'name' }],
        columns: [{ column: 'name' }, { column: 'phone', from: 'phone' }],
        recipientClass: 'desk',
        rollback: 'restore',
      },
    },
    {
      name: `out.${code}_members`,
      system: 'out',
      entity: `${code}_members`,
      target: {
        root: 'membership',
        key: [
          { column: 'name', from: 'person.name' },
          { column: 'org', from: 'org' },
        ],
        columns: [{ column: 'name' }, { column: 'org' }, { column: 'role', from: 'role' }],
        recipientClass: 'desk',
        rollback: 'restore',
      },
    },
  ],
  codeTables: [],
  jobs: [
    {
      name: 'all',
      sources: ['one', 'two'].map((name) => `${name}.${code}_${name}`),
      targets: [`out.${code}_people`, `out.${code}_members`],
      partitions: 1,
    },
  ],
});

export interface Person {
  readonly id: string;
  readonly number?: string;
  readonly name?: string;
  readonly born?: string;
  readonly phone?: string;
  readonly org?: string;
  readonly role?: string;
  readonly hidden?: string;
}

export interface Asked {
  readonly id: string;
  readonly kind: string;
  readonly group: string;
  readonly golden: string;
  readonly version: number;
  readonly suggestion: { readonly choice: unknown; readonly reason: string; readonly confidence: number } | null;
  readonly impact: { readonly targets: readonly { mapping: string; records: number }[]; readonly records: number };
}

export class PeopleWorld {
  institutionId = 0;
  jobId = 0;

  private constructor(
    readonly hub: Hub,
    readonly systems: pg.Client,
    private readonly conductor: Conductor,
    readonly code: string,
  ) {}

  static async open(url: string, code: string, conductorOf: (hub: Hub) => Conductor): Promise<PeopleWorld> {
    const hub = createHub({ url, role: 'concord_worker', max: 8 });
    const systems = new pg.Client({ connectionString: url });
    await systems.connect();
    for (const name of ['one', 'two'])
      await systems.query(
        `create table public.${code}_${name} (id text primary key, number text, name text, born text, phone text, org text, role text, hidden text)`,
      );
    await systems.query(`create table public.${code}_people (name text primary key, phone text)`);
    await systems.query(
      `create table public.${code}_members (name text, org text, role text, primary key (name, org))`,
    );
    const world = new PeopleWorld(hub, systems, conductorOf(hub), code);
    const applied = await applyConfiguration(hub, configurationOf(code, url), 'test');
    world.institutionId = applied.institutionId;
    world.jobId = (await loadConfiguration(hub, applied.institutionId)).jobs[0]?.id ?? 0;
    // Somebody who stays, so that no source is ever empty.
    for (const name of ['one', 'two'] as const) await world.put(name, { id: 'base', name: `Base ${name}` });
    return world;
  }

  async close(): Promise<void> {
    await this.systems.end();
    await this.hub.close();
  }

  async put(system: 'one' | 'two', person: Person): Promise<void> {
    const { id, number, name, born, phone, org, role, hidden } = person;
    await this.systems.query(`delete from public.${this.code}_${system} where id = $1`, [id]);
    await this.systems.query(`insert into public.${this.code}_${system} values ($1, $2, $3, $4, $5, $6, $7, $8)`, [
      ...[id, number ?? null, name ?? null, born ?? null, phone ?? null, org ?? null, role ?? null, hidden ?? 'no'],
    ]);
  }

  sync(): Promise<string> {
    return this.conductor.sync(this.institutionId, this.jobId);
  }

  rollback(runId: string): Promise<string> {
    return this.conductor.rollback(this.institutionId, this.jobId, runId);
  }

  async questions(): Promise<Asked[]> {
    return this.hub.read(this.institutionId, async (client) => {
      const { rows } = await client.query<Asked>(
        `select id::text, kind, group_name as "group", golden_id::text as golden, version, suggestion, impact
         from sync_conflict_resolutions where state = 'open' order by id`,
      );
      return rows;
    });
  }

  /** Decides a question as the API does and has it carried out. */
  async decide(question: Asked, choice: DecisionChoice): Promise<string> {
    const caller = {
      institutionId: this.institutionId,
      actor: 'steward:Test desk',
      role: 'steward' as const,
      organisations: [],
    };
    const { batchId } = await new Decide(this.hub).one(caller, question.id, {
      version: question.version,
      choice: Object.assign(new ChoiceBody(), choice),
    });
    const kind = question.kind === 'identity' ? 'release' : 'decision';
    return this.conductor.settle(this.institutionId, this.jobId, batchId, kind);
  }

  /** Everything that a rollback has to bring back, one line a row. Ids of records that are no more are not compared. */
  async stores(): Promise<Record<string, unknown>> {
    const { code } = this;
    const people = await this.systems.query(`select * from public.${code}_people order by 1`);
    const members = await this.systems.query(`select * from public.${code}_members order by 1, 2`);
    return this.hub.read(this.institutionId, async (client) => {
      const lines = async (sql: string): Promise<unknown[]> => (await client.query<Record<string, unknown>>(sql)).rows;
      return {
        people: people.rows as unknown[],
        members: members.rows as unknown[],
        golden: await lines(
          `select id, values, sticky, valid_from, valid_to, subject_key from golden_records where status = 'active' order by id`,
        ),
        merged: await lines(`select id, merged_into from golden_records where status = 'merged' order by id`),
        references: await lines(
          `select r.golden_id, r.path, r.target_id, r.subject_key from golden_references r
           join golden_records g on g.id = r.golden_id and g.status = 'active' order by 1, 2`,
        ),
        images: await lines(
          `select i.mapping_id, i.entity_type_id, i.source_key, i.sub_key, i.golden_id, i.raw, i.raw_hash, i.statements, i.states, i.untold,
             i.match_name, i.match_birth, i.subject_key from record_images i where i.deleted_run is null order by 1, 2, 3, 4`,
        ),
        identifiers: await lines(
          `select i.mapping_id, i.entity_type_id, i.source_key, d.scheme, d.value, d.subject_key from record_identifiers d
           join record_images i on i.id = d.image_id where i.deleted_run is null order by 1, 2, 3, 4, 5`,
        ),
        restrictions: await lines(
          'select golden_id, recipient_class, released_at is null as stands from restrictions order by 1, 2',
        ),
        questions: await lines(
          `select id, golden_id, kind, group_name, candidates, suggestion, input_hash from sync_conflict_resolutions where state = 'open' order by id`,
        ),
      };
    });
  }

  /** Golden people by name: phone and born. */
  async people(): Promise<unknown[]> {
    return this.hub.read(this.institutionId, async (client) => {
      const { rows } = await client.query<{ line: string }>(
        `select concat_ws(' ', g.values[1], g.values[2], g.values[3],
           '(' || (select string_agg(m.name || '/' || i.source_key, ' ' order by m.name, i.source_key) from record_images i
                   join data_source_configurations m on m.id = i.system_id where i.golden_id = g.id and i.read_run is not null and i.deleted_run is null) || ')') as line
         from golden_records g join entity_types t on t.id = g.entity_type_id and t.name = 'person'
         where g.status = 'active' and g.values[1] not like '"Base%' order by 1`,
      );
      return rows.map(({ line }) => line.replaceAll('"', ''));
    });
  }
}
