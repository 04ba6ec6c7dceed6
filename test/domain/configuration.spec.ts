import { dependencyOrder, judgeConfiguration, recipientClassesOf } from '../../domain/configuration.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';

type Plain = Record<string, unknown>;

const attribute = (name: string, more: Plain = {}): Plain => ({ name, type: 'text', ...more });
const group = (name: string, attributes: readonly Plain[] = [attribute(name)], more: Plain = {}): Plain => ({
  name,
  attributes,
  strategy: 'three_way',
  priority: ['sis'],
  ...more,
});

const person: Plain = {
  name: 'person',
  kind: 'mastered',
  subject: 'self',
  groups: [
    group('title'),
    group('born', [attribute('born', { type: 'date' })]),
    group('sex', [attribute('sex', { type: 'code', codeTable: 'sexes' })]),
  ],
  identifiers: [{ scheme: 'ssn', placeholders: ['0'] }],
  corroboration: { name: ['title'], birthDate: 'born' },
};
const role: Plain = {
  name: 'role',
  kind: 'reconciled',
  subject: { reference: 'person' },
  naturalKey: ['person', 'kind'],
  groups: [group('person', [attribute('person', { type: 'reference', references: 'person' })]), group('kind')],
};
const source: Plain = {
  columns: ['id', 'name', 'born', 'sex'],
  key: ['id'],
  records: [
    {
      entityType: 'person',
      groups: { title: { from: 'name', steps: [{ use: 'trim' }] }, born: { from: 'born' }, sex: { from: 'sex' } },
      identifiers: { ssn: { from: 'id' } },
      restrictions: [{ recipientClass: 'directory', when: { field: 'name', equals: 'x' } }],
    },
    { entityType: 'role', subKey: 'main', groups: { kind: { constant: 'student' } }, references: { person: {} } },
  ],
  rules: [{ name: 'r', field: 'name', check: 'required', severity: 'reject' }],
};
const target: Plain = {
  root: 'role',
  key: [{ column: 'id', identifier: 'ssn', of: 'person' }],
  columns: [
    { column: 'name', from: 'person.title', maxLength: 20 },
    { column: 'sex', from: 'person.sex', steps: [{ use: 'code' }] },
  ],
  recipientClass: 'directory',
};
const whole: Plain = {
  institution: { code: 'x', name: 'X', timeZone: 'Europe/Zurich' },
  systems: [
    { name: 'sis', kind: 'postgresql', settings: { url: { env: 'CONCORD_SECRET_SIS_URL' } } },
    { name: 'dir', kind: 'csv', settings: {} },
  ],
  entityTypes: [role, person],
  mappings: [
    { name: 'sis.people', system: 'sis', entity: 'people', source },
    { name: 'dir.people', system: 'dir', entity: 'people', target },
  ],
  codeTables: [{ name: 'sexes', entries: [{ concept: 'female', codes: { sis: ['F'], dir: ['2'] } }] }],
  jobs: [
    { name: 'all', sources: ['sis.people'], targets: ['dir.people'], limits: [{ operation: 'delete', percent: 5 }] },
  ],
};

const asObject = (value: unknown): object => (typeof value === 'object' && value !== null ? value : {});

/** A copy with one place changed; `undefined` removes it. */
const changed = (document: unknown, path: string, value: unknown): unknown => {
  const copy: unknown = structuredClone(document);
  const parts = path.split('/').slice(1);
  const last = parts.pop() ?? '';
  const parent = parts.reduce<object>((node, part) => asObject(Reflect.get(node, part)), asObject(copy));
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else Reflect.set(parent, last, value);
  return copy;
};

const problemsAt = (path: string, value: unknown): string[] =>
  judgeConfiguration(changed(whole, path, value)).problems.map((problem) => `${problem.path} ${problem.reason}`);

describe('a configuration', () => {
  it('is taken where nothing is wrong', () => {
    const { configuration, problems } = judgeConfiguration(whole);
    expect(problems).toEqual([]);
    expect(configuration).toEqual(whole);
  });

  it.each<[string, unknown, string]>([
    ['/institution', undefined, '/institution expected an object'],
    ['/institution/timeZone', 'Mars', '/institution/timeZone there is no time zone'],
    ['/instituton', {}, '/instituton instituton is unknown here'],
    ['/systems/0/kind', undefined, '/systems/0 kind is missing'],
    ['/systems/1/name', 'sis', '/systems/1/name system sis is there twice'],
    ['/systems/0/settings/password', 'geheim', '/systems/0/settings/password password is a secret'],
    ['/systems/0/settings/url', 'postgres://me:pw@host/db', '/systems/0/settings/url the address holds a password'],
    ['/entityTypes/0/kind', 'master', '/entityTypes/0/kind expected one of mastered'],
    ['/entityTypes/0/naturalKey', undefined, '/entityTypes/0 a reconciled type needs its natural key'],
    ['/entityTypes/0/naturalKey/1', 'sort', '/entityTypes/0/naturalKey/1 entity type role has no group sort'],
    ['/entityTypes/0/subject/reference', 'kind', '/entityTypes/0/subject/reference kind is no reference'],
    [
      '/entityTypes/0/groups/0/attributes/0/references',
      'human',
      '/entityTypes/0/groups/0/attributes/0/references there is no entity type human',
    ],
    ['/entityTypes/1/groups/0/strategy', 'newest', '/entityTypes/1/groups/0/strategy expected one of three_way'],
    ['/entityTypes/1/groups/0/strategy', 'set_union', '/entityTypes/1/groups/0/strategy set_union is for'],
    ['/entityTypes/1/groups/0/priority', ['hr'], '/entityTypes/1/groups/0/priority/0 there is no system hr'],
    ['/entityTypes/1/groups/1/name', 'title', '/entityTypes/1/groups/1 group title is there twice'],
    ['/entityTypes/1/groups/0/name', 'ti.tle', '/entityTypes/1/groups/0/name ti.tle cannot be used'],
    [
      '/entityTypes/1/groups/0/authority',
      [{ systems: ['sis'], population: { field: 'sort', is: 'present' } }],
      '/entityTypes/1/groups/0/authority/0/population',
    ],
    [
      '/entityTypes/1/groups/2/attributes/0/codeTable',
      'x',
      '/entityTypes/1/groups/2/attributes/0/codeTable there is no code table x',
    ],
    ['/entityTypes/1/validity', { from: 'title', to: 'born' }, '/entityTypes/1/validity/from title is no date'],
    ['/entityTypes/1/corroboration/birthDate', 'title', '/entityTypes/1/corroboration/birthDate title is no date'],
    ['/mappings/0/system', 'hr', '/mappings/0/system there is no system hr'],
    ['/mappings/0/name', 'people', '/mappings/0/name the name of a mapping is system.entity'],
    ['/mappings/0/source', undefined, '/mappings/0 the mapping neither reads nor writes'],
    ['/mappings/0/source/key/0', 'ID', '/mappings/0/source/key/0 the column ID is not among'],
    ['/mappings/0/source/watermark', { column: 'at' }, '/mappings/0/source/watermark/column the column at'],
    ['/mappings/0/source/scope', { campus: 'campus' }, '/mappings/0/source/scope/campus the column campus'],
    ['/mappings/0/source/filter', { field: 'x', is: 'blank' }, '/mappings/0/source/filter the column x'],
    ['/mappings/0/source/filter', { field: 'name' }, '/mappings/0/source/filter this is no condition'],
    [
      '/mappings/0/source/filter',
      { field: 'name', equals: 1 },
      '/mappings/0/source/filter/equals expected a text, found a number',
    ],
    [
      '/mappings/0/source/records/0/entityType',
      'human',
      '/mappings/0/source/records/0/entityType there is no entity type human',
    ],
    [
      '/mappings/0/source/records/0/groups/title/from',
      'nome',
      '/mappings/0/source/records/0/groups/title/from the column nome',
    ],
    [
      '/mappings/0/source/records/0/groups/title/steps/0/use',
      'trimm',
      '/mappings/0/source/records/0/groups/title/steps/0 there is no standardizer',
    ],
    [
      '/mappings/0/source/records/0/groups/titel',
      { from: 'name' },
      '/mappings/0/source/records/0/groups/titel entity type person has no group titel',
    ],
    ['/mappings/0/source/records/0/groups/title', {}, '/mappings/0/source group title of person: it has one attribute'],
    [
      '/mappings/0/source/records/0/identifiers/nhs',
      { from: 'id' },
      '/mappings/0/source/records/0/identifiers/nhs entity type person has no identifier scheme nhs',
    ],
    [
      '/mappings/0/source/records/0/restrictions/0/recipientClass',
      'dir',
      '/mappings/0/source/records/0/restrictions/0/recipientClass there is no recipient class dir',
    ],
    [
      '/mappings/0/source/records/1/references/person/mapping',
      'hr.staff',
      '/mappings/0/source/records/1/references/person/mapping there is no mapping hr.staff',
    ],
    [
      '/mappings/0/source/records/1/references/person/subKey',
      'g1',
      '/mappings/0/source/records/1/references/person sis.people reads no person under the sub-key g1',
    ],
    [
      '/mappings/0/source/records/1/references/kind',
      {},
      '/mappings/0/source/records/1/references/kind kind is no reference',
    ],
    ['/mappings/0/source/rules/0/check', 'requird', '/mappings/0/source/rules/0/check expected one of required'],
    ['/mappings/0/source/rules/0/field', 'x', '/mappings/0/source/rules/0 rule r reads the column x'],
    ['/mappings/1/target/root', 'human', '/mappings/1/target/root there is no entity type human'],
    [
      '/mappings/1/target/filter',
      { field: 'x', is: 'present' },
      '/mappings/1/target/filter entity type role has no group x',
    ],
    [
      '/mappings/1/target/key/0/identifier',
      'nhs',
      '/mappings/1/target/key/0/identifier entity type person has no identifier scheme nhs',
    ],
    ['/mappings/1/target/key/0/of', 'kind', '/mappings/1/target/key/0/of kind is no reference'],
    [
      '/mappings/1/target/key/0',
      { column: 'id', source: true },
      '/mappings/1/target/key/0/source this mapping does not read',
    ],
    ['/mappings/1/target/key/0', { column: 'id' }, '/mappings/1/target/key/0 a key column has one origin'],
    [
      '/mappings/1/target/columns/0/from',
      'person.name',
      '/mappings/1/target/columns/0/from entity type person has no group name',
    ],
    [
      '/mappings/1/target/columns/1/steps/0/table',
      'x',
      '/mappings/1/target/columns/1/steps/0 there is no code table x',
    ],
    ['/mappings/1/target/columns/1/column', 'name', '/mappings/1/target/columns/1 column name is there twice'],
    ['/mappings/1/target/leadDays', 3, '/mappings/1/target entity type role has no validity'],
    ['/codeTables/0/entries/0/codes/hr', ['1'], '/codeTables/0/entries/0/codes/hr there is no system hr'],
    [
      '/codeTables/0/entries/1',
      { concept: 'male', codes: { sis: ['F'] } },
      '/codeTables/0/entries/1/codes/sis a code also means female',
    ],
    [
      '/mappings/0/source/records/0/identifiers/ssn/separator',
      '-',
      '/mappings/0/source/records/0/identifiers/ssn/separator a separator divides the cell',
    ],
    [
      '/mappings/0/source/records/0/groups/title/separator',
      ';',
      '/mappings/0/source/records/0/groups/title/separator a separator divides the cell',
    ],
    ['/systems/0/settings/url/env', 'SIS_URL', '/systems/0/settings/url/env SIS_URL may not be read by a setting'],
    [
      '/systems/0/settings/webhook',
      { env: 'PATH' },
      '/systems/0/settings/webhook/env PATH may not be read by a setting',
    ],
    ['/jobs/0/sources/0', 'dir.people', '/jobs/0/sources/0 mapping dir.people has no source'],
    ['/jobs/0/targets/0', 'dir.peple', '/jobs/0/targets/0 there is no mapping dir.peple'],
    ['/jobs/0/limits/0', { operation: 'delete' }, '/jobs/0/limits/0 the limit limits nothing'],
    [
      '/jobs/0/limits/0',
      { operation: 'delete', percent: 110 },
      '/jobs/0/limits/0/percent no delete is of more than all records',
    ],
    ['/jobs/0/schedule', { timeZone: 'UTC' }, '/jobs/0/schedule a schedule has one rhythm'],
  ])('%s = %j is refused', (path, value, expected) => {
    const problems = problemsAt(path, value);
    expect(problems.some((problem) => problem.startsWith(expected)) ? expected : problems).toBe(expected);
  });

  it('tells one mistake once', () => {
    expect(problemsAt('/entityTypes/1/groups/0/strategy', 'newest')).toHaveLength(1);
    expect(problemsAt('/mappings/0/source/key/0', 'ID')).toHaveLength(1);
  });

  it('tells all mistakes together', () => {
    const twice = changed(changed(whole, '/jobs/0/sources/0', 'x.y'), '/systems/0/kind', 7);
    expect(judgeConfiguration(twice).problems).toHaveLength(2);
  });

  it('refuses entity types that refer to each other in a circle', () => {
    const groups = (role['groups'] as readonly Plain[]).concat(
      group('post', [attribute('post', { type: 'reference', references: 'post' })]),
    );
    const back = group('role', [attribute('role', { type: 'reference', references: 'role' })]);
    const post = { name: 'post', kind: 'reconciled', subject: 'none', naturalKey: ['role'], groups: [back] };
    expect(problemsAt('/entityTypes', [{ ...role, groups }, person, post])).toEqual([
      expect.stringContaining('/entityTypes/0 entity types refer to each other in a circle: role, post'),
      expect.stringContaining('/entityTypes/2 entity types refer'),
    ]);
  });

  it('refuses references of mastered types, which nothing would resolve', () => {
    const whole = group('role', [attribute('role', { type: 'reference', references: 'role' })]);
    expect(problemsAt('/entityTypes/1/groups/3', whole)).toContainEqual(
      expect.stringContaining('/entityTypes/1/groups/3/attributes/0 a mastered type cannot refer'),
    );
  });

  it('does not fall over anything', () => {
    for (const document of [
      null,
      7,
      'x',
      [],
      { mappings: 7 },
      { mappings: [null, 7, [], {}] },
      { entityTypes: [{ name: 'x', groups: [null] }] },
    ]) {
      expect(judgeConfiguration(document).configuration).toBeNull();
    }
  });
});

describe('what follows from a configuration', () => {
  const { configuration } = judgeConfiguration(whole);

  it('each entity type comes after those it refers to', () => {
    expect(dependencyOrder(configuration?.entityTypes ?? []).map(({ name }) => name)).toEqual(['person', 'role']);
  });

  it('a type may refer to itself', () => {
    const part: EntityTypeDefinition = {
      name: 'part',
      kind: 'mastered',
      subject: 'none',
      groups: [
        {
          name: 'whole',
          attributes: [{ name: 'whole', type: 'reference', references: 'part' }],
          strategy: 'three_way',
          priority: [],
        },
      ],
    };
    expect(dependencyOrder([part])).toEqual([part]);
  });

  it('recipient classes are declared, or those of the targets', () => {
    const mappings = configuration?.mappings ?? [];
    const institution = { code: 'x', name: 'X', timeZone: 'UTC' };
    expect([...recipientClassesOf({ institution, mappings })]).toEqual(['directory']);
    expect([...recipientClassesOf({ institution: { ...institution, recipientClasses: ['a'] }, mappings })]).toEqual([
      'a',
    ]);
  });

  describe('how entries of a posted type are taken back', () => {
    const entry = { name: 'entry', kind: 'posted', subject: 'none', groups: [group('no'), group('amount')] };
    const posted = (rollback: Plain): string[] => {
      const mapping = {
        ...{ name: 'dir.entries', system: 'dir', entity: 'entries' },
        target: {
          root: 'entry',
          key: [{ column: 'no', from: 'no' }],
          columns: [{ column: 'amount', from: 'amount' }],
          recipientClass: 'directory',
          ...rollback,
        },
      };
      const parts = whole as { entityTypes: Plain[]; mappings: Plain[] };
      const document = { ...whole, entityTypes: [...parts.entityTypes, entry], mappings: [...parts.mappings, mapping] };
      return judgeConfiguration(document).problems.map(({ path, reason }) => `${path} ${reason}`);
    };
    const compensation = { key: { column: 'no', suffix: '-R' }, negate: ['amount'] };

    it('is told by the mapping', () => {
      expect(posted({ rollback: 'compensate', compensation })).toEqual([]);
      expect(posted({ rollback: 'restore' })).toEqual([]);
      expect(problemsAt('/mappings/1/target/rollback', 'compensate')).toEqual([
        '/mappings/1/target/rollback role is not posted: its rows are set back',
      ]);
    });

    it.each<[string, Plain, string]>([
      ['nothing told', { rollback: 'compensate' }, '/rollback nothing says what an entry'],
      ['not asked for', { rollback: 'restore', compensation }, '/compensation it is asked for by'],
      [
        'no key column',
        { rollback: 'compensate', compensation: { ...compensation, key: { column: 'amount', suffix: '-R' } } },
        '/compensation/key/column amount is no key column',
      ],
      [
        'a key that is turned',
        { rollback: 'compensate', compensation: { ...compensation, negate: ['no'] } },
        '/compensation/negate/0 no is no column',
      ],
      [
        'an unknown column',
        { rollback: 'compensate', compensation: { ...compensation, set: { text: 'x' }, original: 'reverses' } },
        '/compensation/set/text text is no column',
      ],
      [
        'nothing to turn',
        { rollback: 'compensate', compensation: { ...compensation, negate: [] } },
        '/compensation/negate',
      ],
    ])('refuses %s', (_, rollback, problem) => {
      expect(posted(rollback)[0]).toContain(`/mappings/2/target${problem}`);
    });
  });
});
