/**
 * Bundles the command: `dist/cli.js` and what it loads in `dist/command`, a file each for what is loaded at the same time. A start loads some
 * ten files instead of three hundred, each of which Node would look for, check and compile. Libraries stay files of their own, as tsc makes them.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';

const root = join(import.meta.dirname, '..');
const src = (file: string): string => join(root, 'src', file);
const COMMAND = 'command';

rmSync(join(root, 'dist', COMMAND), { recursive: true, force: true });
await build({
  root,
  configFile: false,
  logLevel: 'warn',
  // What npm installs beside it anyway is left out: it is optional.
  ssr: { noExternal: true, external: ['wabt'], resolve: { conditions: ['@axvisor/source', 'node', 'import'] } },
  build: {
    ssr: true,
    target: 'node24',
    outDir: 'dist',
    emptyOutDir: false,
    minify: false,
    sourcemap: true,
    rolldownOptions: {
      // Programs of threads lie beside what starts them.
      input: { cli: src('cli.ts'), cpu_thread: src('threads/cpu_thread.ts'), compiler_thread: src('threads/compiler_thread.ts'), worker: src('lockstep/worker.ts') },
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
