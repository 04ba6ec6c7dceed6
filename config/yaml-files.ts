import { Document, isMap, isSeq, visit } from 'yaml';

/* A configuration written as files, so that reading them gives it again. */

/** A configuration as plain data, complete and in use. */
export interface WritableConfiguration {
  readonly institution: object;
  readonly systems: readonly NamedDocument[];
  readonly entityTypes: readonly NamedDocument[];
  readonly mappings: readonly NamedDocument[];
  readonly codeTables: readonly NamedDocument[];
  readonly jobs: readonly NamedDocument[];
}

interface NamedDocument {
  readonly name: string;
}

/** A file, by its path within the folder. */
export interface WrittenFile {
  readonly path: string;
  readonly text: string;
}

const schemaFile = '.schema.json';

/** One file for each thing that is configured, and the schema that editors check them by. */
export const writeConfigurationFiles = (
  configuration: WritableConfiguration,
  schema: object,
): readonly WrittenFile[] => {
  const taken = new Set<string>();
  const write = (folder: string, documents: readonly NamedDocument[]): WrittenFile[] =>
    documents.map((document) => ({
      path: uniquePath(`${folder}/${fileNameOf(document.name)}`, taken),
      text: textOf(document, `../${schemaFile}`),
    }));
  return [
    { path: schemaFile, text: `${JSON.stringify(schema, null, 2)}\n` },
    { path: 'institution.yaml', text: textOf(configuration.institution, schemaFile) },
    ...write('systems', configuration.systems),
    ...write('entity-types', configuration.entityTypes),
    ...write('mappings', configuration.mappings),
    ...write('code-tables', configuration.codeTables),
    ...write('jobs', configuration.jobs),
  ];
};

const widest = 110;

const textOf = (value: object, schema: string): string => {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Collection: (_key, node, path) => {
      // What is small enough to be read at a glance stands on one line.
      if (path.length > 1 && depthOf(node) <= 2 && JSON.stringify(node).length <= widest - 2 * path.length)
        node.flow = true;
    },
  });
  return `# yaml-language-server: $schema=${schema}\n${document.toString({ lineWidth: widest, flowCollectionPadding: true })}`;
};

/* How deep collections stand in one another. */
const depthOf = (node: unknown): number => {
  if (isMap(node)) return 1 + Math.max(0, ...node.items.map(({ value }) => depthOf(value)));
  if (isSeq(node)) return 1 + Math.max(0, ...node.items.map((item: unknown) => depthOf(item)));
  return 0;
};

/* Any text may be a name; not any may be a file's. */
const fileNameOf = (name: string): string => {
  const safe = encodeURIComponent(name).replaceAll('*', '%2A').replaceAll('%20', ' ').replaceAll(' ', '_');
  return safe.startsWith('.') ? `%2E${safe.slice(1)}` : safe;
};

/* Some file systems take no notice of case, and none takes names of any length. */
const uniquePath = (path: string, taken: Set<string>): string => {
  const short = path.slice(0, 200);
  for (let count = 1; ; count += 1) {
    const candidate = `${short}${count === 1 ? '' : `-${String(count)}`}.yaml`;
    if (taken.has(candidate.toLowerCase())) continue;
    taken.add(candidate.toLowerCase());
    return candidate;
  }
};
