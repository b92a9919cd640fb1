/** Bundles the program of which a snapshot of the heap is made: what `run` may load for one architecture, in one file. */
import { join } from 'node:path';
import { build, type InlineConfig, type Plugin } from 'vite';

const ROOT = join(import.meta.dirname, '..');

/** What bundles of the command have in common. */
export const COMMON: InlineConfig & { readonly build: object } = {
  root: ROOT,
  configFile: false,
  logLevel: 'warn',
  // What npm installs beside it anyway is left out: it is optional.
  ssr: { noExternal: true, external: ['wabt'], resolve: { conditions: ['@axvisor/source', 'node', 'import'] } },
  build: { ssr: true, target: 'node24', outDir: 'dist', emptyOutDir: false, minify: false },
};

/** Modules, as they are imported, that `run` does not load. */
const ELSEWHERE = /^\.\/commands\/(lockstep|profile|images|config)\.ts$|\/compile$|^\.\.?\/guest_code\/|^wabt$/;
/** Modules of one architecture. */
const OF_ARCHITECTURE = /^\.\/(?:guests\/embedded_)?(aarch64|riscv64|x86_64)\.ts$/;

/** Loads at once what is loaded when it is wanted, so that no function has to ask whether it is there. Who wants what is left out starts over. */
const atOnce = (arch: string): Plugin => ({
  name: 'at-once',
  enforce: 'pre',
  transform: (code, id) => {
    if (!id.endsWith('.ts')) return undefined;
    const held: string[] = [];
    const changed = code.replace(/\bimport\('([^']+)'\)/g, (_, name: string) => {
      const of = OF_ARCHITECTURE.exec(name)?.[1];
      if (ELSEWHERE.test(name) || (of !== undefined && of !== arch)) return 'startOver()';
      held.push(name);
      return `Promise.resolve(held${held.length - 1})`;
    });
    if (changed === code) return undefined;
    const startOver = join(ROOT, 'src/snapshot/start_over.ts');
    return { code: [...held.map((name, i) => `import * as held${i} from '${name}';`), `import { startOver } from '${startOver}';`, changed].join('\n'), map: null };
  },
});

/** Writes what is not ASCII as escapes: a single such character makes two bytes of each of the others in memory. */
export const ascii: Plugin = {
  name: 'ascii',
  generateBundle: (_, bundle) => {
    for (const chunk of Object.values(bundle))
      if (chunk.type === 'chunk') chunk.code = chunk.code.replace(/[^\0-\x7f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  },
};

/** Writes the program for `arch` to `file` in `folder`. @param sources - a hash of what generates interpreters */
export async function bundleSnapshotProgram(arch: string, folder: string, file: string, sources: string): Promise<void> {
  await build({
    ...COMMON,
    plugins: [atOnce(arch), ascii],
    define: { AXVISOR_SOURCES: JSON.stringify(sources) },
    build: {
      ...COMMON.build,
      outDir: folder,
      rolldownOptions: {
        input: join(ROOT, 'src/snapshot/program.ts'),
        // Its text is part of the snapshot: the shorter, the better.
        output: { format: 'cjs', codeSplitting: false, entryFileNames: file, topLevelVar: false, comments: false, minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } } },
      },
    },
  });
}
