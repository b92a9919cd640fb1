import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import { describe, expect, test } from 'vitest';
import { planVms, type RawRunOptions } from '../../src/commands/run_options.ts';
import { compareWithQemu } from '../../src/lockstep/qemu.ts';
import { report } from '../../src/lockstep/report.ts';
import type { Side } from '../../src/lockstep/state.ts';
import { threadSide } from '../../src/lockstep/thread_side.ts';
import { axvisor } from '../guests/session.ts';

/** Arithmetic, memory, a counter, an exception with its handler, calls of firmware, and off. */
const PROGRAM = `
  la t0, handler
  csrw stvec, t0
  la sp, handler
  addi sp, sp, 1024
  li s0, 0
  li s1, 1
  li s2, 30
loop:
  add s3, s0, s1
  mv s0, s1
  mv s1, s3
  mul s4, s3, s1
  mulhu s5, s4, s3
  divu s6, s5, s3
  sd s6, 0(sp)
  lw s7, 4(sp)
  amoadd.d s9, s3, (sp)
  rdtime s8
  addi s2, s2, -1
  bnez s2, loop
  ebreak
  li a7, 0x10
  li a6, 0
  ecall
  mv s10, a1
  li a7, 0x53525354
  li a6, 0
  li a0, 0
  li a1, 0
  ecall
  .balign 4
handler:
  csrr t1, sepc
  addi t1, t1, 2
  csrw sepc, t1
  csrr t2, scause
  sret
`;

const kernel = join(mkdtempSync(join(tmpdir(), 'axvisor-lockstep-')), 'program');
writeFileSync(kernel, assemble(PROGRAM, { base: 0x8020_0000n }).bytes);
const OPTIONS: RawRunOptions = { arch: 'riscv64', kernel, loadAddr: '0x80200000', memory: '64M', disk: [], clock: 'virtual', engine: 'interpreter', translationMemory: '64M', log: 'warn' };

function present(tool: string): boolean {
  try {
    return execFileSync(tool, ['--version'], { stdio: 'pipe' }).length > 0;
  } catch {
    return false;
  }
}

describe.skipIf(!present('qemu-system-riscv64'))('beside QEMU', () => {
  test('a program agrees to its end', { timeout: 60_000 }, async () => {
    const { status, output } = await axvisor('lockstep', '--kernel', kernel, '--load-addr', '0x80200000', '--memory', '64M', '--against', 'qemu');
    expect(output).toMatch(/no difference in 3\d\d instructions/);
    expect(status).toBe(0);
  });

  test('a wrong register is found at its instruction', { timeout: 60_000 }, async () => {
    const [plan] = await planVms([], OPTIONS, 'riscv64', () => {});
    const sound = threadSide('axvisor', [], OPTIONS);
    const faulty: Side = {
      ...sound,
      run: async (order) => {
        const state = await sound.run(order);
        return state.instructions < 100n ? state : { ...state, registers: { ...state.registers, s4: (state.registers['s4'] ?? 0n) ^ 1n } };
      },
    };
    try {
      const result = await compareWithQemu(faulty, plan!, 200n);
      expect(result.agreed).toBe(99n);
      expect(result.divergence?.differences.map(({ what }) => what)).toEqual(['s4']);
      expect(report(result)).toMatch(/^the sides differ after instruction 100\n {2}0x802000[0-9a-f]+: /);
    } finally {
      await sound.close();
    }
  });
});
