import { checkEntityType, orderByReference } from './configuration-entity-types.js';
import { checkDistinct, checkName, namesIn, type ConfigurationScope } from './configuration-scope.js';
import * as shapes from './configuration-shape.js';
import { checkSource } from './configuration-sources.js';
import { checkTarget } from './configuration-targets.js';
import type { EntityTypeDefinition } from './entity-type.js';
import { SyncError } from './errors.js';
import type { CodeTableDefinition, Configuration, JobDefinition, SystemDefinition } from './job-definition.js';
import type { MappingDefinition } from './mapping-definition.js';
import { isSecretName, openSecret, secretPrefix } from './secrets.js';
import { checkVisibility } from './visibility.js';
import { memberOf, Place, type Reader, type ShapeProblem } from './shape.js';

/** What is wrong with a configuration, where (a JSON pointer), and what to do about it. */
export type ConfigurationProblem = ShapeProblem;

export interface JudgedConfiguration {
  /** Null where there are problems: a configuration is taken whole or not at all. */
  readonly configuration: Configuration | null;
  readonly problems: readonly ConfigurationProblem[];
}

/** Entity types with each after those that it refers to: the order in which they are read and written; deletes go backwards.
 *  @throws SyncError configuration_invalid where types refer to each other in a circle */
export const dependencyOrder = (entityTypes: readonly EntityTypeDefinition[]): readonly EntityTypeDefinition[] => {
  const { ordered, cyclic } = orderByReference(entityTypes);
  if (cyclic.length === 0) return ordered;
  const names = cyclic.map(({ name }) => name).join(', ');
  throw new SyncError('configuration_invalid', `entity types refer to each other in a circle: ${names}`);
};

/** The recipient classes of an institution: those it declares, else those that its targets name. */
export const recipientClassesOf = (
  configuration: Pick<Configuration, 'institution' | 'mappings'>,
): ReadonlySet<string> =>
  new Set(
    configuration.institution.recipientClasses ??
      configuration.mappings.flatMap(({ target }) => (target === undefined ? [] : [target.recipientClass])),
  );

/** A readable item with its place; items that could not be read are left out, for their problems are noted. */
type Placed<T> = readonly { readonly item: T; readonly at: Place }[];

const readAll = <T>(documents: unknown, read: Reader<T>, at: Place): Placed<T> => {
  if (documents === undefined || documents === null) return [];
  if (!Array.isArray(documents)) {
    at.note('expected a list', 'write a list');
    return [];
  }
  return documents.flatMap((document: unknown, index) => {
    const place = at.child(index);
    const item = read(document, place);
    return item === null ? [] : [{ item, at: place }];
  });
};

const checkUnique = <T extends { readonly name: string }>(placed: Placed<T>, what: string): void => {
  const names = placed.map(({ item }) => item.name);
  placed.forEach(({ item, at }, index) => {
    if (names.indexOf(item.name) !== index)
      at.child('name').note(`${what} ${item.name} is there twice`, 'give it another name');
  });
};

/** Secrets come from the environment of the workers: a setting names the variable and never holds the secret itself. */
const checkSecrets = (value: unknown, name: string, at: Place): void => {
  const remedy = `write { env: ${secretPrefix}… } and set that variable where the workers run`;
  if (typeof value === 'string') {
    const reason = openSecret(name, value);
    if (reason !== null) at.note(reason, remedy);
  } else if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => checkSecrets(item, name, at.child(index)));
  } else if (typeof value === 'object' && value !== null) {
    const variable = memberOf(value, 'env');
    if (typeof variable !== 'string') {
      for (const [member, inner] of Object.entries(value)) checkSecrets(inner, member, at.child(member));
    } else if (!isSecretName(variable)) at.child('env').note(`${variable} may not be read by a setting`, remedy);
  }
};

const overlaps = (
  left: CodeTableDefinition['entries'][number],
  right: CodeTableDefinition['entries'][number],
): boolean =>
  (left.validFrom ?? '') <= (right.validTo ?? '9999-12-31') &&
  (right.validFrom ?? '') <= (left.validTo ?? '9999-12-31');

const checkCodeTable = (table: CodeTableDefinition, scope: ConfigurationScope, at: Place): void =>
  table.entries.forEach((entry, index) => {
    const codes = at.child('entries').child(index).child('codes');
    for (const [system, own] of Object.entries(entry.codes)) {
      checkName(scope, 'systems', system, codes.child(system));
      const rival = table.entries
        .slice(0, index)
        .find(
          (other) =>
            other.concept !== entry.concept &&
            overlaps(other, entry) &&
            own.some((code) => other.codes[system]?.includes(code)),
        );
      if (rival !== undefined) {
        codes
          .child(system)
          .note(`a code also means ${rival.concept} at the same time`, 'give each code one meaning, or periods');
      }
    }
  });

const checkMapping = (mapping: MappingDefinition, scope: ConfigurationScope, at: Place): void => {
  checkName(scope, 'systems', mapping.system, at.child('system'));
  const expected = `${mapping.system}.${mapping.entity}`;
  if (mapping.name !== expected) at.child('name').note('the name of a mapping is system.entity', `write ${expected}`);
  if (mapping.source === undefined && mapping.target === undefined) {
    at.note('the mapping neither reads nor writes', 'add source or target');
  }
  if (mapping.source !== undefined) checkSource(mapping, mapping.source, scope, at.child('source'));
  if (mapping.target !== undefined) checkTarget(mapping, mapping.target, scope, at.child('target'));
};

const checkJob = (job: JobDefinition, scope: ConfigurationScope, at: Place): void => {
  const check = (names: readonly string[], part: 'source' | 'target', place: Place): void => {
    checkDistinct(names, 'mapping', place);
    names.forEach((name, index) => {
      if (!checkName(scope, 'mappings', name, place.child(index))) return;
      const mapping = scope.mappings.get(name);
      if (mapping !== undefined && mapping[part] === undefined) {
        place.child(index).note(`mapping ${name} has no ${part}`, `add its ${part} part or name another`);
      }
    });
  };
  check(job.sources, 'source', at.child('sources'));
  check(job.targets, 'target', at.child('targets'));
  if (job.sources.length + job.targets.length === 0)
    at.note('the job neither reads nor writes', 'name sources or targets');
  (job.limits ?? []).forEach((limit, index) => {
    const place = at.child('limits').child(index);
    if (limit.entityType !== undefined) checkName(scope, 'entityTypes', limit.entityType, place.child('entityType'));
    if (limit.absolute === undefined && limit.percent === undefined)
      place.note('the limit limits nothing', 'add absolute or percent');
    // Of records that are there; twice as many more may come.
    if (limit.operation !== 'insert' && (limit.percent ?? 0) > 100)
      place.child('percent').note(`no ${limit.operation} is of more than all records`, 'write at most 100');
  });
  if (
    job.schedule !== undefined &&
    (job.schedule.calendar === undefined) === (job.schedule.everyMinutes === undefined)
  ) {
    at.child('schedule').note('a schedule has one rhythm', 'write one of calendar and everyMinutes');
  }
  (job.schedule?.freeze ?? []).forEach(({ from, to }, index) => {
    if (from > to)
      at.child('schedule').child('freeze').child(index).note('it ends before it begins', 'exchange from and to');
  });
};

const checkCircles = (placed: Placed<EntityTypeDefinition>): void => {
  const { cyclic } = orderByReference(placed.map(({ item }) => item));
  const names = cyclic.map(({ name }) => name).join(', ');
  for (const { item, at } of placed) {
    if (cyclic.includes(item))
      at.note(`entity types refer to each other in a circle: ${names}`, 'leave one of the references out');
  }
};

const itemsOf = <T>(placed: Placed<T>): readonly T[] => placed.map(({ item }) => item);

const scopeOf = (document: unknown, configuration: Configuration): ConfigurationScope => ({
  names: {
    systems: namesIn(memberOf(document, 'systems')),
    entityTypes: namesIn(memberOf(document, 'entityTypes')),
    mappings: namesIn(memberOf(document, 'mappings')),
    codeTables: namesIn(memberOf(document, 'codeTables')),
  },
  entityTypes: new Map(configuration.entityTypes.map((one) => [one.name, one])),
  mappings: new Map(configuration.mappings.map((one) => [one.name, one])),
  codeTables: configuration.codeTables,
  recipientClasses: recipientClassesOf(configuration),
});

const members = ['institution', 'systems', 'entityTypes', 'mappings', 'codeTables', 'jobs'];
const nameless: Configuration['institution'] = { code: '', name: '', timeZone: 'UTC' };

/** Judges a whole configuration, given as plain data with the members of `Configuration`. All problems are told at once. Pure:
 *  what only a connector knows of its settings is not judged here. */
export const judgeConfiguration = (document: unknown): JudgedConfiguration => {
  const problems: ConfigurationProblem[] = [];
  const root = new Place('', problems);
  if (typeof document === 'object' && document !== null) {
    for (const name of Object.keys(document)) {
      if (!members.includes(name)) root.child(name).note(`${name} is unknown here`, `one of ${members.join(', ')}`);
    }
  }
  const read = <T>(name: string, reader: Reader<T>): Placed<T> =>
    readAll(memberOf(document, name), reader, root.child(name));
  const institution = shapes.institution(memberOf(document, 'institution'), root.child('institution'));
  const systems: Placed<SystemDefinition> = read('systems', shapes.system);
  const entityTypes = read('entityTypes', shapes.entityType);
  const mappings = read('mappings', shapes.mapping);
  const codeTables = read('codeTables', shapes.codeTable);
  const jobs = read('jobs', shapes.job);
  const configuration: Configuration = {
    institution: institution ?? nameless,
    systems: itemsOf(systems),
    entityTypes: itemsOf(entityTypes),
    mappings: itemsOf(mappings),
    codeTables: itemsOf(codeTables),
    jobs: itemsOf(jobs),
  };
  const scope = scopeOf(document, configuration);
  checkUnique(systems, 'system');
  checkUnique(entityTypes, 'entity type');
  checkUnique(mappings, 'mapping');
  checkUnique(codeTables, 'code table');
  checkUnique(jobs, 'job');
  if (institution?.visibility !== undefined)
    checkVisibility(institution.visibility, scope, root.child('institution').child('visibility'));
  for (const { item, at } of systems) checkSecrets(item.settings, '', at.child('settings'));
  for (const { item, at } of codeTables) checkCodeTable(item, scope, at);
  for (const { item, at } of entityTypes) checkEntityType(item, scope, at);
  checkCircles(entityTypes);
  for (const { item, at } of mappings) checkMapping(item, scope, at);
  for (const { item, at } of jobs) checkJob(item, scope, at);
  return { configuration: problems.length === 0 ? configuration : null, problems };
};
