import { readdirSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const source = process.env['AXVISOR_DIST'] === '1' ? [] : ['@axvisor/source'];

export default defineConfig({
  test: {
    reporters: ['default', './packages/tooling/src/reporter.ts'],
    projects: readdirSync(new URL('packages', import.meta.url)).map((name) => ({
      root: `packages/${name}`,
      resolve: { conditions: [...source, 'module', 'browser', 'development|production'] },
      ssr: { resolve: { conditions: [...source, 'module', 'node', 'development|production'] } },
      test: {
        name,
        include: ['test/**/*.test.ts'],
        // A limit for what hangs; how long a test takes on a busy machine says nothing.
        testTimeout: 120_000,
        hookTimeout: 120_000,
        execArgv: source.map((c) => `--conditions=${c}`),
      },
    })),
  },
});
