import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync, linkSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, startMarkOf } from './process-table.js';

/** Holds a data folder for this process, so that two commands never run servers on the same data. */
export interface FolderClaim {
  readonly folder: string;
  release(): void;
}

/** Claims `folder` (made where absent), or tells the process that has it. A claim whose process is gone is taken over. */
export function claimFolder(folder: string): FolderClaim | { readonly heldBy: number } {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'claim');
  const mine = `${String(process.pid)} ${startMarkOf(process.pid)}`;
  for (;;) {
    if (linkExclusively(file, mine)) return { folder, release: () => releaseClaim(file, mine) };
    const held = readClaim(file);
    if (held === null) continue;
    const pid = Number.parseInt(held, 10);
    if (pid > 0 && isAlive(pid) && held === `${String(pid)} ${startMarkOf(pid)}`) return { heldBy: pid };
    discardStale(file, held);
  }
}

/* A hard link appears whole or not at all: nobody reads a claim that is half written. */
function linkExclusively(file: string, content: string): boolean {
  const draft = `${file}.${String(process.pid)}`;
  writeFileSync(draft, content);
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function readClaim(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/* Moved aside first: of two commands that find the same stale claim only one can move it, and what it moved is looked at again. */
function discardStale(file: string, expected: string): void {
  const aside = `${file}.stale.${String(process.pid)}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (readClaim(aside) !== expected) linkBack(aside, file);
  rmSync(aside, { force: true });
}

function linkBack(aside: string, file: string): void {
  try {
    linkSync(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function releaseClaim(file: string, mine: string): void {
  if (readClaim(file) === mine) rmSync(file, { force: true });
}
