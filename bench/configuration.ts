import type { EntityTypeDefinition, GroupDefinition } from '../domain/entity-type.js';
import type { Configuration, JobDefinition } from '../domain/job-definition.js';
import type { GroupMapping, MappingDefinition, SourceMapping, TargetColumn } from '../domain/mapping-definition.js';
import { benchColumns } from './table.js';

/** The secret of every bench system: one database is source, target and hub, as the floor has it. */
export const benchSecret = 'CONCORD_SECRET_BENCH_URL';
export const benchSchema = 'bench';

type Column = (typeof benchColumns)[number];

const types: Partial<Record<Column, GroupDefinition['attributes'][number]['type']>> = {
  birth_date: 'date',
  amount: 'decimal',
  active: 'boolean',
  changed_at: 'timestamp',
};
const addressColumns: readonly Column[] = ['street', 'city', 'postcode', 'country'];

const attribute = (column: Column): GroupDefinition['attributes'][number] => ({
  name: column,
  type: types[column] ?? 'text',
});

const group = (name: string, columns: readonly Column[]): GroupDefinition => ({
  name,
  attributes: columns.map(attribute),
  strategy: 'source_priority',
  priority: ['origin'],
});

/** A person of 14 groups over 17 columns: the address moves as one. */
const person: EntityTypeDefinition = {
  name: 'person',
  kind: 'mastered',
  subject: 'self',
  groups: [
    ...benchColumns.filter((column) => !addressColumns.includes(column)).map((column) => group(column, [column])),
    group('address', addressColumns),
  ],
  identifiers: [{ scheme: 'reference' }],
  corroboration: { name: ['given_name', 'family_name'], birthDate: 'birth_date' },
};

const booking: EntityTypeDefinition = {
  name: 'booking',
  kind: 'posted',
  subject: 'none',
  groups: benchColumns.map((column) => group(column, [column])),
};

const rules: SourceMapping['rules'] = [
  { name: 'currency_known', field: 'currency', check: 'in_set', values: ['CHF', 'EUR'], severity: 'reject' },
  { name: 'birth_date_given', field: 'birth_date', check: 'required', severity: 'reject' },
  { name: 'amount_in_range', field: 'amount', check: 'range', min: '-100000', max: '100000', severity: 'reject' },
  { name: 'name_fits', field: 'family_name', check: 'length', max: 60, severity: 'reject' },
];

const personGroups = (): Record<string, GroupMapping> => ({
  ...Object.fromEntries(
    benchColumns.filter((column) => !addressColumns.includes(column)).map((column) => [column, { from: column }]),
  ),
  address: Object.fromEntries(addressColumns.map((column) => [column, { from: column }])),
});

const targetColumns = (pathOf: (column: Column) => string): TargetColumn[] =>
  benchColumns
    .filter((column) => column !== 'id')
    .map((column) => ({
      column,
      from: pathOf(column),
      ...(column === 'amount' ? { steps: [{ use: 'decimal', scale: 2 }] } : {}),
    }));

const personSource = (name: string, watermark: boolean): MappingDefinition => ({
  name,
  system: name.split('.')[0] ?? '',
  entity: name.split('.')[1] ?? '',
  source: {
    columns: benchColumns,
    key: ['id'],
    ...(watermark ? { watermark: { column: 'changed_at' } } : {}),
    records: [{ entityType: 'person', groups: personGroups(), identifiers: { reference: { from: 'ref' } } }],
    rules,
  },
});

const personTarget = (name: string): MappingDefinition => ({
  name,
  system: name.split('.')[0] ?? '',
  entity: name.split('.')[1] ?? '',
  target: {
    root: 'person',
    key: [{ column: 'id', from: 'id' }],
    columns: targetColumns((column) => (addressColumns.includes(column) ? `address.${column}` : column)),
    recipientClass: 'internal',
    rollback: 'restore',
  },
});

const bookingSource: MappingDefinition = {
  name: 'ledger.bookings',
  system: 'ledger',
  entity: 'source',
  source: {
    columns: benchColumns,
    key: ['id'],
    records: [
      { entityType: 'booking', groups: Object.fromEntries(benchColumns.map((column) => [column, { from: column }])) },
    ],
    rules,
  },
};

const bookingTarget: MappingDefinition = {
  name: 'archive.bookings',
  system: 'archive',
  entity: 'sink',
  target: {
    root: 'booking',
    key: [{ column: 'id', from: 'id' }],
    columns: targetColumns((column) => column),
    recipientClass: 'internal',
    rollback: 'impossible',
  },
};

const benchJobs: readonly JobDefinition[] = [
  { name: 'first-load', sources: ['origin.source'], targets: ['mirror.sink'], partitions: 2 },
  { name: 'posted', sources: ['ledger.bookings'], targets: ['archive.bookings'], partitions: 1 },
];

const system = (name: string): Configuration['systems'][number] => ({
  name,
  kind: 'postgresql',
  settings: { url: { env: benchSecret }, schema: benchSchema },
});

/** @param watermark whether the large source is read by its watermark column, and not in full */
export const benchConfiguration = (watermark: boolean): Configuration => ({
  institution: { code: 'bench', name: 'Bench', timeZone: 'UTC', recipientClasses: ['internal'] },
  systems: ['origin', 'mirror', 'ledger', 'archive'].map(system),
  entityTypes: [person, booking],
  codeTables: [],
  mappings: [personSource('origin.source', watermark), personTarget('mirror.sink'), bookingSource, bookingTarget],
  jobs: benchJobs.map((job) => (job.name === 'first-load' && watermark ? { ...job, reading: 'watermark' } : job)),
});

export interface SmallJob {
  readonly job: string;
  readonly from: string;
  readonly to: string;
}

export const smallJobRows = 200;
/** Jobs of 200 records each. Each is an institution's of its own: a target takes every person of its institution. */
export const smallJobs: readonly SmallJob[] = Array.from({ length: 20 }, (_, index) => ({
  job: `small-${String(index)}`,
  from: `small_${String(index)}`,
  to: `small_out_${String(index)}`,
}));

export const smallConfiguration = ({ job, from, to }: SmallJob): Configuration => ({
  institution: { code: job, name: job, timeZone: 'UTC', recipientClasses: ['internal'] },
  systems: ['origin', 'mirror'].map(system),
  entityTypes: [person],
  codeTables: [],
  mappings: [personSource(`origin.${from}`, false), personTarget(`mirror.${to}`)],
  jobs: [{ name: job, sources: [`origin.${from}`], targets: [`mirror.${to}`], partitions: 1 }],
});
