export default async function teardown() {
  const { stopServers } = await import('./servers.ts');
  await stopServers();
}
