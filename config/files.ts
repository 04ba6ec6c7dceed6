import { access, readdir, readFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Document, type Node } from 'yaml';

/** The folders of a configuration and the members of it that their files fill. */
const folders: Readonly<Record<string, string>> = {
  systems: 'systems',
  'entity-types': 'entityTypes',
  mappings: 'mappings',
  'code-tables': 'codeTables',
  jobs: 'jobs',
};
const institutionFile = 'institution.yaml';

/** The members by which a document that stands in no folder is told, in this order; one that has none is an institution. */
const tellingMembers: readonly (readonly [member: string, fills: string])[] = [
  ['settings', 'systems'],
  ['groups', 'entityTypes'],
  ['entries', 'codeTables'],
  ['entity', 'mappings'],
  ['sources', 'jobs'],
  ['targets', 'jobs'],
];

/** A place in a file, as people count: the first line is 1. The file is named from the configuration's folder. */
export interface FilePlace {
  readonly file: string;
  readonly line: number;
}

export interface FileProblem extends FilePlace {
  readonly reason: string;
  readonly remedy: string;
}

/** A configuration as plain data, not judged yet. */
export interface ConfigurationFiles {
  /** An object of `institution` and the lists `systems`, `entityTypes`, `mappings`, `codeTables`, `jobs`. */
  readonly document: Readonly<Record<string, unknown>>;
  /** Whether this is all of a configuration (a folder), or what one file holds of it. */
  readonly whole: boolean;
  /** Files that could not be read or are no YAML. Where there are any, `document` is incomplete. */
  readonly problems: readonly FileProblem[];
  /** Where a JSON pointer into `document` stands in the files: at its value, or at the nearest thing around it that is there. */
  readonly locate: (pointer: string) => FilePlace;
}

/** One thing that is configured, with the node that it was read from. */
interface Item {
  readonly file: string;
  readonly lines: LineCounter;
  readonly document: Document;
  readonly node: unknown;
}

interface ReadFile {
  readonly items: readonly Item[];
  readonly problems: readonly FileProblem[];
}

const isNode = (value: unknown): value is Node => isMap(value) || isSeq(value) || isScalar(value) || isAlias(value);

const lineOf = (node: unknown, lines: LineCounter): number | null => {
  const offset = isNode(node) ? node.range?.[0] : undefined;
  return offset === undefined ? null : lines.linePos(offset).line;
};

const parseFile = (file: string, text: string): ReadFile => {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const documents = Array.isArray(parsed) ? parsed : [];
  const problems = documents.flatMap((document) =>
    [...document.errors, ...document.warnings].map((error) => ({
      file,
      line: lines.linePos(error.pos[0]).line,
      reason: error.message,
      remedy: 'mend the YAML of this line, or of the one before it',
    })),
  );
  if (problems.length > 0) return { items: [], problems };
  const items = documents.flatMap((document): Item[] => {
    const node = document.contents;
    if (node === null) return [];
    const nodes = isSeq(node) ? node.items : [node];
    return nodes.map((one) => ({ file, lines, document, node: one }));
  });
  const strange = items.filter(({ node }) => !isMap(node) && !isAlias(node));
  if (strange.length > 0) {
    const line = (node: unknown): number => lineOf(node, lines) ?? 1;
    return {
      items: [],
      problems: strange.map(({ node }) => ({
        ...{ file, line: line(node), reason: 'there are no members here' },
        remedy: 'write what is configured as lines of `name: value`',
      })),
    };
  }
  if (items.length > 0) return { items, problems };
  return { items, problems: [{ file, line: 1, reason: 'the file is empty', remedy: 'fill it or remove it' }] };
};

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : 'the file cannot be read');

const readOne = async (folder: string, file: string): Promise<ReadFile> => {
  try {
    const bytes = await readFile(join(folder, file));
    return parseFile(file, new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    const problem = { file, line: 1, reason: reasonOf(error), remedy: 'make it a readable file in UTF-8' };
    return { items: [], problems: [problem] };
  }
};

const isYaml = (name: string): boolean => ['.yaml', '.yml'].includes(extname(name));
/** Notes and hidden files may lie about. */
const isBeside = (name: string): boolean => name.startsWith('.') || extname(name) === '.md';

/** What a folder holds, by name; anything else than what is expected is a problem, for it is a misspelt name mostly. */
const listFolder = async (
  folder: string,
  path: string,
): Promise<{ readonly files: string[]; readonly others: string[] }> => {
  const entries = await readdir(join(folder, path), { withFileTypes: true });
  const names = entries
    .filter(({ name }) => !isBeside(name))
    .map((entry) => ({
      name: path === '' ? entry.name : `${path}/${entry.name}`,
      yaml: !entry.isDirectory() && isYaml(entry.name),
    }))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  return {
    files: names.filter(({ yaml }) => yaml).map(({ name }) => name),
    others: names.filter(({ yaml }) => !yaml).map(({ name }) => name),
  };
};

const unexpected = (file: string, remedy: string): FileProblem => ({
  file,
  line: 1,
  reason: 'this is no part of a configuration',
  remedy,
});

const pointerParts = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

/** The line of what a path leads to within an item: of a member its name's line, of a list's item its own. */
const lineWithin = (item: Item, path: readonly string[]): number => {
  let node: unknown = item.node;
  let line = lineOf(node, item.lines) ?? 1;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(item.document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === part);
      if (pair === undefined) return line;
      line = lineOf(pair.key, item.lines) ?? line;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      line = lineOf(node, item.lines) ?? line;
    } else return line;
  }
  return line;
};

const toPlain = ({ node, document }: Item): unknown => (isNode(node) ? node.toJS(document) : node);

const locator =
  (items: ReadonlyMap<string, readonly Item[]>): ConfigurationFiles['locate'] =>
  (pointer) => {
    const [member = '', ...path] = pointerParts(pointer);
    const found = items.get(member) ?? [];
    const item = member === 'institution' ? found[0] : found[Number(path[0])];
    if (item === undefined) {
      const folder = Object.keys(folders).find((name) => folders[name] === member);
      return { file: folder ?? institutionFile, line: 1 };
    }
    return { file: item.file, line: lineWithin(item, member === 'institution' ? path : path.slice(1)) };
  };

/**
 * Reads a folder of YAML files: `institution.yaml`, and files in `systems`, `entity-types`, `mappings`, `code-tables` and `jobs`,
 * each with one document, several, or a list of them. Judges nothing: that is `domain/configuration.ts`. Secrets are not looked
 * up: a setting names a variable (`{ env: NAME }`), whose value only workers read.
 * @throws what the file system says where the folder itself cannot be read
 */
export const readConfigurationFolder = async (folder: string): Promise<ConfigurationFiles> => {
  const problems: FileProblem[] = [];
  const items = new Map<string, readonly Item[]>();
  const read = async (member: string, files: readonly string[]): Promise<void> => {
    const parsed = await Promise.all(files.map((file) => readOne(folder, file)));
    problems.push(...parsed.flatMap((one) => one.problems));
    items.set(
      member,
      parsed.flatMap((one) => one.items),
    );
  };
  const top = await listFolder(folder, '');
  const strays = [
    ...top.files.filter((file) => file !== institutionFile),
    ...top.others.filter((name) => !(name in folders)),
  ];
  problems.push(
    ...strays.map((name) => unexpected(name, `there are ${institutionFile}, ${Object.keys(folders).join(', ')}`)),
  );
  await read('institution', top.files.includes(institutionFile) ? [institutionFile] : []);
  for (const [name, member] of Object.entries(folders)) {
    const inside = top.others.includes(name) ? await listFolder(folder, name) : { files: [], others: [] };
    problems.push(...inside.others.map((file) => unexpected(file, 'files end in .yaml or .yml')));
    await read(member, inside.files);
  }
  if (problems.length === 0 && [...items.values()].every((list) => list.length === 0))
    problems.push({
      ...{ file: institutionFile, line: 1, reason: 'the folder holds no configuration' },
      remedy: `name the folder that holds ${institutionFile}, ${Object.keys(folders).join(', ')}`,
    });
  return together(items, problems, true);
};

/**
 * Reads one file of YAML that is configuration by itself: of one kind or of several, each document told by its members. Where it
 * lies makes no difference. The document has only what the file holds.
 * @throws what the file system says where the file cannot be read
 */
export const readConfigurationFile = async (file: string): Promise<ConfigurationFiles> => {
  await access(file);
  const { items, problems } = await readOne(dirname(file), basename(file));
  const byMember = new Map<string, Item[]>();
  for (const item of items) {
    const { node } = item;
    const told = isMap(node) ? tellingMembers.find(([member]) => node.has(member))?.[1] : undefined;
    const member = told ?? 'institution';
    byMember.set(member, [...(byMember.get(member) ?? []), item]);
  }
  return together(byMember, [...problems], false);
};

const together = (
  items: ReadonlyMap<string, readonly Item[]>,
  problems: FileProblem[],
  whole: boolean,
): ConfigurationFiles => {
  const plain = new Map([...items].map(([member, list]) => [member, list.map(toPlain)]));
  const [institution, another] = plain.get('institution') ?? [];
  const [, second] = items.get('institution') ?? [];
  if (another !== undefined)
    problems.push({
      ...unexpected(second?.file ?? institutionFile, 'describe one institution'),
      line: second === undefined ? 1 : (lineOf(second.node, second.lines) ?? 1),
    });
  const document = { ...Object.fromEntries(plain), ...(institution === undefined ? {} : { institution }) };
  return { document, whole, problems, locate: locator(items) };
};
