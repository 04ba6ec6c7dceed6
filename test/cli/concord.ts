import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { allCommands } from '../../cli/commands.js';
import { runConcord } from '../../cli/parser.js';
import type { CliEnvironment } from '../../config/env.js';

export interface Said {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** `concord` in this process, with an environment of its own. */
export class Concord {
  private readonly folder = mkdtempSync(join(tmpdir(), 'concord-cli-'));

  constructor(private readonly environment: Partial<CliEnvironment> = {}) {}

  get configFile(): string {
    return join(this.folder, 'config.json');
  }

  async run(line: string, options: { readonly input?: string; readonly terminal?: boolean } = {}): Promise<Said> {
    const printed = { out: '', err: '' };
    const isTerminal = options.terminal ?? false;
    const input = new PassThrough();
    input.end(options.input ?? '');
    const exitCode = await runConcord(allCommands, wordsOf(line), {
      environment: {
        ...{ url: null, key: null, profile: null, configFolder: this.folder, colours: null },
        ...this.environment,
      },
      output: { write: (text) => void (printed.out += text), isTerminal },
      errors: { write: (text) => void (printed.err += text), isTerminal },
      input: input as unknown as NodeJS.ReadStream,
      runningUrl: () => null,
      version: '1.2.3',
    });
    return { exitCode, ...printed };
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/* As a shell divides a line: quotation marks hold words together. */
const wordsOf = (line: string): readonly string[] =>
  [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double ?? single ?? bare ?? '');
