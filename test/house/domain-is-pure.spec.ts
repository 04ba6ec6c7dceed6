import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const folder = fileURLToPath(new URL('../../domain/', import.meta.url));
const impure = /\b(async|await|process\.env|Date\.now|Math\.random|new Date\(\)|setTimeout|setInterval|fetch\()/;

test('domain/ waits for nothing, and asks neither clock nor chance nor environment', () => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const sources = files.filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'));
  expect(sources.length).toBeGreaterThan(0);
  const found = sources.flatMap((file) =>
    code(readFileSync(`${folder}/${file}`, 'utf8'))
      .split('\n')
      .flatMap((line, index) => (impure.test(line) ? [`domain/${file}:${String(index + 1)} ${line.trim()}`] : [])),
  );
  expect(found).toEqual([]);
});

/* Comments may speak of what the code must not do. Line breaks stay, for the numbers. */
function code(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, '')).replace(/\/\/.*$/gm, '');
}
