import type { ConcordClient } from '../client/client.js';
import type { ExitCode } from './exit-codes.js';
import type { Settings } from './settings.js';
import type { Paint, Progress } from './terminal.js';

/* A command of `concord` as data: what it takes, what its help says, what it does. The parser, the help, the completion scripts
   and docs/guide/commands.md are made of these. */

export interface ArgumentSpec {
  readonly name: string;
  readonly description: string;
  readonly optional?: boolean;
}

export interface OptionSpec {
  /** As typed, without the dashes: `dry-run`. */
  readonly name: string;
  readonly short?: string;
  readonly description: string;
  /** What its value is called in help; absent: a flag. */
  readonly value?: string;
  /** The only values it may have. */
  readonly choices?: readonly string[];
}

export interface Example {
  readonly command: string;
  readonly does: string;
}

export interface Command {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  readonly examples: readonly Example[];
  /** Absent: it only has subcommands. */
  readonly run?: (call: Call) => Promise<Outcome>;
  readonly subcommands?: readonly Command[];
}

/** What a command came to: `data` for `--json`, `text` for people. */
export interface Outcome {
  readonly data: unknown;
  readonly text: (paint: Paint) => string;
  /** Default: ok. */
  readonly exitCode?: ExitCode;
}

/** One use of a command. */
export interface Call {
  /** An argument that has to be there. */
  argument(name: string): string;
  /** An argument or option that may be absent. */
  given(name: string): string | undefined;
  flag(name: string): boolean;
  /** The API, asked with the caller's key. @throws Failure access where there is no key */
  api(): ConcordClient;
  /** Where it is, and where keys are kept. */
  readonly settings: Settings;
  /** Colours of standard error. */
  readonly paint: Paint;
  /** Says what goes on, on standard error; silent with `--quiet`. */
  readonly progress: Progress;
  /** Whether somebody sits at the terminal. */
  readonly isWatched: boolean;
  /** Answered by whoever sits at the terminal; null where nobody does. */
  ask(question: string): Promise<string | null>;
  /** What comes on standard input, whole. */
  input(): Promise<string>;
}
