import { stat } from 'node:fs/promises';
import { readConfigurationFile, readConfigurationFolder } from '../config/files.js';
import type { ConfigurationFiles, FileProblem } from '../config/files.js';

/* What the commands about configuration share: apply, diff and export. They speak to the API alone. */

/** What a command is given: where it writes, whom it may ask, and the API with the caller's key. */
export interface CommandIo {
  write(line: string): void;
  complain(line: string): void;
  /** Null: there is nobody to be asked. */
  readonly ask: ((question: string) => Promise<boolean>) | null;
  readonly api: ConfigurationApi;
}

export interface ConfigurationReply {
  readonly status: number;
  readonly body: unknown;
}

/** Paths are those below `/api/secretary/data-sync/`. */
export interface ConfigurationApi {
  get(path: string): Promise<ConfigurationReply>;
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<ConfigurationReply>;
}

/** *decide*: a person has to (nobody was there to be asked, or there is drift). *stale*: it changed meanwhile. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, decide: 3, stale: 4, forbidden: 5 } as const;

export interface Change {
  readonly kind: string;
  readonly name: string;
  readonly action: 'create' | 'change' | 'restore' | 'archive';
  readonly differences: readonly { readonly pointer: string; readonly before: unknown; readonly after: unknown }[];
}

/** What the API says of files: `configuration/diff` and `configuration/apply`. */
export interface ConfigurationDiff {
  readonly state: string;
  readonly valid: boolean;
  readonly problems: readonly { readonly pointer: string; readonly reason: string; readonly remedy: string }[];
  readonly changes: readonly Change[];
  readonly leftOut: readonly { readonly kind: string; readonly name: string }[];
}

/** Ends a command with a code; what there is to say has been said. */
export class Exit extends Error {
  constructor(readonly code: number) {
    super(`exit ${String(code)}`);
    this.name = 'Exit';
  }
}

/** Runs a command to its exit code. */
export const exitOf = async (command: () => Promise<number>): Promise<number> => {
  try {
    return await command();
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  }
};

/** The files of a folder, or one file. Says what cannot be read, and ends there. @throws Exit */
export const readGiven = async (path: string, io: CommandIo): Promise<ConfigurationFiles> => {
  const files = await readPath(path, io);
  if (files.problems.length > 0) refuse(files.problems, io);
  return files;
};

const readPath = async (path: string, io: CommandIo): Promise<ConfigurationFiles> => {
  try {
    return (await stat(path)).isDirectory() ? await readConfigurationFolder(path) : await readConfigurationFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    io.complain(`${path} cannot be read (${reason}): name a folder of configuration, or a file of it.`);
    throw new Exit(exitCodes.usage);
  }
};

/** Tells problems by file and line. @throws Exit */
export const refuse = (problems: readonly FileProblem[], io: CommandIo): never => {
  for (const { file, line, reason, remedy } of problems) io.complain(`${file}:${String(line)}: ${reason}: ${remedy}`);
  io.complain(`Refused: ${String(problems.length)} problem${problems.length === 1 ? '' : 's'}. Nothing was changed.`);
  throw new Exit(exitCodes.usage);
};

/** What the files would change, judged; says what is wrong with them, and ends there. @throws Exit */
export const askForDiff = async (
  files: ConfigurationFiles,
  prune: boolean,
  io: CommandIo,
): Promise<ConfigurationDiff> => {
  const reply = await io.api.post('configuration/diff', { configuration: givenOf(files), prune });
  if (reply.status !== 200) failed('configuration/diff', reply, io);
  // Sound: the reply is that of the document of the API.
  const diff = reply.body as ConfigurationDiff;
  if (diff.valid) return diff;
  return refuse(
    diff.problems.map(({ pointer, reason, remedy }) => ({ ...files.locate(pointer), reason, remedy })),
    io,
  );
};

/** The documents, as the API takes them: members without any are left out. */
export const givenOf = ({ document }: ConfigurationFiles): object =>
  Object.fromEntries(
    Object.entries(document).filter(
      ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
    ),
  );

/** Says what the API refused. @throws Exit */
export const failed = (what: string, { status, body }: ConfigurationReply, io: CommandIo): never => {
  const detail = typeof body === 'object' && body !== null && 'detail' in body ? String(body.detail) : '';
  io.complain(`${what} was answered with ${String(status)}${detail === '' ? '' : `: ${detail}`}`);
  throw new Exit(status === 401 || status === 403 ? exitCodes.forbidden : exitCodes.failed);
};

const marks = { create: '+', restore: '+', change: '~', archive: '-' } as const;

/** The lines that tell changes. */
export const changeLines = (changes: readonly Change[]): readonly string[] =>
  changes.flatMap(({ kind, name, action, differences }) => [
    `${marks[action]} ${action.padEnd(7)}  ${kind.replace('_', ' ')} ${name}`,
    ...differences.map(({ pointer, before, after }) => `      ${pointer}: ${shown(before)} -> ${shown(after)}`),
  ]);

/** The line that tells what stays though it is not in the files; none where there is nothing. */
export const leftOutLines = (leftOut: ConfigurationDiff['leftOut']): readonly string[] =>
  leftOut.length === 0
    ? []
    : [
        `Not in the files, and left as they are: ${leftOut.map(({ kind, name }) => `${kind.replace('_', ' ')} ${name}`).join(', ')}. (--prune archives them.)`,
      ];

const widest = 100;

const shown = (value: unknown): string => {
  if (value === null || value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > widest ? `${text.slice(0, widest)}…` : text;
};
