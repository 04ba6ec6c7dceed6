import { readSecret } from '../config/env.js';
import { readConfigurationFolder } from '../config/files.js';
import type { ConfigurationFiles, FileProblem } from '../config/files.js';
import { checkConnectorSettings, settingOf, unknownSecret } from '../connectors/settings.js';
import { applyWhole, planWhole } from '../database/configuration-given.js';
import type { GivenPlan } from '../database/configuration-given.js';
import type { ConfigurationDifference } from '../database/configuration-store.js';
import { createHub } from '../database/hub.js';
import type { Hub } from '../database/hub.js';
import { judgeConfiguration } from '../domain/configuration.js';
import { SyncError } from '../domain/errors.js';
import { isSecretName } from '../domain/secrets.js';
import type { Configuration } from '../domain/job-definition.js';
import { resolveSecrets } from './secrets.js';

export interface JudgedFolder {
  /** Null where there are problems: a folder is taken whole or not at all. */
  readonly configuration: Configuration | null;
  readonly problems: readonly FileProblem[];
  /** Secrets that the systems name and that are not set here; the workers need them. */
  readonly unsetSecrets: readonly string[];
  /** Where a pointer into the configuration stands in the files. */
  readonly locate: ConfigurationFiles['locate'];
}

/** Reads a folder of configuration and judges all of it: the files, what they say, and the settings of the systems. Connects to nothing.
 *  @throws what the file system says where the folder cannot be read */
export async function judgeFolder(folder: string): Promise<JudgedFolder> {
  const files = await readConfigurationFolder(folder);
  // What is missing because a file could not be read would be told as many problems more.
  if (files.problems.length > 0)
    return { configuration: null, problems: files.problems, unsetSecrets: [], locate: files.locate };
  const judged = judgeConfiguration(files.document);
  const unset = new Set<string>();
  const problems = [
    ...judged.problems.map(({ path, reason, remedy }) => ({ ...files.locate(path), reason, remedy })),
    ...settingsProblems(files, unset),
  ];
  const configuration = problems.length > 0 ? null : judged.configuration;
  return { configuration, problems, unsetSecrets: [...unset].sort(), locate: files.locate };
}

/** What applying a judged configuration would change. Nothing is written. */
export async function planJudged(
  databaseUrl: string,
  configuration: Configuration,
  prune: boolean,
): Promise<GivenPlan> {
  return await withHub(databaseUrl, (hub) => planWhole(hub, configuration, prune));
}

/** Makes a judged configuration the institution's, in one transaction. What it leaves out stays, unless `prune` has it archived.
 *  @throws SyncError configuration_invalid where it contradicts what is stored */
export async function applyJudged(
  databaseUrl: string,
  configuration: Configuration,
  actor: string,
  prune = false,
): Promise<ConfigurationDifference> {
  return await withHub(databaseUrl, (hub) => applyWhole(hub, configuration, actor, prune));
}

async function withHub<T>(databaseUrl: string, work: (hub: Hub) => Promise<T>): Promise<T> {
  const hub = createHub({ url: databaseUrl, role: 'concord_worker', max: 2 });
  try {
    return await work(hub);
  } finally {
    await hub.close();
  }
}

function settingsProblems({ document, locate }: ConfigurationFiles, unset: Set<string>): FileProblem[] {
  const systems = document['systems'];
  if (!Array.isArray(systems)) return [];
  return systems.flatMap((system: unknown, index): FileProblem[] => {
    if (!isRecord(system) || typeof system['kind'] !== 'string' || !isRecord(system['settings'])) return [];
    const { kind, settings } = system as { kind: string; settings: Readonly<Record<string, unknown>> };
    const at = `/systems/${String(index)}`;
    return problemsOf(kind, settings, unset).map((reason) => ({
      ...locate(`${at}${settingOf(reason)}`),
      reason,
      remedy: 'mend this setting; docs/guide/settings-and-steps.md lists them',
    }));
  });
}

function problemsOf(kind: string, settings: Readonly<Record<string, unknown>>, unset: Set<string>): readonly string[] {
  const read = (name: string): string => {
    // Told with the rest of the configuration.
    if (!isSecretName(name)) return unknownSecret;
    const secret = readSecret(name);
    if (secret === null) unset.add(name);
    return secret ?? unknownSecret;
  };
  try {
    return checkConnectorSettings(kind, resolveSecrets(settings, read));
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    return [error.message];
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
