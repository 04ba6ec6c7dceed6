/* A package with native code comes as one optional package for each platform. Where a registry lacks those of other platforms
   npm leaves them out of package-lock.json, and then `npm ci` refuses that file everywhere. This writes them in:
   `node scripts/complete-lock.mjs` after a change of packages. Without a checksum, which only the other platform can compute. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './ensure.mjs';

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openharmony', 'sunos', 'win32'];
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

/** What a lock file lacks: `[path, entry]` of each optional package that another package names. */
export function missingFrom(lock) {
  const missing = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isThere(lock.packages, path, name)) continue;
      if (!/^\d/.test(version)) throw new Error(`${name} ${version} of ${path} is a range: add it by hand.`);
      missing.push([
        `node_modules/${name}`,
        { version, ...platformOf(name), ...(entry.dev ? { dev: true } : {}), optional: true },
      ]);
    }
  }
  return missing;
}

/* As Node looks for it: within the package, then one level further out. */
function isThere(packages, path, name) {
  if (packages[`${path === '' ? '' : `${path}/`}node_modules/${name}`]) return true;
  if (path === '') return false;
  return isThere(packages, path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/'))), name);
}

function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  if (!os || !cpu) throw new Error(`For which platform is ${name}? Add it by hand.`);
  const libc =
    os !== 'linux'
      ? null
      : words.some((word) => word.startsWith('musl'))
        ? 'musl'
        : words.includes('gnu')
          ? 'glibc'
          : null;
  return { cpu: [cpu], ...(libc ? { libc: [libc] } : {}), os: [os] };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const file = join(root, 'package-lock.json');
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  const missing = missingFrom(lock);
  lock.packages = Object.fromEntries(
    [...Object.entries(lock.packages), ...missing].sort(([a], [b]) => a.localeCompare(b, 'en')),
  );
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  process.stderr.write(`${missing.length} packages of other platforms added.\n`);
}
