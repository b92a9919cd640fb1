/** The command finds in its cache folder what it translated in an earlier run. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { STARTED_OVER } from '../../src/restart.ts';

const CLI = join(import.meta.dirname, '../../src/cli.ts');
/** As the bundler does, for all threads. */
const BUNDLED = 'data:text/javascript,globalThis.AXVISOR_SOURCES = "test"';
const folder = mkdtempSync(join(tmpdir(), 'axvisor-kept-'));
const image = join(folder, 'image');
const stats = join(folder, 'stats');

/** Two loops, one of which calls a function, for some tenths of a second; then power off. */
const PROGRAM = `
start: li s0, 3000000
1: addi s1, s1, 3
  addi s0, s0, -1
  bnez s0, 1b
  li s0, 1000000
2: jal ra, function
  addi s0, s0, -1
  bnez s0, 2b
  li a7, 0x53525354
  li a6, 0
  li a0, 0
  li a1, 0
  ecall
function: addi s2, s2, 1
  ret
`;

interface Translated {
  readonly regions: number;
  readonly kept: number;
}

async function run(env: Readonly<Record<string, string>> = {}): Promise<Translated> {
  const args = ['run', '--arch', 'riscv64', '--kernel', image, '--load-addr', '0x80200000', '--stats', stats, '--timeout', '100'];
  await promisify(execFile)(process.execPath, ['--conditions=@axvisor/source', STARTED_OVER, '--import', BUNDLED, CLI, ...args], { env: { ...process.env, AXVISOR_CACHE: folder, ...env } });
  const { counters } = JSON.parse(readFileSync(stats, 'utf8')) as { readonly counters: Translated };
  return counters;
}

beforeAll(() => writeFileSync(image, assemble(PROGRAM, { base: 0x8020_0000n }).bytes));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('unless the cache is switched off', async () => {
  const first = await run();
  expect(first.regions).toBeGreaterThan(0);
  expect(first.kept).toBe(0);
  expect((await run()).kept).toBeGreaterThan(0);
  expect((await run({ NODE_DISABLE_COMPILE_CACHE: '1' })).kept).toBe(0);
});
