import { LaunchError } from '../launch/launch-error.js';
import type { DemoPlatform } from '../samples/lakeside/story-platform.js';

/** What Concord is started with for the demo. */
export interface DemoSetting {
  /** Database `concord` as its owner, and Temporal. */
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  /** The configuration to apply, and the secrets that it names. */
  readonly configurationFolder: string;
  readonly secrets: Readonly<Record<string, string>>;
}

export interface OpenDemoPlatform {
  readonly platform: DemoPlatform;
  /** Where a browser finds the API. */
  readonly apiUrl: string;
  close(): Promise<void>;
}

/** Starts workers and API, applies the configuration, and speaks to them over HTTP with a secretary's and a steward's key. */
export const openDemoPlatform = async (_setting: DemoSetting): Promise<OpenDemoPlatform> => {
  throw new LaunchError('The demo needs the HTTP API, which is not part of this version yet.');
};
