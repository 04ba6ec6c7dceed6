import type { Connector } from '../connectors/capabilities.js';
import type { Hub } from '../database/hub.js';
import type { SystemDefinition } from '../domain/job-definition.js';
import type { ConfigurationCache } from './context.js';

/** What activities work with; made once by the composition root of the worker. */
export interface ActivityDependencies {
  readonly hub: Hub;
  readonly configurations: ConfigurationCache;
  /** A connector with its secrets resolved; the caller closes it. */
  readonly openConnector: (system: SystemDefinition) => Connector;
  /** Tells Temporal that the attempt is alive; throws when the run was cancelled. */
  readonly heartbeat: () => void;
  /** Fires when the run is cancelled or the attempt timed out. */
  readonly cancelled: () => AbortSignal | undefined;
  /** Rows of a source are told apart in memory up to so many, by default 2,000,000. */
  readonly mostKnown?: number;
  /** Changed rows are told to a target in chunks from so many on, by default 500. */
  readonly fewestInChunks?: number;
  /** A place where fault tests may end the process. */
  readonly crashPoint: (name: string) => void;
}
