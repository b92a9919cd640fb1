/** Several harts at once in one linear memory, each with RAM of its own: none meets what another writes, or its code. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Execution } from '@axvisor/softcpu';
import { afterAll, expect, test } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { createMachineMemory, RAM_BASE } from '../../src/testing/index.ts';
import { runOnHarts, type ProgramPath } from './harts.ts';

/** An executable of one segment, without symbols. */
function elf(code: Uint8Array): Uint8Array {
  const headers = 64 + 56;
  const file = new Uint8Array(headers + code.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // executable
  view.setUint16(18, 243, true); // RISC-V
  view.setBigUint64(24, BigInt(RAM_BASE), true); // entry
  view.setBigUint64(32, 64n, true); // program headers
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true); // PT_LOAD
  for (const [at, value] of [[72, headers], [88, RAM_BASE], [96, code.length], [104, code.length]] as const) view.setBigUint64(at, BigInt(value), true);
  file.set(code, headers);
  return file;
}

/** Counts atomically as long as its own code, which it changes as it goes, says; ends with the count that is missing as the number of a failed test. */
const counting = (times: number): string => `
  la s0, counter; la s1, patched; la s2, instructions; li s3, ${times}
again:
  lw t0, 0(s2); sw t0, 0(s1); fence.i
  li a0, 0
patched: .word 0
  amoadd.d zero, a0, (s0)
  lw t0, 0(s2); lw t1, 4(s2); sw t1, 0(s2); sw t0, 4(s2)
  addi s3, s3, -1; bnez s3, again
  ld t0, 0(s0); li t1, ${times * 3}; sub t0, t1, t0
  li t2, 0x5555; beqz t0, 1f; slli t2, t0, 17; li t1, 0x3333; or t2, t2, t1
1: li t0, 0x100000; sw t2, 0(t0); j 1b
  .balign 8
instructions: li a0, 2; li a0, 4
counter: .dword 0
`;

const folder = mkdtempSync(join(tmpdir(), 'axvisor-harts-'));
afterAll(() => rmSync(folder, { recursive: true }));
const programs = [2000, 4000].map((times, i): ProgramPath => {
  writeFileSync(join(folder, `counting${i}.elf`), elf(assemble(counting(times), { base: BigInt(RAM_BASE) }).bytes));
  return [folder, `counting${i}.elf`];
});

test.each(Object.values(Execution))('harts on threads, on the %s engine', async (engine) => {
  const alone = await runOnHarts(1, engine, programs);
  expect(alone).toMatchObject(programs.map(() => ({ verdict: 'passed', detail: '' })));
  const together = await runOnHarts(3, engine, programs);
  expect(together).toEqual(alone.map((verdict) => ({ ...verdict, instructions: 3 * verdict.instructions })));
});

test('memory for more machines than it has room for is refused', () => {
  expect(() => createMachineMemory({ machines: 17 })).toThrow('17 machines in one memory, 16 are the most');
});
