import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from '../config/env.js';
import { projectFolder } from '../launch/project-folder.js';

/** What a running `npm start` tells other commands. Holds the password of the database: only its user may read the file. */
export interface RunningPlatform {
  readonly pid: number;
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly apiUrl: string;
}

const fileIn = (folder: string): string => join(folder, 'running.json');

/** Tells others; the folder is that of `npm start`. */
export function tellRunning(folder: string, platform: RunningPlatform): void {
  const file = fileIn(folder);
  const draft = `${file}.${String(process.pid)}`;
  writeFileSync(draft, JSON.stringify(platform), { mode: 0o600 });
  renameSync(draft, file);
}

export function tellStopped(folder: string): void {
  rmSync(fileIn(folder), { force: true });
}

/** The `npm start` of this project that runs now, null where none does. */
export function findRunning(config: Config): RunningPlatform | null {
  const told = read(fileIn(join(resolve(projectFolder(), config.dataFolder), 'start')));
  return told !== null && isAlive(told.pid) ? told : null;
}

function read(file: string): RunningPlatform | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as RunningPlatform;
  } catch {
    return null; // none, or one that is being written
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
