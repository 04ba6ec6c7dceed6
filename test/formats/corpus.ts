import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const besideTheCheckout = fileURLToPath(new URL('../../../shared/data', import.meta.url));

/** The folder of data that nobody here wrote (`CONCORD_CORPUS`), or null with a loud word where it is absent. */
export const corpusFolder = (name: string): string | null => {
  const folder = join(process.env['CONCORD_CORPUS'] ?? besideTheCheckout, name);
  if (existsSync(folder)) return folder;
  process.stderr.write(
    `\n*** SKIPPED: ${name} is not in the corpus (${folder}). Set CONCORD_CORPUS to test against real data. ***\n\n`,
  );
  return null;
};
