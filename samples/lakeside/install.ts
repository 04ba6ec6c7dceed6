import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DayInput, SampleDelivery } from './days.js';
import type { Lakeside } from './generator.js';
import type { SampleTable } from './records.js';

/** As much of a PostgreSQL client as is needed here. */
export interface SampleClient {
  query(sql: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** Where the four systems of Lakeside are. */
export interface LakesideSystems {
  readonly sis: SampleClient;
  readonly finance: SampleClient;
  readonly hrIncoming: string;
  readonly academicIncoming: string;
  readonly academicOutgoing: string;
}

/** The variables that the configuration names, for systems at these places. */
export const lakesideSecrets = (places: {
  readonly sisUrl: string;
  readonly financeUrl: string;
  readonly hrIncoming: string;
  readonly academicIncoming: string;
  readonly academicOutgoing: string;
}): Readonly<Record<string, string>> => ({
  CONCORD_SECRET_LAKESIDE_SIS_URL: places.sisUrl,
  CONCORD_SECRET_LAKESIDE_FINANCE_URL: places.financeUrl,
  CONCORD_SECRET_LAKESIDE_HR_INCOMING: places.hrIncoming,
  CONCORD_SECRET_LAKESIDE_ACADEMIC_INCOMING: places.academicIncoming,
  CONCORD_SECRET_LAKESIDE_ACADEMIC_OUTGOING: places.academicOutgoing,
});

/** Makes the tables and folders of the four systems with what is in them before day 1. The databases must be empty. */
export const installLakeside = async (systems: LakesideSystems, lakeside: Lakeside): Promise<void> => {
  for (const table of lakeside.sis) await createTable(systems.sis, table);
  for (const table of lakeside.finance) await createTable(systems.finance, table);
  for (const folder of [systems.hrIncoming, systems.academicIncoming, systems.academicOutgoing]) {
    await mkdir(folder, { recursive: true });
  }
};

/** Lets happen in the systems what happens before a run: edits, and files that arrive. */
export const applyDay = async (systems: LakesideSystems, day: DayInput): Promise<void> => {
  for (const { sql, values } of day.edits) await systems.sis.query(sql, [...values]);
  for (const delivery of day.deliveries) {
    await deliver(delivery.system === 'hr' ? systems.hrIncoming : systems.academicIncoming, delivery);
  }
};

const createTable = async (client: SampleClient, table: SampleTable): Promise<void> => {
  await client.query(table.definition);
  if (table.rows.length === 0) return;
  // One list a column: one statement for all rows.
  const lists = table.columns.map((_, index) => table.rows.map((row) => row[index] ?? null));
  const names = table.columns.map(({ name }) => name);
  const parameters = names.map((_, index) => `$${String(index + 1)}::text[]`);
  const values = table.columns.map(({ name, type }) => (type === 'text' ? name : `${name}::${type}`));
  await client.query(
    `insert into ${table.name} (${names.join(', ')})
     select ${values.join(', ')} from unnest(${parameters.join(', ')}) as sample (${names.join(', ')})`,
    lists,
  );
};

/** The folder appears with all its files at once. */
const deliver = async (incoming: string, delivery: SampleDelivery): Promise<void> => {
  const folder = join(incoming, delivery.name);
  if (existsSync(folder)) return;
  const arriving = join(incoming, `.${delivery.name}.part`);
  await mkdir(arriving, { recursive: true });
  for (const [name, content] of Object.entries(delivery.files)) await writeFile(join(arriving, name), content, 'utf8');
  await rename(arriving, folder);
};
