import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LakesideSystems, SampleClient } from './install.js';
import type { SampleCell } from './records.js';
import type { DemoPlatform } from './story-platform.js';

/** A row as the system holds it: column → text. */
export type StoredRow = Readonly<Record<string, SampleCell>>;

const tables = {
  students: { system: 'sis', key: 'student_no' },
  enrolments: { system: 'sis', key: 'student_no, section, session' },
  payments: { system: 'sis', key: 'payment_no' },
  accounts: { system: 'finance', key: 'staff_no' },
} as const;
export type StoreTable = keyof typeof tables;

const isRow = (value: unknown): value is { readonly row: StoredRow } =>
  typeof value === 'object' && value !== null && 'row' in value && typeof value.row === 'object';

const readTable = async (client: SampleClient, name: string, key: string): Promise<StoredRow[]> => {
  // Every cell as text, whatever its type.
  const { rows } = await client.query(
    `select (select jsonb_object_agg(c.key, c.value) from jsonb_each_text(to_jsonb(t)) c) as row from ${name} t order by ${key}`,
  );
  return rows.filter(isRow).map(({ row }) => row);
};

/** A line without line breaks in its fields, which this file never has. */
const fieldsOf = (line: string): SampleCell[] =>
  [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, bare]) =>
    quoted === undefined ? bare || null : quoted.replaceAll('""', '"'),
  );

/** Direct looks into the sample systems, past Concord. */
export class Stores {
  constructor(
    private readonly systems: LakesideSystems,
    private readonly platform: DemoPlatform,
  ) {}

  async table(name: StoreTable): Promise<StoredRow[]> {
    const { system, key } = tables[name];
    return await readTable(this.systems[system], name, key);
  }

  /** The row of a student, or of an employee's account. */
  async find(name: 'students' | 'accounts', key: string): Promise<StoredRow | null> {
    return (await this.table(name)).find((row) => row[tables[name].key] === key) ?? null;
  }

  /** `people.csv` as text; empty where it is not there. */
  async peopleText(): Promise<string> {
    const file = join(this.systems.academicOutgoing, 'people.csv');
    return existsSync(file) ? await readFile(file, 'utf8') : '';
  }

  /** The rows of `people.csv` without its header. */
  async people(): Promise<SampleCell[][]> {
    const lines = (await this.peopleText()).split('\r\n').slice(1);
    return lines.filter((line) => line !== '').map(fieldsOf);
  }

  async person(number: string): Promise<SampleCell[] | null> {
    return (await this.people()).find(([key]) => key === number) ?? null;
  }

  /** What every store holds, as a digest each. */
  async photograph(): Promise<Photograph> {
    const digests = new Map<string, string>();
    for (const name of Object.keys(tables) as StoreTable[]) {
      digests.set(name, digest(JSON.stringify(await this.table(name))));
    }
    digests.set('people.csv', digest(await this.peopleText()));
    digests.set('golden records', await this.platform.goldenDigest());
    return new Photograph(digests);
  }
}

/** All stores at one moment. */
export class Photograph {
  constructor(private readonly digests: ReadonlyMap<string, string>) {}

  /** The stores that are not as they were in another. */
  differences(other: Photograph): string[] {
    return [...this.digests].filter(([name, own]) => other.digests.get(name) !== own).map(([name]) => name);
  }
}

export const digest = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
