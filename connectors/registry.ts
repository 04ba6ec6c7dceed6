import { SyncError } from '../domain/errors.js';
import type { Connector, ConnectorSettings } from './capabilities.js';
import { createCsvConnector } from './csv/connector.js';
import { readCsvSettings } from './csv/read-settings.js';
import { createPostgresConnector } from './postgresql/connector.js';
import { readPostgresSettings } from './postgresql/read-settings.js';
import { checkConnectorSettings } from './settings.js';
import type { SettingsProblems } from './settings-problems.js';

/** A kind of system. `create` checks the settings first and connects to nothing. */
export interface ConnectorKind {
  readonly roles: readonly ('source' | 'target')[];
  /** @param problems takes what is wrong, all of it; what `create` gives then is not used */
  create(settings: ConnectorSettings, problems: SettingsProblems): () => Connector;
}

/** Every kind of system that can be connected. A new one is a folder and a line here. Kinds stand in configurations: never rename one. */
export const connectorKinds = {
  postgresql: {
    roles: ['source', 'target'],
    create: (settings, problems) => {
      const read = readPostgresSettings(settings, problems);
      return () => createPostgresConnector(read);
    },
  },
  csv: {
    roles: ['source', 'target'],
    create: (settings, problems) => {
      const read = readCsvSettings(settings, problems);
      return () => createCsvConnector(read);
    },
  },
} as const satisfies Record<string, ConnectorKind>;

export type ConnectorKindName = keyof typeof connectorKinds;

export const isConnectorKind = (kind: string): kind is ConnectorKindName => Object.hasOwn(connectorKinds, kind);

/** @throws SyncError configuration_invalid, with all that is wrong */
export const createConnector = (kind: string, settings: ConnectorSettings): Connector => {
  const problems = checkConnectorSettings(kind, settings);
  if (problems.length > 0 || !isConnectorKind(kind)) throw new SyncError('configuration_invalid', problems.join('; '));
  return connectorKinds[kind].create(settings, problems)();
};
