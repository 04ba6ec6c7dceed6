/* Runs a compiled entry point, after bringing the checkout into a state that can: `node scripts/run.mjs cli/demo [arguments]`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensure, root, say } from './ensure.mjs';

const [entry = '', ...args] = process.argv.slice(2);
try {
  ensure();
  const file = join(root, 'dist', `${entry}.js`);
  if (!existsSync(file)) throw new Error(`There is no ${entry}.ts in this version.`);
  process.setSourceMapsEnabled(true);
  process.argv = [process.argv[0], file, ...args];
  await import(pathToFileURL(file).href);
} catch (error) {
  // What an entry point throws in its first breath, such as a wrong environment, is one line; a defect is whole.
  const isPlain = ['Error', 'ConfigError', 'LaunchError'].includes(error?.name);
  say(isPlain ? error.message : String(error?.stack ?? error));
  process.exitCode = 1;
}
