/**
 * Bundles the command: `dist/cli.js` and what it loads in `dist/command`, a file each for what is loaded at the same time. A start loads some
 * ten files instead of three hundred, each of which Node would look for, check and compile. What snapshots of the heap are made of is a file for each
 * architecture. Libraries stay files of their own, as tsc makes them.
 */
import { createHash } from 'node:crypto';
import { globSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'vite';
import { ascii, bundleSnapshotProgram, COMMON } from './snapshot_bundle.ts';

const root = join(import.meta.dirname, '..');
const src = (file: string): string => join(root, 'src', file);
const COMMAND = 'command';

/** A hash of what generates interpreters. */
function sources(): string {
  const packages = join(root, '..');
  const hash = createHash('sha256');
  for (const file of globSync(['softcpu*/src/**/*.ts', 'axvisor_api/src/**/*.ts'], { cwd: packages }).toSorted()) hash.update(`${file}\0`).update(readFileSync(join(packages, file))).update('\0');
  return hash.digest('hex');
}

/** Most who take these never use them. */
const LATE = ['node:child_process'];

/**
 * Takes Node's own modules as they are. An `import` of one reads all that it exports, and much of that is loaded when it is read:
 * `node:fs` brings streams, `node:util` MIME types and locks. Whoever takes one of {@link LATE} as a whole gets it when it is used.
 */
const builtins: Plugin = {
  name: 'builtins',
  renderChunk: (code) => {
    const taken = code.replace(/^import (?:([\w$]+),? )?(?:\{ (.*) \} )?from "(node:[\w/]+)";$/gm, (_, whole?: string, parts?: string, name?: string) => {
      const module = `process.getBuiltinModule("${name}")`;
      if (whole !== undefined && parts === undefined && LATE.includes(name ?? '')) return `const ${whole} = new Proxy({}, { get: (_, key) => ${module}[key] });`;
      const names = [whole, ...(parts === undefined ? [] : [`{ ${parts.replaceAll(' as ', ': ')} }`])].filter((n) => n !== undefined && n !== '');
      return `const ${names.map((n) => `${n} = ${module}`).join(', ')};`;
    });
    if (/^import .*"node:/m.test(taken)) throw new Error(`an import that is not understood: ${/^import .*"node:.*/m.exec(taken)?.[0]}`);
    return { code: taken, map: null };
  },
};

const folder = join(root, 'dist');
rmSync(join(folder, COMMAND), { recursive: true, force: true });
const AXVISOR_SOURCES = sources();
const snapshots = createHash('sha256');
for (const arch of ['aarch64', 'riscv64', 'x86_64']) {
  const file = `${COMMAND}/snapshot_${arch}.cjs`;
  await bundleSnapshotProgram(arch, folder, file, AXVISOR_SOURCES);
  snapshots.update(readFileSync(join(folder, file)));
}
await build({
  ...COMMON,
  plugins: [builtins, ascii],
  define: { AXVISOR_SOURCES: JSON.stringify(AXVISOR_SOURCES), AXVISOR_SNAPSHOTS: JSON.stringify(snapshots.digest('hex').slice(0, 16)) },
  build: {
    ...COMMON.build,
    sourcemap: true,
    rolldownOptions: {
      // Programs of threads and processes lie beside what starts them.
      input: { cli: src('cli.ts'), cpu_thread: src('threads/cpu_thread.ts'), compiler_thread: src('threads/compiler_thread.ts'), worker: src('lockstep/worker.ts'), snapshot_maker: src('snapshot/maker.ts') },
      output: {
        entryFileNames: ({ name }) => (name === 'cli' ? '[name].js' : `${COMMAND}/[name].js`),
        // What never changes is told so to the engine.
        topLevelVar: false,
        comments: false,
        chunkFileNames: `${COMMAND}/[name]-[hash].js`,
      },
    },
  },
});
