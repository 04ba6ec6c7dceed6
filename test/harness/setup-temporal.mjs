/* See setup-database.mjs. */
import { register } from 'node:module';

register('./typescript-loader.mjs', import.meta.url);

export default async function setupTemporal() {
  const { startServers } = await import('./servers.ts');
  await startServers({ temporal: true });
}
