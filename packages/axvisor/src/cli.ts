#!/usr/bin/env node
/** The `axvisor` command. */
import { readFileSync } from 'node:fs';
import { useCompileCache } from './compile_cache.ts';
import { restart } from './restart.ts';
import { heldCommand } from './snapshot/held.ts';
import { standBack } from './threads/pool.ts';

useCompileCache();
restart();
standBack();
const { main } = heldCommand() ?? (await import('./program.ts'));

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };

process.stdout.on('error', (e: NodeJS.ErrnoException) => {
  // The reader of our output is gone, as with `axvisor run | head`.
  if (e.code === 'EPIPE') process.exit(0);
  throw e;
});
process.exitCode = await main(process.argv.slice(2), version);
