import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { freePort } from '../../launch/ports.js';
import { projectFolder } from '../../launch/project-folder.js';
import { Reader, fits, stepsOf, withOutputs } from './guide.js';

/* Every guide is followed by a reader who has nothing but a checkout, on servers of its own. UPDATE_GUIDES=1 writes what was printed
   into a guide where it says something else: review it like code, and put … where machines differ. */

const folder = join(projectFolder(), 'docs', 'guide');
const guides = readdirSync(folder).filter((name) => stepsOf(readFileSync(join(folder, name), 'utf8')).length > 0);
const update = process.env['UPDATE_GUIDES'] === '1';

describe('guides', () => {
  test('there are some', () => {
    expect(guides).toContain('first-hour.md');
  });

  test.each(guides)(
    '%s',
    async (name) => {
      const file = join(folder, name);
      const place = mkdtempSync(join(tmpdir(), 'concord-guide-'));
      const reader = new Reader(join(place, 'desk'), await environmentIn(place));
      const changed = new Map<number, string>();
      try {
        for (const step of stepsOf(readFileSync(file, 'utf8'))) {
          if (!update) {
            await reader.follow(step);
            continue;
          }
          const printed = await reader.follow({ ...step, output: null, exitCode: step.exitCode, retries: false });
          if (step.output !== null && !fits(step.output, printed)) changed.set(step.line, printed);
        }
        if (update) withOutputs(file, changed);
      } finally {
        await reader.close();
        rmSync(place, { recursive: true, force: true });
      }
    },
    600_000,
  );

  test('what is expected is compared line by line', () => {
    expect(fits('a … c\n…\nz', 'a b c\n1\n2\nz\n')).toBe(true);
    expect(fits('a … c', 'a b d')).toBe(false);
    expect(fits('a.c', 'abc')).toBe(false);
    expect(fits('a', 'a\nb')).toBe(false);
  });
});

/* What a reader's machine has: `concord` on the path, a home of its own, free ports, and the programs that the first start fetches. */
async function environmentIn(place: string): Promise<Readonly<Record<string, string>>> {
  const [bin, data] = [join(place, 'bin'), join(place, 'data')];
  for (const one of [bin, data, join(place, 'home')]) mkdirSync(one);
  symlinkSync(join(projectFolder(), 'scripts', 'concord.mjs'), join(bin, 'concord'));
  const fetched = join(projectFolder(), '.concord', 'bin');
  if (existsSync(fetched)) symlinkSync(fetched, join(data, 'bin'));
  return {
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    ...{ HOME: join(place, 'home'), XDG_CONFIG_HOME: join(place, 'home', '.config') },
    CONCORD_DATA_FOLDER: data,
    CONCORD_API_PORT: String(await freePort(0)),
    ...{ DATABASE_URL: '', TEMPORAL_ADDRESS: '', NO_COLOR: '1' },
  };
}
