import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import { createHub } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
import type { Configuration } from '../../domain/job-definition.js';
import { balances } from '../../domain/run.js';
import type { RowCounts } from '../../domain/run.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';

/* A small institution for fault tests: students in PostgreSQL, employees in CSV files, some people both; one table and one whole
   file receive everybody. What the stores have to hold can be computed from what the sources say. */

export interface Student {
  readonly id: string;
  readonly nid: string;
  readonly given: string;
  readonly family: string;
  readonly phone: string;
  /** `yes`: not in the directory. */
  readonly hidden: string;
}

export interface Employee {
  readonly staff_no: string;
  readonly nid: string;
  readonly given: string;
  readonly family: string;
  readonly email: string;
}

export interface CampusOptions {
  readonly students?: number;
  readonly employees?: number;
  /** Of the employees, how many are students too. */
  readonly both?: number;
  /** Another database as ours, for those who end its server. */
  readonly concordUrl?: string;
}

export const employeeColumns = ['staff_no', 'nid', 'given', 'family', 'email'] as const;

interface Places {
  readonly sourceUrl: string;
  readonly targetUrl: string;
  readonly incoming: string;
  readonly outgoing: string;
}

/** Everything of one institution: its systems, its stores, and how they ought to be. */
export class Campus {
  readonly students = new Map<string, Student>();
  readonly employees = new Map<string, Employee>();
  institutionId = 0;
  private jobs = new Map<string, number>();
  private deliveries = 0;
  private made = 0;

  private constructor(
    readonly hub: Hub,
    readonly concordUrl: string,
    /** As the owner: sees every institution. */
    private owner: pg.Client,
    readonly source: pg.Client,
    readonly target: pg.Client,
    readonly places: Places,
    private readonly databases: readonly TestDatabase[],
    private readonly folder: string,
  ) {}

  static async open(options: CampusOptions = {}): Promise<Campus> {
    const own = options.concordUrl === undefined ? [await createDatabase()] : [];
    const [source, target] = [await createDatabase({ empty: true }), await createDatabase({ empty: true })];
    const folder = mkdtempSync(join(tmpdir(), 'campus-'));
    const [incoming, outgoing] = [join(folder, 'in'), join(folder, 'out')];
    for (const path of [incoming, outgoing]) mkdirSync(path);
    const concordUrl = options.concordUrl ?? own[0]?.url ?? '';
    const campus = new Campus(
      createHub({ url: concordUrl, role: 'concord_worker', max: 8 }),
      concordUrl,
      await connected(concordUrl),
      await connected(source.url),
      await connected(target.url),
      { sourceUrl: source.url, targetUrl: target.url, incoming, outgoing },
      [...own, source, target],
      folder,
    );
    await campus.prepare(options);
    return campus;
  }

  async close(): Promise<void> {
    await this.hub.close();
    for (const client of [this.owner, this.source, this.target]) await client.end().catch(() => undefined);
    for (const database of this.databases) await database.drop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** After our server was killed. */
  async reconnect(): Promise<void> {
    await this.owner.end().catch(() => undefined);
    for (;;) {
      try {
        this.owner = await connected(this.concordUrl);
        return;
      } catch {
        // It is replaying its log.
        await pause(20);
      }
    }
  }

  job(name: 'all' | 'students' | 'employees' | 'payments' = 'all'): number {
    const id = this.jobs.get(name);
    if (id === undefined) throw new Error(`there is no job ${name}`);
    return id;
  }

  get directory(): string {
    return join(this.places.outgoing, 'people.csv');
  }

  /** Changes, adds and takes away some of both sources, so that the next run has work in every step. */
  async change(): Promise<void> {
    const changed = [...this.students.values()].filter((_, index) => index % 50 === this.made % 5);
    for (const student of changed) this.students.set(student.id, { ...student, phone: `phone ${this.next()}` });
    const lonely = [...this.students.values()].find(
      ({ nid }) => ![...this.employees.values()].some((one) => one.nid === nid),
    );
    if (lonely !== undefined) this.students.delete(lonely.id);
    for (let count = 0; count < 2; count += 1) this.addStudent();
    const [first] = [...this.employees.values()].filter((_, index) => index === this.made % this.employees.size);
    if (first !== undefined) this.employees.set(first.staff_no, { ...first, email: `mail-${this.next()}@example.edu` });
    this.addEmployee();
    await this.storeStudents();
    this.deliver();
  }

  addStudent(over: Partial<Student> = {}): Student {
    const number = this.next();
    const student = {
      ...{ id: `s${number}`, nid: `n${number}`, given: `Given${number}`, family: `Family${number}` },
      ...{ phone: `phone ${number}`, hidden: 'no', ...over },
    };
    this.students.set(student.id, student);
    return student;
  }

  addEmployee(over: Partial<Employee> = {}): Employee {
    const number = this.next();
    const employee = {
      ...{ staff_no: `e${number}`, nid: `n${number}`, given: `Given${number}`, family: `Family${number}` },
      ...{ email: `mail-${number}@example.edu`, ...over },
    };
    this.employees.set(employee.staff_no, employee);
    return employee;
  }

  /** Writes to the table what differs, in one transaction. */
  async storeStudents(): Promise<void> {
    const rows = JSON.stringify([...this.students.values()]);
    const all = 'jsonb_populate_recordset(null::students, $1::jsonb)';
    await this.source.query('begin');
    await this.source.query(`delete from students s where not exists (select 1 from ${all} n where n.id = s.id)`, [
      rows,
    ]);
    await this.source.query(
      `insert into students select * from ${all} on conflict (id) do update set nid = excluded.nid, given = excluded.given,
         family = excluded.family, phone = excluded.phone, hidden = excluded.hidden
       where students is distinct from excluded`,
      [rows],
    );
    await this.source.query('commit');
  }

  /** Delivers all employees, or what is given in their place; with a manifest that says so, or another. */
  deliver(content: string | Buffer = this.employeesFile(), manifest: object | string = { complete: true }): string {
    this.deliveries += 1;
    const name = String(this.deliveries).padStart(4, '0');
    const folder = join(this.places.incoming, name);
    mkdirSync(folder);
    writeFileSync(join(folder, 'manifest.json'), typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
    writeFileSync(join(folder, 'employees.csv'), content);
    return name;
  }

  employeesFile(): string {
    const lines = [...this.employees.values()].map((one) => employeeColumns.map((column) => one[column]).join(','));
    return [employeeColumns.join(','), ...lines, ''].join('\r\n');
  }

  /** Everybody once, as the targets are to say it, by national id. */
  truth(): Map<string, readonly (string | null)[]> {
    const people = new Map<string, readonly (string | null)[]>();
    for (const { nid, given, family, email } of this.employees.values()) {
      people.set(nid, [nid, given, family, null, email]);
    }
    for (const { nid, given, family, phone } of this.students.values()) {
      people.set(nid, [nid, given, family, phone, people.get(nid)?.[4] ?? null]);
    }
    return people;
  }

  /** What ought to be and what is: golden records, images, table and file. Equal where nothing is lost and nothing doubled. */
  async compare(): Promise<{ readonly wanted: Stores; readonly found: Stores }> {
    const people = [...this.truth().values()].sort(byFirst);
    const hidden = new Set([...this.students.values()].filter((one) => one.hidden === 'yes').map(({ nid }) => nid));
    const listed = people.filter(([nid]) => !hidden.has(nid ?? '')).map((cells) => cells.map((cell) => cell ?? ''));
    return {
      wanted: {
        golden: people.length,
        images: { students: this.students.size, employees: this.employees.size },
        table: people,
        file: listed,
      },
      found: {
        golden: await this.count(`concord.golden_records where status = 'active'`),
        images: {
          students: await this.imagesOf('sis.students'),
          employees: await this.imagesOf('hr.employees'),
        },
        table: (await this.tableRows()).sort(byFirst),
        file: this.fileRows(),
      },
    };
  }

  /** Everything that a rollback has to bring back: all but versions, run ids and times. One line a row. */
  async stores(): Promise<Record<string, readonly string[]>> {
    const lines = async (sql: string): Promise<string[]> =>
      (await this.owner.query<Record<string, unknown>>(sql)).rows.map((row) => JSON.stringify(Object.values(row)));
    return {
      golden: await lines(
        `select id, values, sticky, valid_from, valid_to from concord.golden_records where status = 'active' order by id`,
      ),
      images: await lines(
        `select m.name, i.source_key, i.golden_id, i.raw, i.raw_hash, i.statements, i.states, i.untold
         from concord.record_images i join concord.cross_system_mappings m on m.id = i.mapping_id
         where i.deleted_run is null order by 1, 2`,
      ),
      identifiers: await lines(
        `select i.mapping_id, i.source_key, d.scheme, d.value from concord.record_identifiers d
         join concord.record_images i on i.id = d.image_id where i.deleted_run is null order by 1, 2, 3, 4`,
      ),
      questions: await lines(
        `select golden_id, kind, group_name, candidates, input_hash from concord.sync_conflict_resolutions
         where state = 'open' order by 1, 2, 3`,
      ),
      restrictions: await lines(
        'select golden_id, recipient_class, released_at is null from concord.restrictions order by 1, 2, 3',
      ),
      table: (await this.tableRows()).sort(byFirst).map((row) => JSON.stringify(row)),
      // A file that was not there before a run stands without lines after its rollback.
      file: this.fileText().split('\r\n').slice(1, -1),
    };
  }

  /** Has a mapping read a column under another name, as somebody would who mends it. */
  async renameColumn(mapping: string, from: string, to: string): Promise<void> {
    const configuration = configurationOf(this.places);
    const renamed = (text: string): string => text.replaceAll(`"from":"${from}"`, `"from":"${to}"`);
    const mappings = configuration.mappings.map((one) => {
      if (one.name !== mapping || one.source === undefined) return one;
      const columns = one.source.columns.map((column) => (column === from ? to : column));
      const records = JSON.parse(renamed(JSON.stringify(one.source.records))) as typeof one.source.records;
      return { ...one, source: { ...one.source, columns, records } };
    });
    await applyConfiguration(this.hub, { ...configuration, mappings }, 'test');
  }

  /** Many students at once, and nothing else. */
  async enrolMany(count: number): Promise<void> {
    for (let made = 0; made < count; made += 1) this.addStudent();
    await this.storeStudents();
  }

  async everyPhone(prefix: string): Promise<void> {
    for (const student of this.students.values())
      this.students.set(student.id, { ...student, phone: `${prefix} ${student.id}` });
    await this.storeStudents();
  }

  /** From here on one of our tables refuses rows for which this holds, each time, until it is told to `admit` them. */
  async refuse(table: string, condition: string): Promise<void> {
    await this.owner.query(`
      create or replace function public.refuse() returns trigger language plpgsql as
        $$ begin raise exception 'refused by a test' using errcode = '22000'; end $$;
      create trigger refuse before insert or update on concord.${table} for each row when (${condition}) execute function public.refuse()`);
  }

  /** What the owner of the tables finds, or does. */
  async asOwner<Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return (await this.owner.query<Row>(sql, [...values])).rows;
  }

  async admit(table: string): Promise<void> {
    await this.owner.query(`drop trigger refuse on concord.${table}`);
  }

  /** A row of the outbox, as the API writes it. */
  async announce(topic: string, subject: string): Promise<void> {
    await this.owner.query('insert into concord.outbox (institution_id, topic, subject) values ($1, $2, $3)', [
      this.institutionId,
      topic,
      subject,
    ]);
    await this.owner.query('notify concord_outbox');
  }

  async versionOf(nid: string): Promise<number> {
    const { rows } = await this.owner.query<{ version: number }>(
      `select version from concord.golden_records where values[2] = $1 and status = 'active'`,
      [JSON.stringify(nid)],
    );
    return rows[0]?.version ?? 0;
  }

  /** New payments at the source; they are posted, never merged. */
  async pay(count: number): Promise<void> {
    await this.source.query(
      `insert into payments select $1 || n, n / 4.0, date '2026-01-01' + n % 28 from generate_series(1, $2::integer) n`,
      [`p${this.next()}-`, count],
    );
  }

  /** What was taken out of the target is cancelled at the source too: coming again, it would be held. */
  async cancelUnposted(): Promise<void> {
    const { rows } = await this.target.query<{ no: string }>('select no from payments');
    await this.source.query('delete from payments where no <> all ($1::text[])', [rows.map(({ no }) => no)]);
  }

  /** The payments of both sides, as they stand. */
  async payments(): Promise<{ readonly source: readonly unknown[]; readonly target: readonly unknown[] }> {
    const sql = 'select no, amount::text, booked_on::text from payments order by no';
    return { source: (await this.source.query(sql)).rows, target: (await this.target.query(sql)).rows };
  }

  /** A decision batch in which a person sets a value, as the API writes it. */
  async override(nid: string, group: string, value: string): Promise<string> {
    return await this.hub.transaction(this.institutionId, async (client) => {
      const found = await client.query<{ id: string }>(
        `select id::text from golden_records where values[2] = $1 and status = 'active'`,
        [JSON.stringify(nid)],
      );
      const items = [{ goldenId: found.rows[0]?.id, group, value: JSON.stringify(value) }];
      const batch = await client.query<{ id: string }>(
        `insert into decision_batches (institution_id, job_id, kind, actor, items)
         values ($1, $2, 'override', 'test', $3) returning id::text`,
        [this.institutionId, this.job(), JSON.stringify(items)],
      );
      return batch.rows[0]?.id ?? '';
    });
  }

  /** The row counts of a run, with whether they balance. */
  async countsOf(runId: string): Promise<RowCounts & { readonly balanced: boolean }> {
    const { rows } = await this.owner.query<{ counts: { rows: RowCounts } }>(
      'select counts from concord.sync_runs where id = $1',
      [runId],
    );
    const counts = rows[0]?.counts.rows;
    if (counts === undefined) throw new Error(`run ${runId} has no counts`);
    return { ...counts, balanced: balances(counts) };
  }

  async stagingTables(): Promise<readonly string[]> {
    const { rows } = await this.owner.query<{ name: string }>(
      `select relname as name from pg_class where relnamespace = 'staging'::regnamespace and relkind = 'r'`,
    );
    return rows.map(({ name }) => name);
  }

  async findings(runId: string): Promise<readonly { readonly kind: string; readonly detail: string }[]> {
    const { rows } = await this.owner.query<{ kind: string; detail: string }>(
      'select distinct kind, detail from concord.findings where run_id = $1 order by 1, 2',
      [runId],
    );
    return rows;
  }

  async rejected(runId: string): Promise<readonly { readonly key: string | null; readonly reason: string }[]> {
    const { rows } = await this.owner.query<{ key: string | null; reason: string }>(
      `select source_key as key, reason from concord.rejected_records where run_id = $1 and kind = 'rejected' order by 2, 1, id`,
      [runId],
    );
    return rows;
  }

  async tableRows(): Promise<(readonly (string | null)[])[]> {
    const { rows } = await this.target.query<(string | null)[]>({
      text: 'select nid, given, family, phone, email from persons',
      rowMode: 'array',
    });
    return rows;
  }

  fileText(): string {
    try {
      return readFileSync(this.directory, 'utf8');
    } catch {
      return '';
    }
  }

  async count(from: string): Promise<number> {
    const { rows } = await this.owner.query<{ count: string }>(`select count(*) from ${from}`);
    return Number(rows[0]?.count ?? 0);
  }

  private async imagesOf(mapping: string): Promise<number> {
    return await this.count(
      `concord.record_images i join concord.cross_system_mappings m on m.id = i.mapping_id
       where m.name = '${mapping}' and i.deleted_run is null`,
    );
  }

  private fileRows(): (readonly string[])[] {
    return this.fileText()
      .split('\r\n')
      .slice(1, -1)
      .map((line) => line.split(','));
  }

  private next(): string {
    this.made += 1;
    return String(this.made).padStart(5, '0');
  }

  private async prepare({ students = 300, employees = 120, both = 60 }: CampusOptions): Promise<void> {
    await this.source.query(
      `create table students (id text primary key, nid text, given text, family text, phone text, hidden text)`,
    );
    await this.target.query(
      `create table persons (nid text primary key, given text, family text, phone text, email text)`,
    );
    for (const client of [this.source, this.target])
      await client.query(`create table payments (no text primary key, amount numeric(12, 2), booked_on date)`);
    for (let count = 0; count < students; count += 1) this.addStudent();
    const shared = [...this.students.values()].slice(0, both);
    for (const { nid, given, family } of shared) this.addEmployee({ nid, given, family });
    for (let count = both; count < employees; count += 1) this.addEmployee();
    await this.storeStudents();
    this.deliver();
    const configuration = configurationOf(this.places);
    const { institutionId } = await applyConfiguration(this.hub, configuration, 'test');
    this.institutionId = institutionId;
    const loaded = await loadConfiguration(this.hub, institutionId);
    this.jobs = new Map(loaded.jobs.map((job) => [job.definition.name, job.id]));
  }
}

export interface Stores {
  readonly golden: number;
  readonly images: { readonly students: number; readonly employees: number };
  readonly table: readonly (readonly (string | null)[])[];
  readonly file: readonly (readonly string[])[];
}

const byFirst = (left: readonly (string | null)[], right: readonly (string | null)[]): number =>
  (left[0] ?? '') < (right[0] ?? '') ? -1 : 1;

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  // A server that is ended by a test is told by the next query.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** `priority`: who is believed at first sight. */
const text = (name: string, ...priority: string[]): Configuration['entityTypes'][number]['groups'][number] => ({
  name,
  attributes: [{ name, type: 'text' }],
  strategy: 'three_way',
  fallback: 'source_priority',
  priority,
});

const posted = (name: string, type: 'decimal' | 'date'): Configuration['entityTypes'][number]['groups'][number] => ({
  name,
  attributes: [{ name, type }],
  strategy: 'source_priority',
  priority: ['sis'],
});

export const configurationOf = (places: Places): Configuration => ({
  institution: { code: 'campus', name: 'Campus', timeZone: 'UTC', recipientClasses: ['finance', 'directory'] },
  systems: [
    { name: 'sis', kind: 'postgresql', settings: { url: places.sourceUrl } },
    { name: 'finance', kind: 'postgresql', settings: { url: places.targetUrl } },
    {
      name: 'hr',
      kind: 'csv',
      settings: { incoming: places.incoming, files: { employees: { file: 'employees.csv', key: ['staff_no'] } } },
    },
    {
      name: 'web',
      kind: 'csv',
      settings: { outgoing: places.outgoing, files: { people: { file: 'people.csv', key: ['nid'] } } },
    },
  ],
  entityTypes: [
    {
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
          fallback: 'source_priority',
          priority: ['sis', 'hr'],
        },
        text('nid', 'sis', 'hr'),
        text('phone', 'sis'),
        text('email', 'hr'),
      ],
      identifiers: [{ scheme: 'nid' }],
      corroboration: { name: ['name.given', 'name.family'] },
    },
    {
      name: 'payment',
      kind: 'posted',
      subject: 'none',
      groups: [text('no', 'sis'), posted('amount', 'decimal'), posted('booked_on', 'date')],
    },
  ],
  mappings: [
    {
      name: 'sis.students',
      system: 'sis',
      entity: 'students',
      source: {
        columns: ['id', 'nid', 'given', 'family', 'phone', 'hidden'],
        key: ['id'],
        records: [
          {
            entityType: 'person',
            groups: {
              name: { given: { from: 'given' }, family: { from: 'family' } },
              nid: { from: 'nid' },
              phone: { from: 'phone' },
            },
            identifiers: { nid: { from: 'nid' } },
            restrictions: [{ recipientClass: 'directory', when: { field: 'hidden', equals: 'yes' } }],
          },
        ],
        rules: [{ name: 'family_given', field: 'family', check: 'required', severity: 'reject' }],
      },
    },
    {
      name: 'hr.employees',
      system: 'hr',
      entity: 'employees',
      source: {
        columns: [...employeeColumns],
        key: ['staff_no'],
        records: [
          {
            entityType: 'person',
            groups: {
              name: { given: { from: 'given' }, family: { from: 'family' } },
              nid: { from: 'nid' },
              email: { from: 'email' },
            },
            identifiers: { nid: { from: 'nid' } },
          },
        ],
      },
    },
    {
      name: 'finance.persons',
      system: 'finance',
      entity: 'persons',
      target: {
        root: 'person',
        key: [{ column: 'nid', from: 'nid' }],
        columns: [
          { column: 'nid' },
          { column: 'given', from: 'name.given' },
          { column: 'family', from: 'name.family' },
          { column: 'phone', from: 'phone' },
          { column: 'email', from: 'email' },
        ],
        recipientClass: 'finance',
        onEnd: 'delete',
        rollback: 'restore',
      },
    },
    {
      name: 'sis.payments',
      system: 'sis',
      entity: 'payments',
      source: {
        columns: ['no', 'amount', 'booked_on'],
        key: ['no'],
        records: [
          {
            entityType: 'payment',
            groups: {
              no: { from: 'no' },
              amount: { from: 'amount', steps: [{ use: 'decimal' }] },
              booked_on: { from: 'booked_on', steps: [{ use: 'date' }] },
            },
          },
        ],
      },
    },
    {
      name: 'finance.payments',
      system: 'finance',
      entity: 'payments',
      target: {
        root: 'payment',
        key: [{ column: 'no', from: 'no' }],
        columns: [
          { column: 'no' },
          { column: 'amount', from: 'amount', steps: [{ use: 'decimal', scale: 2 }] },
          { column: 'booked_on', from: 'booked_on', steps: [{ use: 'date' }] },
        ],
        recipientClass: 'finance',
        rollback: 'restore',
      },
    },
    {
      name: 'web.people',
      system: 'web',
      entity: 'people',
      target: {
        root: 'person',
        key: [{ column: 'nid', from: 'nid' }],
        columns: [
          { column: 'nid' },
          { column: 'given', from: 'name.given' },
          { column: 'family', from: 'name.family' },
          { column: 'phone', from: 'phone' },
          { column: 'email', from: 'email' },
        ],
        recipientClass: 'directory',
        onEnd: 'delete',
        wholeFile: true,
        rollback: 'restore',
      },
    },
  ],
  codeTables: [],
  jobs: [
    { name: 'payments', sources: ['sis.payments'], targets: ['finance.payments'] },
    { name: 'all', sources: ['sis.students', 'hr.employees'], targets: ['finance.persons', 'web.people'], limits },
    { name: 'students', sources: ['sis.students'], targets: ['finance.persons', 'web.people'] },
    { name: 'employees', sources: ['hr.employees'], targets: ['finance.persons', 'web.people'] },
  ],
});

/* High enough never to hold anything; there, so that the guard has work. */
const limits = [{ operation: 'delete', percent: 90 } as const];
