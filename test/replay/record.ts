import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { NativeConnection } from '@temporalio/worker';
import { format } from 'prettier';
import { projectFolder } from '../../launch/project-folder.js';
import { findTemporalTestServer } from '../../launch/temporal-binary.js';
import { startServers, stopServers } from '../harness/servers.js';
import { connectTemporal, temporalAddress } from '../harness/temporal.js';
import { patientScenarios, scenarios } from '../workflows/scenarios.js';
import type { Scenario } from '../workflows/scenarios.js';
import { Theatre, quietRuntime } from '../workflows/stage.js';

const folder = join(projectFolder(), 'test', 'replay', 'histories');

/** Plays every scenario and keeps its history. Run by hand when a scenario is new; the histories of old ones stay as they were
 *  recorded, since they stand for runs that are under way when a new version is installed. */
export async function recordHistories(wanted: readonly string[]): Promise<void> {
  quietRuntime();
  mkdirSync(folder, { recursive: true });
  const chosen = (each: Scenario): boolean => wanted.length === 0 || wanted.includes(each.name);
  await onDevelopmentServer(scenarios.filter(chosen));
  await onTimeSkippingServer(patientScenarios.filter(chosen));
}

async function onDevelopmentServer(played: readonly Scenario[]): Promise<void> {
  await startServers({ temporal: true });
  const connection = await connectTemporal();
  const native = await NativeConnection.connect({ address: temporalAddress() });
  const theatre = await Theatre.open(new Client({ connection }), native);
  for (const scenario of played) await record(theatre, scenario);
  await theatre.close();
  await native.close();
  await connection.close();
  await stopServers();
}

async function onTimeSkippingServer(played: readonly Scenario[]): Promise<void> {
  const path = await findTemporalTestServer({ folder: join(projectFolder(), '.concord', 'bin') });
  const executable = { type: 'existing-path' as const, path };
  const environment = await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
  const theatre = await Theatre.open(environment.client, environment.nativeConnection, false);
  for (const scenario of played) await record(theatre, scenario);
  await theatre.close();
  await environment.teardown();
}

async function record(theatre: Theatre, scenario: Scenario): Promise<void> {
  const { handle } = await theatre.play(scenario);
  await handle.result().catch(() => undefined); // a failed run is a history too
  const first = theatre.firstRun(handle);
  const history = anonymous(JSON.parse(historyToJSON(await first.fetchHistory())));
  const file = join(folder, `${scenario.name}.json`);
  rmSync(file, { force: true });
  const text = JSON.stringify({ workflowId: handle.workflowId, history });
  writeFileSync(file, await format(text, { parser: 'json', printWidth: 120 }));
  process.stderr.write(`${scenario.name}\n`);
}

/* Where it was recorded is nobody's business, and not part of what is replayed. */
function anonymous(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(anonymous);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (key === 'identity' && typeof inner === 'string') return [key, 'recorded'];
      if (key === 'stackTrace') return [key, ''];
      return [key, anonymous(inner)];
    }),
  );
}
