/**
 * Speed of tier 0 on bare loops: `pnpm exec node --conditions=@axvisor/source packages/softcpu_riscv/bench/loops.ts`.
 * Prints millions of instructions a second of wall time, the best of several runs.
 */
import { wasm } from '@axvisor/softcpu';
import { assemble } from '../src/isa/asm.ts';
import { Hart, planHart } from '../src/hart.ts';

declare const performance: { now(): number };
declare const console: { log(...args: unknown[]): void };

const programs = {
  'add and branch': `
    loop: addi a0, a0, 1
          add a1, a1, a0
          bne a0, a2, loop
          j loop`,
  'mixed with loads and stores': `
          la s0, data
    loop: ld a0, 0(s0)
          addi a0, a0, 3
          xor a1, a1, a0
          sd a0, 0(s0)
          lw a3, 8(s0)
          addw a3, a3, a1
          sw a3, 8(s0)
          slli a4, a3, 3
          add a5, a4, a1
          lbu a6, 16(s0)
          andi a6, a6, 15
          beqz a6, loop
          j loop
    .balign 4096
    data: .zero 64`,
  'calls and returns': `
          la sp, stack
    loop: call f
          addi a0, a0, 1
          j loop
    f:    addi sp, sp, -16
          sd ra, 8(sp)
          call g
          ld ra, 8(sp)
          addi sp, sp, 16
          ret
    g:    add a1, a1, a0
          ret
    .balign 4096
          .zero 256
    stack: .zero 64`,
};

const BASE = 0x8000_0000;
const limits = { min: 1024, max: 1024, shared: true };
for (const [name, source] of Object.entries(programs)) {
  const memory = new wasm.Memory({ initial: limits.min, maximum: limits.max, shared: true });
  const plan = planHart(0x1000, limits.max * 65536, 256);
  const offset = Math.ceil(plan.end / 65536) * 65536;
  const hart = new Hart({ memory, memoryLimits: limits, plan, ram: [{ pa: BASE, size: 1 << 20, offset }], now: () => 0n });
  const { bytes } = assemble(source, { base: BigInt(BASE) });
  new Uint8Array(memory.buffer).set(bytes, offset);
  hart.reset(BigInt(BASE));
  let best = 0;
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    hart.run(20_000_000);
    best = Math.max(best, hart.steps / (performance.now() - start) / 1000);
  }
  console.log(`${name}: ${best.toFixed(0)} MIPS`);
}
