import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { claimFolder } from '../../launch/folder-claim.js';
import type { FolderClaim } from '../../launch/folder-claim.js';
import { startPostgres } from '../../launch/postgres.js';
import type { RunningPostgres } from '../../launch/postgres.js';
import { projectFolder } from '../../launch/project-folder.js';
import { findTemporal } from '../../launch/temporal-binary.js';
import { startTemporal } from '../../launch/temporal-server.js';
import type { RunningTemporal, SearchAttribute } from '../../launch/temporal-server.js';
import { templateName } from './database.js';

interface Servers {
  claim: FolderClaim;
  postgres: RunningPostgres;
  temporal: RunningTemporal | null;
}

let servers: Servers | null = null;

/** Brings up what the tests need, once a Jest run. Several runs at a time each get a folder of their own. */
export async function startServers(wanted: { readonly temporal: boolean }): Promise<void> {
  servers ??= await startDatabase();
  if (wanted.temporal) servers.temporal ??= await startTemporalServer(servers.claim.folder);
  process.env['CONCORD_TEST_DATABASE_URL'] = servers.postgres.url;
  if (servers.temporal !== null) process.env['CONCORD_TEST_TEMPORAL_ADDRESS'] = servers.temporal.address;
}

/** Ends them. */
export async function stopServers(): Promise<void> {
  const ending = servers;
  servers = null;
  await ending?.temporal?.stop();
  await ending?.postgres.stop();
  ending?.claim.release();
}

async function startDatabase(): Promise<Servers> {
  const claim = claimFreeFolder();
  try {
    const postgres = await startPostgres({
      folder: claim.folder,
      preferredPort: 0,
      fresh: true,
      // Test data need not survive a power cut.
      settings: { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', shared_buffers: '256MB' },
    });
    await makeTemplate(postgres.url);
    return { claim, postgres, temporal: null };
  } catch (error) {
    claim.release();
    throw error;
  }
}

function claimFreeFolder(): FolderClaim {
  for (let slot = 1; ; slot += 1) {
    const claim = claimFolder(join(projectFolder(), '.concord', `test-${String(slot)}`));
    if ('folder' in claim) return claim;
  }
}

async function startTemporalServer(folder: string): Promise<RunningTemporal> {
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const executable = await findTemporal({ folder: join(projectFolder(), '.concord', 'bin'), progress });
  const searchAttributes = await declaredSearchAttributes();
  return await startTemporal({
    executable,
    folder,
    fresh: true,
    preferredPort: 0,
    preferredUiPort: null,
    searchAttributes,
  });
}

async function makeTemplate(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`create database ${templateName}`);
  await client.end();
  const template = new URL(url);
  template.pathname = `/${templateName}`;
  const module = await importIfPresent('database/migrate.ts');
  const migrate = module?.['migrate'] as ((url: string) => Promise<void>) | undefined;
  await migrate?.(template.href);
}

async function declaredSearchAttributes(): Promise<readonly SearchAttribute[]> {
  const module = await importIfPresent('worker/search-attributes.ts');
  return (module?.['searchAttributes'] as readonly SearchAttribute[] | undefined) ?? [];
}

async function importIfPresent(path: string): Promise<Record<string, unknown> | null> {
  const file = join(projectFolder(), path);
  return existsSync(file) ? ((await import(pathToFileURL(file).href)) as Record<string, unknown>) : null;
}
