import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from '../../launch/project-folder.js';

export interface EntryPoint {
  /** Path of the source without extension, such as `worker/main`; run as compiled (`npm run build` first). */
  readonly entry: string;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ChildProgram {
  readonly pid: number;
  /** Everything printed so far, standard output and error together. */
  output(): string;
  /** Resolves with the first line that matches, printed before or after the call; rejects when the program ends without. */
  line(pattern: RegExp, timeoutMilliseconds?: number): Promise<string>;
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  /** SIGTERM, then SIGKILL after 20 s. */
  stop(): Promise<void>;
  kill9(): Promise<void>;
}

/** Starts a compiled entry point as a process of its own. */
export function startProgram(options: EntryPoint): ChildProgram {
  const file = join(projectFolder(), 'dist', `${options.entry}.js`);
  if (!existsSync(file)) throw new Error(`${file} is not there: run \`npm run build\` first.`);
  const child = spawn(process.execPath, ['--enable-source-maps', file, ...(options.args ?? [])], {
    env: { ...withoutJestFlags(), ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: projectFolder(),
  });
  let printed = '';
  const watchers = new Set<() => void>();
  const notify = (): void => {
    for (const watcher of watchers) watcher();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      notify();
    });
  }
  let ended: number | string | null = null;
  const exited = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => {
      ended = signal ?? code ?? 'unknown';
      notify();
      resolve(ended);
    });
  });

  const line = (pattern: RegExp, timeoutMilliseconds = 30_000): Promise<string> =>
    new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        watchers.delete(look);
        settle();
      };
      const fail = (why: string): void => {
        finish(() => {
          reject(new Error(`${options.entry} ${why} without a line like ${String(pattern)}; it printed:\n${printed}`));
        });
      };
      const look = (): void => {
        const found = printed.split('\n').find((text) => pattern.test(text));
        if (found !== undefined) {
          finish(() => {
            resolve(found);
          });
        } else if (ended !== null) fail(`ended (${String(ended)})`);
      };
      const timer = setTimeout(() => {
        fail(`waited ${String(timeoutMilliseconds)} ms`);
      }, timeoutMilliseconds);
      watchers.add(look);
      look();
    });

  return {
    pid: child.pid ?? 0,
    output: () => printed,
    line,
    exited,
    async stop(): Promise<void> {
      if (ended !== null) return;
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await exited;
      clearTimeout(late);
    },
    async kill9(): Promise<void> {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function withoutJestFlags(): Record<string, string | undefined> {
  const { NODE_OPTIONS: _jestFlags, JEST_WORKER_ID: _worker, ...environment } = process.env;
  return environment;
}
