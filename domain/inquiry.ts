import type { ColumnStatistics } from './column-statistics.js';
import type { ErrorCode } from './errors.js';
import type { MappingDefinition } from './mapping-definition.js';
import type { MappingTrial } from './mapping-trial.js';

/* What a person asks a system while they configure it. The answer comes from a worker: only workers reach systems. */

/** *connection_test*: does it answer, and what is it. *discovery*: what it holds. *mapping_trial*: what its rows would become.
 *  Kinds are stored: never rename one. */
export const inquiryKinds = ['connection_test', 'discovery', 'mapping_trial'] as const;
export type InquiryKind = (typeof inquiryKinds)[number];

/** The system answers. */
export interface ConnectionTest {
  readonly product: string;
  readonly version: string;
  readonly milliseconds: number;
  readonly capabilities: readonly string[];
}

export interface DiscoveryParameters {
  /** Only these, in figures too; absent: all, without figures. */
  readonly entities?: readonly string[];
}

export interface DiscoveredEntity {
  readonly entity: string;
  readonly key: readonly string[];
  readonly columns: readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[];
  /** Of the first rows, where they were read. */
  readonly statistics: { readonly rows: number; readonly columns: readonly ColumnStatistics[] } | null;
}

export interface Discovery {
  readonly entities: readonly DiscoveredEntity[];
  /** There are more than are told. */
  readonly more: boolean;
}

export interface TrialParameters {
  readonly definition: MappingDefinition;
  readonly limit: number;
}

/** What each kind answers. */
export interface InquiryAnswers {
  readonly connection_test: ConnectionTest;
  readonly discovery: Discovery;
  readonly mapping_trial: MappingTrial;
}

/** How many rows are read for figures, and for a trial at most. */
export const statisticsRows = 10_000;
export const trialRows = 100;

/** Whoever asks and hears nothing for so long need not wait: no worker takes it. */
export const inquirySeconds = 300;

/** What to do where a system did not answer as it should. */
export const remedyOf = (code: string): string =>
  remedies[code as ErrorCode] ?? 'Tell the operator; the log of the worker says more.';

const remedies: Readonly<Partial<Record<ErrorCode, string>>> = {
  source_unreachable: 'Check that the system is up, that its address is right, and that the worker may reach it.',
  source_forbidden: 'Set the secret that the settings name to credentials that the system takes.',
  source_schema_changed: 'Name a table or file that is there: discovery lists them.',
  target_unreachable: 'Check that the system is up, that its address is right, and that the worker may reach it.',
  target_forbidden: 'Grant the permission to write, or set the secret that the settings name.',
  target_schema_changed: 'Name a table or file that is there: discovery lists them.',
  delivery_incomplete: 'Have the files delivered again.',
  delivery_unreadable: 'Have the file delivered again, or mend how the settings describe it.',
  configuration_invalid:
    'Set the secrets that the settings name where the worker runs, and mend what the message names.',
  not_found: 'It is no longer configured.',
};
