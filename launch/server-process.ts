import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, renameSync, existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** The account a server runs as, where it may not be ours. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export interface ServerCommand {
  readonly executable: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What the server prints. The file of the start before is kept beside it, as `<file>.previous`. */
  readonly logFile: string;
  readonly account: Account | null;
  /** Asks the server to end; it gets `graceMilliseconds` for it. */
  readonly stopSignal: 'SIGINT' | 'SIGTERM';
  readonly graceMilliseconds: number;
}

export interface ServerProcess {
  readonly pid: number;
  /** Resolves when the process is gone, with how it ended; never rejects. */
  readonly exited: Promise<string>;
  running(): boolean;
  /** Asks it to end, and ends it by force after the grace time. */
  stop(): Promise<void>;
  /** For fault tests: no goodbye. */
  kill9(): Promise<void>;
}

/* Waits on a pipe that closes when we are gone, however we went (kill -9 too), then ends the server. Without it a killed
   command would leave its database running and its data folder occupied. */
const leashScript = `read -r _
kill -"$2" "$1" 2>/dev/null || exit 0
left=$3
while kill -0 "$1" 2>/dev/null; do
  [ "$left" -le 0 ] && { kill -KILL "$1" 2>/dev/null; exit 0; }
  sleep 1
  left=$((left - 1))
done`;

/** Starts a server in a session of its own: Ctrl-C in the terminal reaches us alone, and we stop the servers in the right order. */
export function startServerProcess(command: ServerCommand): ServerProcess {
  const log = openLog(command.logFile);
  const child = spawn(command.executable, command.args, {
    env: command.environment,
    stdio: ['ignore', log, log],
    detached: true,
    ...command.account,
  });
  closeSync(log);
  const exited = whenGone(child);
  const { pid } = child;
  if (pid === undefined) return neverStarted(exited);
  child.unref();
  const leash = startLeash(pid, command);
  void exited.then(() => leash.kill('SIGKILL'));
  const running = (): boolean => child.exitCode === null && child.signalCode === null;

  return {
    pid,
    exited,
    running,
    async stop(): Promise<void> {
      child.kill(command.stopSignal);
      const limit = new AbortController();
      const late = pause(command.graceMilliseconds, 'late', { signal: limit.signal }).catch(() => 'in time');
      if ((await Promise.race([exited, late])) === 'late') child.kill('SIGKILL');
      limit.abort();
      await exited;
    },
    async kill9(): Promise<void> {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function openLog(file: string): number {
  if (existsSync(file)) renameSync(file, `${file}.previous`);
  return openSync(file, 'w', 0o600);
}

function whenGone(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      resolve(error.message);
    });
    child.once('exit', (code, signal) => {
      resolve(signal === null ? `exit code ${String(code)}` : `signal ${signal}`);
    });
  });
}

function neverStarted(exited: Promise<string>): ServerProcess {
  const gone = async (): Promise<void> => {
    await exited;
  };
  return { pid: 0, exited, running: () => false, stop: gone, kill9: gone };
}

function startLeash(pid: number, command: ServerCommand): ChildProcess {
  const graceSeconds = Math.ceil(command.graceMilliseconds / 1000);
  const signal = command.stopSignal.replace('SIG', '');
  const leash = spawn('/bin/sh', ['-c', leashScript, 'leash', String(pid), signal, String(graceSeconds)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  leash.once('error', (error) => {
    process.emitWarning(`no /bin/sh to end a server after a crash of ours: ${error.message}`);
  });
  leash.unref();
  const pipe = leash.stdin as (typeof leash.stdin & { unref?: () => void }) | null;
  pipe?.unref?.();
  return leash;
}
