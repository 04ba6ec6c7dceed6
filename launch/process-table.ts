import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Whether a process with this id is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, but belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The command line of a process, empty where there is none. */
export function commandLineOf(pid: number): string {
  return (
    askKernel(() => readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').replaceAll('\0', ' ')) ?? ps(pid, 'command')
  );
}

/** Tells apart two processes that had the same id one after the other. */
export function startMarkOf(pid: number): string {
  // The name in parentheses may hold spaces; the start time is the 20th field after it.
  const stat = askKernel(() => readFileSync(`/proc/${String(pid)}/stat`, 'utf8'));
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ps(pid, 'lstart');
}

function askKernel(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null; // no such process, or a system without /proc: ps is asked instead
  }
}

function ps(pid: number, column: string): string {
  try {
    return execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return ''; // ps ends with 1 where there is no such process
  }
}
