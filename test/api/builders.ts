import type { Configuration } from '../../domain/job-definition.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import { applyConfiguration } from '../../database/configuration-store.js';
import { indexNames } from '../../database/name-index.js';
import { hash128 } from '../../platform/hash.js';
import type { ApiHarness } from './api-harness.js';

export const person: EntityTypeDefinition = {
  name: 'person',
  kind: 'mastered',
  subject: 'self',
  groups: [
    {
      name: 'name',
      attributes: [
        { name: 'given', type: 'text' },
        { name: 'family', type: 'text' },
      ],
      strategy: 'three_way',
      priority: ['sis', 'hr'],
    },
    { name: 'email', attributes: [{ name: 'email', type: 'text' }], strategy: 'three_way', priority: ['hr', 'sis'] },
    {
      name: 'tax_number',
      attributes: [{ name: 'tax_number', type: 'text' }],
      strategy: 'three_way',
      priority: ['hr'],
      sensitivity: 'sensitive',
    },
    { name: 'start', attributes: [{ name: 'start', type: 'date' }], strategy: 'three_way', priority: ['hr'] },
  ],
  identifiers: [{ scheme: 'staff_number' }],
  corroboration: { name: ['name.given', 'name.family'] },
};

export const staffMapping: MappingDefinition = {
  name: 'hr.staff',
  system: 'hr',
  entity: 'staff',
  source: {
    columns: ['id', 'given', 'family', 'email', 'start'],
    key: ['id'],
    records: [
      {
        entityType: 'person',
        groups: {
          name: { given: { from: 'given' }, family: { from: 'family' } },
          email: { from: 'email', steps: [{ use: 'trim' }] },
          start: { from: 'start', steps: [{ use: 'date', formats: ['YYYY-MM-DD'] }] },
        },
        identifiers: { staff_number: { from: 'id' } },
      },
    ],
    rules: [
      { name: 'family_is_there', field: 'family', severity: 'reject', check: 'required' },
      { name: 'email_is_an_email', field: 'email', severity: 'blank_and_warn', check: 'type', type: 'email' },
      { name: 'email_is_unique', field: 'email', severity: 'warn', check: 'unique' },
    ],
  },
};

export const configuration: Configuration = {
  institution: { code: 'lakeside', name: 'Lakeside', timeZone: 'Europe/London' },
  systems: [
    { name: 'sis', kind: 'postgresql', settings: { url: { env: 'CONCORD_SECRET_SIS' } } },
    { name: 'hr', kind: 'csv', settings: { folder: '/data/hr' }, owner: 'hr-office' },
    { name: 'finance', kind: 'postgresql', settings: { url: { env: 'CONCORD_SECRET_FINANCE' } } },
  ],
  entityTypes: [person],
  codeTables: [],
  mappings: [
    staffMapping,
    {
      name: 'sis.students',
      system: 'sis',
      entity: 'students',
      source: {
        columns: ['id', 'family', 'email'],
        key: ['id'],
        records: [{ entityType: 'person', groups: { email: { from: 'email' } } }],
      },
    },
    {
      name: 'finance.people',
      system: 'finance',
      entity: 'people',
      target: {
        root: 'person',
        key: [{ column: 'staff_number', identifier: 'staff_number' }],
        columns: [{ column: 'staff_number' }, { column: 'family', from: 'name.family' }],
        recipientClass: 'statutory',
      },
    },
  ],
  jobs: [{ name: 'people', sources: ['sis.students', 'hr.staff'], targets: ['finance.people'] }],
};

/** What the tests seed: rows as the engine would leave them. */
export class World {
  private constructor(
    readonly api: ApiHarness,
    readonly jobId: number,
    readonly mappingIds: Readonly<Record<string, number>>,
    private readonly systemIds: Readonly<Record<string, number>>,
    private readonly typeIds: Readonly<Record<string, number>>,
  ) {}

  get typeId(): number {
    return this.typeIds['person'] ?? 0;
  }

  static async build(api: ApiHarness, given: Configuration = configuration): Promise<World> {
    await applyConfiguration(api.hub, given, 'test');
    await applyConfiguration(
      api.hub,
      { ...configuration, institution: { code: 'elsewhere', name: 'Elsewhere', timeZone: 'UTC' } },
      'test',
    );
    const ids = async (table: string): Promise<Record<string, number>> => {
      const { rows } = await api.owner.query<{ id: number; name: string }>(
        `select id, name from ${table} where institution_id = $1`,
        [api.institutionId],
      );
      return Object.fromEntries(rows.map(({ id, name }) => [name, id]));
    };
    const [jobs, mappings, systems, types] = await Promise.all([
      ids('synchronization_jobs'),
      ids('cross_system_mappings'),
      ids('data_source_configurations'),
      ids('entity_types'),
    ]);
    return new World(api, jobs['people'] ?? 0, mappings, systems, types);
  }

  async run(
    facts: {
      state?: string;
      kind?: string;
      parent?: string;
      finished?: boolean;
      counts?: object;
      error?: string;
      actor?: string;
      workflowId?: string;
      jobId?: number | null;
    } = {},
  ): Promise<string> {
    const { state = 'completed', kind = 'sync', finished = true } = facts;
    return await this.insert(
      `insert into sync_runs (institution_id, job_id, kind, parent_run_id, workflow_id, actor, as_of, state, counts, error_code, finished_at)
       values ($1, $2, $3, $4, $5, $6, '2026-11-20', $7, $8, $9, case when $10 then now() end) returning id`,
      [
        this.api.institutionId,
        facts.jobId === undefined ? this.jobId : facts.jobId,
        kind,
        facts.parent ?? null,
        facts.workflowId ?? `${kind}-run/${Math.random()}`,
        facts.actor ?? 'schedule',
        state,
        JSON.stringify(facts.counts ?? {}),
        facts.error ?? null,
        finished,
      ],
    );
  }

  async golden(
    run: string,
    facts: {
      values?: readonly (string | null)[];
      version?: number;
      versions?: readonly number[];
      origins?: readonly (string | null)[];
      sticky?: readonly number[];
      updatedRun?: string;
      status?: string;
      type?: string;
      /** Whose record it is; null: nobody's. Default: its own. */
      subject?: string | null;
      validFrom?: string;
      validTo?: string;
    } = {},
  ): Promise<string> {
    const id = await this.insert(
      `with made as (select nextval('golden_ids') as id)
       insert into golden_records (id, institution_id, entity_type_id, version, values, versions, origins, sticky, status, created_run, updated_run,
         valid_from, valid_to, subject_key)
       select id, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, case when $13 then id else $14 end from made returning id`,
      [
        ...[this.api.institutionId, this.typeIds[facts.type ?? 'person'], facts.version ?? 1],
        facts.values ?? ['{"family":"Okafor","given":"Amara"}', '"amara@old.example"', null, null],
        ...[
          facts.versions ?? null,
          facts.origins ?? null,
          facts.sticky ?? null,
          facts.status ?? 'active',
          run,
          facts.updatedRun ?? run,
        ],
        ...[facts.validFrom ?? null, facts.validTo ?? null, facts.subject === undefined, facts.subject ?? null],
      ],
    );
    await indexNames(this.api.hub, this.api.institutionId, { runId: facts.updatedRun ?? run });
    return id;
  }

  /** A reference of one golden record to another. */
  async reference(goldenId: string, path: string, targetId: string): Promise<void> {
    await this.api.owner.query(
      `insert into golden_references (golden_id, path, target_id, institution_id) values ($1, $2, $3, $4)`,
      [goldenId, path, targetId, this.api.institutionId],
    );
  }

  async image(
    run: string,
    goldenId: string,
    facts: { mapping?: string; key?: string; raw?: readonly (string | null)[] | null } = {},
  ): Promise<string> {
    const { mapping = 'hr.staff', key = 'E-77', raw = null } = facts;
    const system = this.systemIds[mapping.split('.')[0] ?? ''];
    return await this.insert(
      `insert into record_images (id, institution_id, system_id, mapping_id, entity_type_id, source_key, golden_id, raw, mapping_version, created_run, last_run)
       values (nextval('image_ids'), $1, $2, $3, $4, $5, $6, $7, 1, $8, $8) returning id`,
      [
        this.api.institutionId,
        system,
        this.mappingIds[mapping],
        this.typeIds['person'],
        key,
        goldenId,
        raw === null ? null : JSON.stringify(raw),
        run,
      ],
    );
  }

  async identifier(imageId: string, scheme: string, value: string): Promise<void> {
    await this.api.owner.query(
      `insert into record_identifiers (institution_id, entity_type_id, scheme, value, image_id) values ($1, $2, $3, $4, $5)`,
      [this.api.institutionId, this.typeIds['person'], scheme, value, imageId],
    );
  }

  async question(
    run: string,
    goldenId: string,
    facts: { kind?: string; group?: string; candidates?: readonly object[]; version?: number; dueAt?: string } = {},
  ): Promise<string> {
    const { kind = 'value', group = kind === 'value' ? 'email' : '' } = facts;
    const candidates = facts.candidates ?? [
      { value: '"amara@hr.example"', images: ['1'], systems: ['hr'] },
      { value: '"amara@sis.example"', images: ['2'], systems: ['sis'] },
    ];
    return await this.insert(
      `insert into sync_conflict_resolutions (institution_id, job_id, opened_run, changed_run, kind, entity_type_id, golden_id, group_name, base, candidates,
         input_hash, version, due_at)
       values ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning id`,
      [
        ...[
          this.api.institutionId,
          this.jobId,
          run,
          kind,
          this.typeIds['person'],
          goldenId,
          group,
          '"amara@old.example"',
          JSON.stringify(candidates),
        ],
        ...[hash128(String(Math.random())), facts.version ?? 1, facts.dueAt ?? null],
      ],
    );
  }

  async held(
    run: string,
    facts: { operation?: string; cause?: string; keys?: readonly string[] } = {},
  ): Promise<string> {
    const { operation = 'delete', cause = 'limit', keys = ['E-1', 'E-2'] } = facts;
    await this.api.owner.query(`update held_changes set state = 'withdrawn' where state = 'held'`);
    const mapping = this.mappingIds['hr.staff'];
    const id = await this.insert(
      `insert into held_changes (institution_id, job_id, run_id, mapping_id, cause, operation, row_count, base_count, reason, input_hash)
       values ($1, $2, $3, $4, $5, $6, 212, 1900, 'more than the limit of 10%', $7) returning id`,
      [this.api.institutionId, this.jobId, run, mapping, cause, operation, hash128(String(Math.random()))],
    );
    await this.api.owner.query(
      `insert into held_rows (held_id, mapping_id, source_key, operation, institution_id) select $1, $2, key, 'delete', $3 from unnest($4::text[]) as k (key)`,
      [id, mapping, this.api.institutionId, keys],
    );
    return id;
  }

  async rejected(run: string, count = 1): Promise<void> {
    await this.api.owner.query(
      `insert into rejected_records (institution_id, run_id, mapping_id, kind, source_key, position, raw, field, rule, reason, detail)
       select $1, $2, $3, 'rejected', 'E-' || n, n::text, '["E-77","Amara",null,null,null]', 'family', 'family_is_there', 'family_is_there', 'a value is required'
       from generate_series(1, $4::int) n`,
      [this.api.institutionId, run, this.mappingIds['hr.staff'], count],
    );
  }

  /** A row of hr.staff that was set aside. */
  async setAside(
    run: string,
    facts: { raw?: readonly (string | null)[] | string; key?: string; reason?: string; kind?: string } = {},
  ): Promise<string> {
    const { raw = ['E-77', 'Amara', '', 'amara@hr.example', '2026-01-01'], reason = 'family_is_there' } = facts;
    return await this.insert(
      `insert into rejected_records (institution_id, run_id, mapping_id, kind, source_key, position, raw, field, reason, detail)
       values ($1, $2, $3, $4, $5, '', $6, 'family', $7, 'a value is required') returning id`,
      [
        ...[this.api.institutionId, run, this.mappingIds['hr.staff'], facts.kind ?? 'rejected', facts.key ?? 'E-77'],
        ...[typeof raw === 'string' ? raw : JSON.stringify(raw), reason],
      ],
    );
  }

  async finding(run: string, kind: string, system = 'hr'): Promise<void> {
    await this.api.owner.query(
      `insert into findings (institution_id, run_id, kind, system_id, detail) values ($1, $2, $3, $4, 'in words')`,
      [this.api.institutionId, run, kind, this.systemIds[system]],
    );
  }

  async count(sql: string, ...values: unknown[]): Promise<number> {
    const { rows } = await this.api.owner.query<{ count: number }>(`select count(*)::int as count from ${sql}`, values);
    return rows[0]?.count ?? 0;
  }

  private async insert(sql: string, values: readonly unknown[]): Promise<string> {
    const { rows } = await this.api.owner.query<{ id: string }>(sql, [...values]);
    return rows[0]?.id ?? '';
  }
}
