import type { CellForm } from './column-statistics.js';
import type { AttributeDefinition, EntityTypeDefinition } from './entity-type.js';
import type {
  FieldMapping,
  GroupMapping,
  MappingDefinition,
  ReferenceMapping,
  StandardizerStep,
} from './mapping-definition.js';

/** A column of a discovered entity, as far as it is known. */
export interface ProposedColumn {
  readonly name: string;
  /** The type that the system declares. */
  readonly type: string;
  readonly form?: CellForm | null;
}

/** Why a column is proposed for an attribute. */
export interface ProposedMatch {
  readonly column: string;
  readonly group: string;
  readonly attribute: string;
  /** 0 to 1. */
  readonly confidence: number;
  readonly why: string;
}

export interface MappingProposal {
  /** To be looked at by a person, and stored by them; null: no column fits. */
  readonly definition: MappingDefinition | null;
  readonly matches: readonly ProposedMatch[];
  readonly unmapped: readonly string[];
}

/* Words of people for the same thing, each line one thing. */
const synonyms: readonly (readonly string[])[] = [
  ['given', 'first', 'forename', 'vorname', 'prenom', 'nombre'],
  ['family', 'last', 'surname', 'nachname', 'nom', 'apellido'],
  ['birth', 'born', 'dob', 'birthday', 'geburt', 'naissance'],
  ['phone', 'tel', 'telephone', 'mobile', 'cell', 'telefon'],
  ['email', 'mail'],
  ['postcode', 'zip', 'postal', 'plz'],
  ['city', 'town', 'place', 'ort', 'ville'],
  ['street', 'addr', 'address', 'strasse', 'rue'],
  ['country', 'nation', 'land', 'pays'],
  ['number', 'no', 'nr', 'num', 'id', 'code'],
  ['from', 'start', 'begin', 'since'],
  ['to', 'end', 'until', 'till'],
  ['gender', 'sex'],
  ['status', 'state'],
];
const fillers = new Set(['name', 'date', 'the', 'of', 'on', 'is', 'value']);

const wordOf = (word: string): string => synonyms.find((words) => words.includes(word))?.[0] ?? word;

/** The words of a name, in lower case and each for its meaning: `dateOfBirth`, `DOB` and `birth_date` come to the same. */
const wordsOf = (name: string): readonly string[] => {
  const words = name
    .replaceAll(/e-?mail/gi, 'email')
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
  const telling = words.filter((word) => !fillers.has(word));
  return (telling.length > 0 ? telling : words).map(wordOf);
};

const pairsOf = (text: string): readonly string[] =>
  Array.from({ length: Math.max(text.length - 1, 0) }, (_, index) => text.slice(index, index + 2));

/* Dice's coefficient: twice what two have in common, of what both have. */
const dice = (left: readonly string[], right: readonly string[]): number => {
  if (left.length + right.length === 0) return 0;
  const rest = [...right];
  const common = left.filter((item) => {
    const at = rest.indexOf(item);
    if (at >= 0) rest.splice(at, 1);
    return at >= 0;
  });
  return (2 * common.length) / (left.length + right.length);
};

/** How much two names mean the same, 0 to 1: by their words, and by their letters where words are abbreviated or misspelt. */
export const similarity = (left: string, right: string): number => {
  const [one, other] = [wordsOf(left), wordsOf(right)];
  const letters = dice(pairsOf(one.join('')), pairsOf(other.join('')));
  return Math.max(dice(one, other), 0.9 * letters);
};

const looksLike = ({ type, form }: ProposedColumn): AttributeDefinition['type'] => {
  if (/timestamp|datetime/i.test(type) || form === 'timestamp') return 'timestamp';
  if (/date/i.test(type) || form === 'date') return 'date';
  if (/bool/i.test(type) || form === 'boolean') return 'boolean';
  return /numeric|decimal|double|real|float/i.test(type) ? 'decimal' : 'text';
};

/* What a column's type says for or against an attribute. */
const typeWeight = (column: ProposedColumn, { type }: AttributeDefinition): number => {
  const like = looksLike(column);
  if (like === type) return like === 'text' ? 0 : 0.1;
  const texts = ['text', 'code'];
  if (texts.includes(type)) return like === 'text' ? 0 : -0.25;
  return like === 'text' && /text|char|string/i.test(column.type) ? -0.05 : -0.4;
};

const stepsFor = ({ type, name }: AttributeDefinition, column: ProposedColumn): readonly StandardizerStep[] => {
  if (type === 'date') return [{ use: 'date' }];
  if (type === 'timestamp') return [{ use: 'timestamp' }];
  if (type === 'decimal') return [{ use: 'decimal' }];
  if (type === 'boolean') return [{ use: 'boolean' }];
  if (type === 'code') return [{ use: 'code' }];
  return column.form === 'email' || wordsOf(name).includes('email') ? [{ use: 'email' }] : [{ use: 'trim' }];
};

const least = 0.6;

/** Proposes how the rows of an entity could become records of a type: each attribute takes the column whose name and type are
 *  nearest to it, each column serves once. `known`: columns of other mappings of the type, by `group.attribute`, whose names mean
 *  the same by experience. Identifier schemes take columns too, and references those that hold the key of rows of the same system
 *  that `mappings` read as records of the type meant. */
export const proposeMapping = (
  entity: {
    readonly system: string;
    readonly entity: string;
    readonly columns: readonly ProposedColumn[];
    readonly key: readonly string[];
  },
  type: EntityTypeDefinition,
  known: Readonly<Record<string, readonly string[]>> = {},
  mappings: readonly MappingDefinition[] = [],
): MappingProposal => {
  const targets: Target[] = [
    ...type.groups.flatMap((group) =>
      group.attributes
        .filter((attribute) => attribute.type !== 'reference')
        .map((attribute) => ({ group: group.name, attribute, path: `${group.name}.${attribute.name}` })),
    ),
    ...referencesOf(entity, type, mappings),
    ...(type.identifiers ?? []).map(({ scheme }) => ({
      ...{ group: '', attribute: { name: scheme, type: 'text' as const }, path: `identifiers.${scheme}` },
    })),
  ];
  const candidates = targets
    .flatMap((target) => entity.columns.map((column) => ({ target, column, ...weigh(column, target, known) })))
    .filter(({ confidence }) => confidence >= least)
    .sort((left, right) => right.confidence - left.confidence);
  const taken = new Set<string>();
  const filled = new Set<string>();
  const matches: Match[] = [];
  for (const { target, column, confidence, why } of candidates) {
    if (taken.has(column.name) || filled.has(target.path)) continue;
    taken.add(column.name);
    filled.add(target.path);
    const { group, attribute, meant } = target;
    const use = meant === undefined ? [...stepsFor(attribute, column)] : [];
    const match = { column: column.name, group, attribute: attribute.name, confidence, why, use };
    matches.push(meant === undefined ? match : { ...match, meant: meant.name });
  }
  return {
    definition: matches.length === 0 ? null : definitionOf(entity, type, matches),
    matches: matches.map(({ use: _use, meant: _meant, ...match }) => match),
    unmapped: entity.columns.map(({ name }) => name).filter((name) => !taken.has(name)),
  };
};

/** What takes a column. */
interface Target {
  readonly group: string;
  readonly attribute: AttributeDefinition;
  readonly path: string;
  /** Of a reference: the mapping whose rows are meant, by this column as their key. */
  readonly meant?: { readonly name: string; readonly key: string };
}

/* Rows that are told apart by one column, and become records of the type as their main ones. */
const referencesOf = (
  { system, entity }: { readonly system: string; readonly entity: string },
  type: EntityTypeDefinition,
  mappings: readonly MappingDefinition[],
): Target[] =>
  type.groups
    .filter(({ multiValued }) => multiValued !== true)
    .flatMap((group) =>
      group.attributes
        .filter((attribute) => attribute.type === 'reference')
        .flatMap((attribute) =>
          mappings.flatMap(({ name, system: of, source }): Target[] => {
            const [key, another] = source?.key ?? [];
            const main = source?.records.find(({ subKey }) => (subKey ?? '') === '');
            const fits = of === system && name !== `${system}.${entity}` && main?.entityType === attribute.references;
            if (!fits || key === undefined || another !== undefined) return [];
            return [{ group: group.name, attribute, path: `${group.name}.${attribute.name}`, meant: { name, key } }];
          }),
        ),
    );

/* `no` or `id` alone is the key of anything: whose it is has to be said with it. */
const saysWhose = (name: string): boolean => wordsOf(name).some((word) => word !== 'number');

const namesOfKey = ({ name }: AttributeDefinition, { name: mapping, key }: NonNullable<Target['meant']>): string[] => {
  const entity = (mapping.split('.').at(-1) ?? '').replace(/s$/, '');
  const said = [name, `${name} ${key}`, `${entity} ${key}`];
  return saysWhose(key) ? [key, ...said] : said;
};

const weigh = (
  column: ProposedColumn,
  { group, attribute, path, meant }: Target,
  known: Readonly<Record<string, readonly string[]>>,
): { readonly confidence: number; readonly why: string } => {
  if (meant !== undefined) {
    const alike = namesOfKey(attribute, meant).map((name) => similarity(column.name, name));
    const confidence = saysWhose(column.name) ? Math.max(...alike) : 0;
    return { confidence: Math.round(confidence * 100) / 100, why: `it is named as the key of ${meant.name}` };
  }
  if ((known[path] ?? []).includes(column.name))
    return { confidence: 0.98, why: 'another mapping reads a column of this name so' };
  // A lone attribute is often named as its group, or by both.
  const names = [attribute.name, `${group} ${attribute.name}`];
  const byName = Math.max(...names.map((name) => similarity(column.name, name)));
  const byType = typeWeight(column, attribute);
  const form = column.form === 'email' && wordsOf(attribute.name).includes('email') ? 0.1 : 0;
  const confidence = Math.round(Math.min(1, Math.max(0, byName + byType + form)) * 100) / 100;
  const types = byType > 0 ? ', and the types agree' : byType < 0 ? ', though the types differ' : '';
  return { confidence, why: `${byName === 1 ? 'the names mean the same' : 'the names are alike'}${types}` };
};

type Match = ProposedMatch & {
  readonly use: readonly StandardizerStep[];
  /** Of a reference: the mapping whose rows are meant. */
  readonly meant?: string;
};

const definitionOf = (
  {
    system,
    entity,
    columns,
    key,
  }: {
    readonly system: string;
    readonly entity: string;
    readonly columns: readonly ProposedColumn[];
    readonly key: readonly string[];
  },
  type: EntityTypeDefinition,
  matches: readonly Match[],
): MappingDefinition => {
  const field = ({ column, use }: Match): FieldMapping => ({ from: column, steps: use });
  const groups = type.groups.flatMap(({ name, attributes, multiValued }): [string, GroupMapping][] => {
    const own = matches.filter((match) => match.group === name && match.meant === undefined);
    const [first] = own;
    if (first === undefined) return [];
    const mapped =
      attributes.length === 1 ? field(first) : Object.fromEntries(own.map((match) => [match.attribute, field(match)]));
    return [[name, multiValued === true ? [mapped] : mapped]];
  });
  const schemes = matches.filter(({ group }) => group === '');
  const references = matches.flatMap(({ group, attribute, column, meant }): [string, ReferenceMapping][] => {
    if (meant === undefined) return [];
    const lone = type.groups.find(({ name }) => name === group)?.attributes.length === 1;
    return [[lone ? group : `${group}.${attribute}`, { mapping: meant, key: [column] }]];
  });
  const names = columns.map(({ name }) => name);
  return {
    ...{ name: `${system}.${entity}`, system, entity },
    source: {
      ...{ columns: names, key: key.length > 0 ? key : names.slice(0, 1) },
      records: [
        {
          entityType: type.name,
          groups: Object.fromEntries(groups),
          ...(references.length === 0 ? {} : { references: Object.fromEntries(references) }),
          ...(schemes.length === 0
            ? {}
            : {
                identifiers: Object.fromEntries(schemes.map(({ attribute, column }) => [attribute, { from: column }])),
              }),
        },
      ],
    },
  };
};

/** The columns that mappings read into each attribute of a type, by `group.attribute`: what names have come to mean. */
export const columnsByAttribute = (
  mappings: readonly MappingDefinition[],
  type: EntityTypeDefinition,
): Readonly<Record<string, readonly string[]>> => {
  const known: Record<string, string[]> = {};
  const add = (path: string, field: FieldMapping): void => {
    if (field.from !== undefined) (known[path] ??= []).push(field.from);
  };
  for (const { groups, identifiers } of mappings
    .flatMap(({ source }) => source?.records ?? [])
    .filter(({ entityType }) => entityType === type.name)) {
    for (const group of type.groups) addGroup(group.name, group.attributes, groups[group.name], add);
    for (const [scheme, field] of Object.entries(identifiers ?? {})) add(`identifiers.${scheme}`, field);
  }
  return known;
};

const addGroup = (
  name: string,
  attributes: readonly AttributeDefinition[],
  mapped: GroupMapping | undefined,
  add: (path: string, field: FieldMapping) => void,
): void => {
  const [lone, another] = attributes;
  const elements: readonly unknown[] = mapped === undefined ? [] : Array.isArray(mapped) ? mapped : [mapped];
  for (const element of elements) {
    if (lone !== undefined && another === undefined) add(`${name}.${lone.name}`, element as FieldMapping);
    else
      for (const [attribute, field] of Object.entries(element as Readonly<Record<string, FieldMapping>>))
        add(`${name}.${attribute}`, field);
  }
};
