/* `concord`: the command line. `npx concord --help`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isatty } from 'node:tty';
import { ConfigError, readCliEnvironment, readConfig } from '../config/env.js';
import { projectFolder } from '../launch/project-folder.js';
import { allCommands } from './commands.js';
import { runConcord } from './parser.js';
import { findRunning } from './running.js';
import type { Output } from './terminal.js';

const outputOf = (stream: NodeJS.WriteStream & { readonly fd: number }): Output => ({
  write: (text) => void stream.write(text),
  isTerminal: isatty(stream.fd),
});

/* A wrong environment of the platform is no concern of whoever only asks another server. */
const runningUrl = (): string | null => {
  try {
    return findRunning(readConfig())?.apiUrl ?? null;
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
};

const { version } = JSON.parse(readFileSync(join(projectFolder(), 'package.json'), 'utf8')) as { version: string };

// A reader that has seen enough (`concord runs | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runConcord(allCommands, process.argv.slice(2), {
  environment: readCliEnvironment(),
  output: outputOf(process.stdout),
  errors: outputOf(process.stderr),
  input: process.stdin,
  ...{ runningUrl, version },
});
