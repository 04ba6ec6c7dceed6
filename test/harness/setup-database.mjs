/* Jest runs a setup file once for all projects that name it, so each kind of project has one of its own; they share what is up. */
import { register } from 'node:module';

register('./typescript-loader.mjs', import.meta.url);

export default async function setupDatabase() {
  const { startServers } = await import('./servers.ts');
  await startServers({ temporal: false });
}
