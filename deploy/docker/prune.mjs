// Removes from node_modules and dist what nothing reads at run time. Runs once, while the image is built; prints what it removed.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Types, source maps, sources of what is shipped compiled, and texts for developers. Licences stay. */
const UNUSED = /\.(d\.[cm]?ts|[cm]?ts|tsx|map|flow|coffee|c|cc|cpp|h|gyp|gypi|md|markdown)$/i;

/** Below node_modules. */
const UNUSED_PATHS = [
  // An optional peer of @nestjs/swagger, which `npm prune` leaves.
  'typescript',
  '.bin/tsc',
  '.bin/tsserver',
  '@types',
  // Other builds of the page that /docs serves.
  'swagger-ui-dist/swagger-ui.js',
  'swagger-ui-dist/swagger-ui-es-bundle.js',
  'swagger-ui-dist/swagger-ui-es-bundle-core.js',
];

const modules = 'node_modules';
let removed = 0;

for (const path of UNUSED_PATHS) remove(join(modules, path));
for (const path of [...filesBelow(modules), ...filesBelow('dist')]) {
  if (UNUSED.test(path) || isForeignBinary(path)) remove(path);
}
console.log(`Removed ${(removed / 1e6).toFixed(1)} MB that nothing reads at run time.`);

/** A prebuilt addon for another system: `prebuilds/<platform>-<arch>/<name>.<libc>.node` (node-gyp-build). */
function isForeignBinary(path) {
  const [, system, file] = /\/prebuilds\/([^/]+)\/([^/]+\.node)$/.exec(path) ?? [];
  if (system === undefined) return false;
  const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
  const built = /\.(glibc|musl)\./.exec(file)?.[1];
  return system !== `${process.platform}-${process.arch}` || (built !== undefined && built !== libc);
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function remove(path) {
  if (!existsSync(path)) return;
  removed += sizeOf(path);
  rmSync(path, { recursive: true, force: true });
}

function sizeOf(path) {
  if (!statSync(path).isDirectory()) return statSync(path).size;
  return filesBelow(path).reduce((sum, file) => sum + statSync(file).size, 0);
}
