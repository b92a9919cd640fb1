/** The command finds in its cache folder what it translated in an earlier run. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import { afterAll, expect, test } from 'vitest';
import { STARTED_OVER } from '../../src/restart.ts';

const CLI = join(import.meta.dirname, '../../src/cli.ts');
/** As the bundler does, for all threads. */
const BUNDLED = 'data:text/javascript,globalThis.AXVISOR_SOURCES = "test"';
const folder = mkdtempSync(join(tmpdir(), 'axvisor-kept-'));

/** A loop within a loop for some time, by the guest's clock; then power off. */
const PROGRAM = `
start: rdtime s0
  li t0, TICKS
  add s0, s0, t0
1: li s1, 1000
2: addi s2, s2, 3
  addi s1, s1, -1
  bnez s1, 2b
  rdtime t1
  blt t1, s0, 1b
  li a7, 0x53525354
  li a6, 0
  li a0, 0
  li a1, 0
  ecall
`;
/** Ticks of the guest's clock in a second. */
const SECOND = 10_000_000n;

interface Translated {
  readonly regions: number;
  readonly kept: number;
}

/** Runs for so many seconds, with a cache folder. */
async function run(seconds: number, cache: string, env: Readonly<Record<string, string>> = {}): Promise<Translated> {
  const [image, stats] = [join(folder, 'image'), join(folder, 'stats')];
  writeFileSync(image, assemble(PROGRAM, { base: 0x8020_0000n, symbols: { TICKS: BigInt(seconds) * SECOND } }).bytes);
  const args = ['run', '--arch', 'riscv64', '--kernel', image, '--load-addr', '0x80200000', '--stats', stats, '--timeout', '100'];
  await promisify(execFile)(process.execPath, ['--conditions=@axvisor/source', STARTED_OVER, '--import', BUNDLED, CLI, ...args], { env: { ...process.env, AXVISOR_CACHE: cache, ...env } });
  const { counters } = JSON.parse(readFileSync(stats, 'utf8')) as { readonly counters: Translated };
  return counters;
}

/** Runs longer and longer until something was translated: on a busy machine the thread that does it takes its time. */
async function translate(cacheOf: (seconds: number) => string): Promise<{ readonly seconds: number; readonly counters: Translated }> {
  for (let seconds = 1; ; seconds *= 2) {
    const counters = await run(seconds, cacheOf(seconds));
    if (counters.regions > 0 || seconds > 30) return { seconds, counters };
  }
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('unless the cache is switched off', async () => {
  const cacheOf = (seconds: number): string => join(folder, `cache ${seconds}`);
  const { seconds, counters: first } = await translate(cacheOf);
  expect(first.regions).toBeGreaterThan(0);
  expect(first.kept).toBe(0);
  const again = await translate(() => cacheOf(seconds));
  expect(again.counters.kept).toBeGreaterThan(0);
  expect((await run(again.seconds, cacheOf(seconds), { NODE_DISABLE_COMPILE_CACHE: '1' })).kept).toBe(0);
});
