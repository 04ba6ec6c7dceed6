import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { isDate } from '../../domain/calendar.js';
import { configurationSchema, tellingMembers } from '../../domain/configuration-schema.js';
import * as shapes from '../../domain/configuration-shape.js';
import { Place, type Reader, type ShapeProblem } from '../../domain/shape.js';
import { readSampleConfiguration } from '../samples/configuration.js';

/* Written anew with UPDATE_SCHEMA=1, and reviewed like code. */
const published = 'docs/schema/configuration.json';

const readers: Readonly<Record<string, Reader<unknown>>> = {
  institution: shapes.institution,
  system: shapes.system,
  entity_type: shapes.entityType,
  code_table: shapes.codeTable,
  mapping: shapes.mapping,
  job: shapes.job,
};

interface Sample {
  readonly kind: string;
  readonly document: unknown;
}

const validators = new Map<string, ValidateFunction>();
const samples: Sample[] = [];
let any: ValidateFunction;

beforeAll(async () => {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
  ajv.addFormat('date', isDate);
  any = ajv.compile({ ...configurationSchema, $id: 'concord' });
  for (const kind of Object.keys(readers)) validators.set(kind, ajv.compile({ $ref: `concord#/$defs/${kind}` }));
  for (const name of ['lakeside', 'ipeds'] as const) {
    const { institution, systems, entityTypes, mappings, codeTables, jobs } = await readSampleConfiguration(name);
    const add = (kind: string, documents: readonly unknown[]): void =>
      void samples.push(...documents.map((document) => ({ kind, document })));
    add('institution', [institution]);
    add('system', systems);
    add('entity_type', entityTypes);
    add('mapping', mappings);
    add('code_table', codeTables);
    add('job', jobs);
  }
  // What the samples do not use.
  const schedule = {
    ...{ calendar: { hour: 2, minute: 0, daysOfWeek: ['MONDAY'] }, timeZone: 'UTC', jitterSeconds: 5, catchUpHours: 1 },
    freeze: [{ from: '2026-12-20', to: '2027-01-06', reason: 'holidays' }],
  };
  samples.push(
    {
      kind: 'job',
      document: { name: 'j', sources: [], targets: [], reading: 'watermark', onFailure: 'hold', schedule },
    },
    { kind: 'institution', document: { code: 'c', name: 'n', timeZone: 'UTC', recipientClasses: ['a'] } },
    {
      kind: 'mapping',
      document: {
        ...{ name: 'a.b', system: 'a', entity: 'b' },
        source: {
          ...{ columns: ['x'], key: ['x'], completeByDefault: true, watermark: { column: 'x', lagSeconds: 3 } },
          filter: { not: { any: [{ field: 'x', in: ['1', '2'] }, { all: [{ field: 'x', is: 'blank' }] }] } },
          records: [
            { entityType: 't', groups: { g: [{ value: { from: 'x' }, kind: { constant: 'k' } }, { fromAll: ['x'] }] } },
          ],
          rules: [
            { name: 'r1', field: 'x', severity: 'warn', check: 'range', min: '1' },
            { name: 'r2', field: 'x', severity: 'warn', check: 'length', max: 5 },
            { name: 'r3', field: 'x', severity: 'warn', check: 'in_set', values: ['1'] },
            { name: 'r4', field: 'x', severity: 'warn', check: 'reference_exists', mapping: 'a.b' },
          ],
        },
      },
    },
  );
});

const problemsOf = ({ kind, document }: Sample): readonly ShapeProblem[] => {
  const problems: ShapeProblem[] = [];
  readers[kind]?.(document, new Place('', problems));
  return problems;
};

test('the published schema is the one that the judge goes by', () => {
  const text = `${JSON.stringify(configurationSchema, null, 2)}\n`;
  if (process.env['UPDATE_SCHEMA'] === '1') writeFileSync(published, text);
  expect(JSON.parse(readFileSync(published, 'utf8'))).toEqual(JSON.parse(text));
});

test('what the judge takes, the schema takes: by its kind, as any file, and in a list', () => {
  for (const sample of samples) {
    expect(problemsOf(sample)).toEqual([]);
    for (const validate of [validators.get(sample.kind), any]) {
      validate?.(sample.document);
      expect({ document: sample.document, errors: validate?.errors ?? null }).toEqual({
        ...sample,
        kind: undefined,
        errors: null,
      });
    }
  }
  expect(any(samples.map(({ document }) => document))).toBe(true);
});

describe('what one refuses, the other refuses', () => {
  /* Somewhere in a document something is put in the place of something, left out, or added. */
  const mutated = (document: unknown, at: readonly number[], value: unknown, how: string): unknown => {
    if (typeof document !== 'object' || document === null || at.length === 0) return how === 'put' ? value : document;
    const names = Object.keys(document);
    const name = names[(at[0] ?? 0) % Math.max(names.length, 1)];
    if (name === undefined) return how === 'put' ? value : document;
    const inner = (document as Record<string, unknown>)[name];
    const deeper = at.length > 1 && typeof inner === 'object' && inner !== null;
    const member = deeper ? mutated(inner, at.slice(1), value, how) : value;
    if (Array.isArray(document)) {
      if (!deeper && how === 'drop') return document.filter((_, index) => String(index) !== name);
      return document.map((item: unknown, index) => (String(index) === name ? member : item));
    }
    if (!deeper && how === 'drop') return Object.fromEntries(Object.entries(document).filter(([key]) => key !== name));
    if (!deeper && how === 'add')
      return { ...document, [typeof value === 'string' && value !== '' ? value : 'extra']: value };
    return { ...document, [name]: member };
  };
  const values = fc.constantFrom<unknown[]>(
    ...['', 'text', 'from', 'person', 'reject', '2026-02-30', '2026-02-03', null, true, false, 0, 1, -1, 1.5, 77],
    ...[[], {}, [''], ['x'], [null], { from: 'x' }, { name: 'x' }, { field: 'x', is: 'blank' }, { use: 'trim' }],
  );
  const mutations = fc.array(
    fc.tuple(fc.array(fc.nat(40), { minLength: 1, maxLength: 9 }), values, fc.constantFrom('put', 'drop', 'add')),
    { minLength: 1, maxLength: 2 },
  );

  test('for documents that are wrong in any way', () => {
    let wrong = 0;
    fc.assert(
      fc.property(fc.nat(), mutations, (index, changes) => {
        const sample = samples[index % samples.length];
        if (sample === undefined) throw new Error('no samples');
        const document = changes.reduce<unknown>(
          (before, [at, value, how]) => mutated(before, at, value, how),
          sample.document,
        );
        const problems = problemsOf({ kind: sample.kind, document });
        const shapely = problems.filter(({ reason }) => !reason.includes('time zone'));
        const validate = validators.get(sample.kind);
        const valid = validate?.(document) === true;
        if (!valid) wrong += 1;
        expect({ document, valid, problems: shapely }).toEqual({
          document,
          valid: shapely.length === 0,
          problems: shapely,
        });
      }),
      { numRuns: 3000 },
    );
    expect(wrong).toBeGreaterThan(500);
  });

  test.each([
    [
      'a mapping',
      { name: 'a.b', system: 'a', entity: 'b', source: { columns: [], key: [], records: [], colour: 'red' } },
    ],
    ['a system', { name: 'a', kind: 'csv', settings: [] }],
    ['an entity type', { name: 'a', kind: 'mastered', groups: [{}], subject: 'self' }],
    ['a job', { name: 'a', sources: 'x', targets: [] }],
    ['nothing known', { name: 'a' }],
    ['a text', 'name'],
    ['an empty list of wrong things', [{ name: 'a', sources: 'x', targets: [] }]],
  ])('%s', (_what, document) => {
    expect(any(document)).toBe(false);
  });
});

test('a file is told by the same members here and where files are read', () => {
  const source = readFileSync('config/files.ts', 'utf8');
  const table = /const tellingMembers[\s\S]*?\];/.exec(source)?.[0] ?? '';
  const there = [...table.matchAll(/\['(\w+)', '(\w+)'\]/g)].map(([, member]) => member);
  expect(there).toEqual(tellingMembers.map(([member]) => member));
});
