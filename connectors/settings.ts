import type { ConnectorSettings } from './capabilities.js';
import { readCsvSettings } from './csv/read-settings.js';
import { readPostgresSettings } from './postgresql/read-settings.js';
import type { SettingsProblems } from './settings-problems.js';

/* What can be told of a system by its settings alone: whether they are right, and what it could then do. Connects to nothing, and
   loads no driver: whoever may not reach systems may ask here. */

/** What a connector can do: the members of `Connector`, in words of people. */
export const capabilities = {
  snapshots: 'is read, whole or in partitions',
  watermarks: 'is read from where the last run ended',
  deliveries: 'delivers files',
  rows: 'has rows written, one by one and in bulk',
  copy: 'takes rows of posted types in bulk',
  file: 'receives whole files',
} as const;

export type Capability = keyof typeof capabilities;

interface KindOfSettings {
  readonly read: (settings: ConnectorSettings, problems: SettingsProblems) => unknown;
  readonly can: (settings: ConnectorSettings) => readonly Capability[];
}

const kinds: Readonly<Record<string, KindOfSettings>> = {
  postgresql: { read: readPostgresSettings, can: () => ['snapshots', 'watermarks', 'rows', 'copy'] },
  csv: {
    read: readCsvSettings,
    can: ({ incoming, outgoing }) => [
      ...(incoming === undefined ? [] : (['deliveries'] as const)),
      ...(outgoing === undefined ? [] : (['file'] as const)),
    ],
  },
};

/** What is wrong with the settings of a system, a line each; empty where nothing is. Tells no value. */
export const checkConnectorSettings = (kind: string, settings: ConnectorSettings): string[] => {
  const known = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (known === undefined) return [`"${kind}" is no kind of system (${Object.keys(kinds).join(', ')})`];
  const problems: string[] = [];
  known.read(settings, problems);
  return problems;
};

/** What a system of this kind and these settings can do; nothing where the kind is unknown. */
export const capabilitiesOf = (kind: string, settings: ConnectorSettings): readonly Capability[] =>
  (Object.hasOwn(kinds, kind) ? kinds[kind] : undefined)?.can(settings) ?? [];

/** Stands for a secret whose value is not known here: an address and a folder at once. */
export const unknownSecret = 'postgresql://unknown/unknown';

/** The same for settings as they are configured, with `{ env: NAME }` in place of secrets. */
export const checkConfiguredSettings = (kind: string, settings: ConnectorSettings): string[] => {
  const { webhook, ...own } = settings;
  return [
    ...checkConnectorSettings(kind, withSecrets(own, unknownSecret) as ConnectorSettings),
    ...(webhook === undefined || isReference(webhook)
      ? []
      : ['"webhook" has to name a secret: { env: CONCORD_SECRET_… }']),
  ];
};

/* By which the API knows the system when it calls: of any kind of system. */
const isReference = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.keys(value).length === 1 &&
  'env' in value &&
  typeof value.env === 'string';

const withSecrets = (value: unknown, secret: string): unknown => {
  if (Array.isArray(value)) return value.map((item) => withSecrets(item, secret));
  if (typeof value !== 'object' || value === null) return value;
  if (Object.keys(value).length === 1 && 'env' in value && typeof value.env === 'string') return secret;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withSecrets(member, secret)]));
};

/** The JSON Pointer, within a system, of the setting that a problem is about. */
export const settingOf = (problem: string): string => {
  if (problem.includes('is no kind of system')) return '/kind';
  const file = /^files "([^"]+)"/.exec(problem)?.[1];
  if (file !== undefined) return `/settings/files/${escaped(file)}`;
  const setting = /^"([^"]+)"/.exec(problem)?.[1];
  return setting === undefined ? '/settings' : `/settings/${escaped(setting)}`;
};

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');
