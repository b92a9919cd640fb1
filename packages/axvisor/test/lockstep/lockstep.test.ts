import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import { describe, expect, test } from 'vitest';
import type { RawRunOptions } from '../../src/commands/run_options.ts';
import { guestCode } from '../../src/guest_code/index.ts';
import { report } from '../../src/lockstep/report.ts';
import { search } from '../../src/lockstep/search.ts';
import type { MachineState, Side } from '../../src/lockstep/state.ts';
import { threadSide } from '../../src/lockstep/thread_side.ts';
import { GOOD } from './fault.ts';
import { axvisor, cachedImage } from '../guests/session.ts';

const OPTIONS: RawRunOptions = { arch: 'riscv64', guest: 'embedded', memory: '16M', disk: [], clock: 'virtual', engine: 'interpreter', translationMemory: '64M', log: 'warn' };

describe('the search', () => {
  /** A machine that counts; from `fault` on it counts wrongly, and ends at `end`. */
  const fake = (name: string, fault: bigint, end: bigint): Side => ({
    name,
    run: async ({ to: wanted }) => {
      const instructions = wanted < end ? wanted : end;
      const state: MachineState = { instructions, ended: wanted > end, registers: { pc: 4n * instructions, a0: instructions >= fault ? 1n : 0n }, code: new Uint8Array([0x13, 0, 0, 0]), memory: '', console: '' };
      return state;
    },
    close: async () => {},
  });
  const NEVER = 1n << 60n;

  test.each([1n, 2n, 63n, 64n, 65n, 999n, 1000n, 1001n, 54_321n])('finds a fault in instruction %i', async (fault) => {
    const { divergence, agreed } = await search({ start: () => [fake('good', NEVER, NEVER), fake('bad', fault, NEVER)], interval: 1000n });
    expect(agreed).toBe(fault - 1n);
    expect(divergence?.before.registers['pc']).toBe(4n * (fault - 1n));
    expect(divergence?.differences).toEqual([{ what: 'a0', a: '0x0', b: '0x1' }]);
  });

  test('finds that one side ends earlier', async () => {
    const { agreed } = await search({ start: () => [fake('long', NEVER, 5000n), fake('short', NEVER, 4321n)], interval: 1000n });
    expect(agreed).toBe(4321n);
  });

  test('ends where both end, and at the limit', async () => {
    const start = (): [Side, Side] => [fake('a', NEVER, 5000n), fake('b', NEVER, 5000n)];
    expect(await search({ start, interval: 900n })).toEqual({ agreed: 5000n });
    expect(await search({ start, interval: 900n, limit: 2000n })).toEqual({ agreed: 2000n });
  });
});

test('a fault of the processor is found to the instruction', async () => {
  const program = new URL('faulty_worker.ts', import.meta.url);
  const start = (): [Side, Side] => [threadSide('sound', [], OPTIONS), threadSide('faulty', [], OPTIONS, program)];
  const result = await search({ start, interval: 50_000n, limit: 200_000n });
  expect(result.agreed).toBe(BigInt(GOOD) - 1n);
  expect(result.divergence?.differences.map(({ what }) => what)).toEqual(['s11']);
  expect(report(result, await guestCode('riscv64'))).toMatch(/^the sides differ after instruction 123456\n {2}0x[0-9a-f]+: [0-9a-f]+ {2}\w.*\nnext on sound\n {2}0x.*\nnext on faulty\n {2}0x.*\ns11 {2}sound 0x[0-9a-f]+ {2}faulty 0x[0-9a-f]+\n$/);
});

test.each([['riscv64', 'auto'], ['riscv64', 'translator'], ['aarch64', 'auto'], ['aarch64', 'translator'], ['x86_64', 'auto'], ['x86_64', 'translator']])('the embedded guest of %s agrees on the interpreter and on %s', async (arch, engine) => {
  const start = (): [Side, Side] => [threadSide('interpreter', [], { ...OPTIONS, arch }), threadSide(engine, [], { ...OPTIONS, arch, engine })];
  expect(await search({ start, interval: 150_000n, limit: 1_000_000n })).toEqual({ agreed: 1_000_000n });
});

test.runIf((await cachedImage('debian-amd64')) !== undefined)('Debian amd64 agrees on the interpreter and on auto', async () => {
  const options: RawRunOptions = { ...OPTIONS, arch: 'x86_64', guest: 'debian-amd64', memory: '256M' };
  const start = (): [Side, Side] => [threadSide('interpreter', [], options), threadSide('auto', [], { ...options, engine: 'auto' })];
  expect(await search({ start, interval: 10_000_000n, limit: 30_000_000n })).toEqual({ agreed: 30_000_000n });
});

test('code of x86-64 is listed with its bytes', async () => {
  const code = Uint8Array.of(0x48, 0x8b, 0x40, 0x08, 0x90);
  const { decode } = await guestCode('x86_64');
  expect(decode(code, 0x1000n)).toEqual({ length: 4, bytes: '48 8b 40 08', text: 'mov rax,QWORD PTR [rax+0x8]' });
  expect(decode(code.subarray(0, 3), 0x1000n)).toBeUndefined();
});

test('a guest that waits for ever comes to an end', async () => {
  const kernel = join(mkdtempSync(join(tmpdir(), 'axvisor-lockstep-')), 'kernel');
  writeFileSync(kernel, assemble('li t0, 1000\nloop:\n addi t0, t0, -1\n bnez t0, loop\nwait:\n wfi\n j wait\n', { base: 0x8020_0000n }).bytes);
  const { guest: _, ...rest } = OPTIONS;
  const options: RawRunOptions = { ...rest, kernel, loadAddr: '0x80200000' };
  const start = (): [Side, Side] => [threadSide('interpreter', [], options), threadSide('auto', [], { ...options, engine: 'auto' })];
  expect(await search({ start, interval: 1_000_000n })).toEqual({ agreed: 2001n });
});

test('a side that cannot start says why', async () => {
  const start = (): [Side, Side] => [threadSide('a', [], { ...OPTIONS, memory: '1k' }), threadSide('b', [], OPTIONS)];
  await expect(search({ start, interval: 100n })).rejects.toThrow(/--memory/);
});

test('the command says whether they agree', async () => {
  const { status, output } = await axvisor('lockstep', '--guest', 'embedded', '--memory', '16M', '--interval', '200000', '--instructions', '400000');
  expect(output).toContain('no difference in 400000 instructions');
  expect(status).toBe(0);
  expect((await axvisor('lockstep', '--guest', 'embedded', '--against', 'abacus')).status).toBe(2);
});
