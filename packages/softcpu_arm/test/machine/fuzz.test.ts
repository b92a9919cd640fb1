import { describe, expect, it } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { decode } from '../../src/isa/index.ts';
import { BareMachine, RAM_BASE } from '../../src/testing/index.ts';
import { randomWords, sampleWords } from '../isa/words.ts';

const NIGHTLY = process.env['AXVISOR_NIGHTLY'] === '1';
const RAM = 1 << 20;
const CODE = 0x4_0000;
const engines = ['interpreter', 'translator'] as const;
const machines = { interpreter: new BareMachine({ ramBytes: RAM, engine: 'interpreter' }), translator: new BareMachine({ ramBytes: RAM, engine: 'translator' }) };

/** At EL2: goes to the code below, with a SPSR. Exceptions of EL0 and EL1 write their syndrome behind the vectors and go on behind the instruction. */
const monitor = (spsr: number, more: string): Uint8Array =>
  assemble(
    `mov x1, #0x300000
     msr cpacr_el1, x1
     msr cptr_el2, xzr
     mov x1, #0x88000000
     msr hcr_el2, x1
     adr x1, vectors
     msr vbar_el2, x1
     msr vbar_el1, x1
     ${more}
     mov x1, #0x40040000
     msr elr_el2, x1
     mov x1, #${spsr}
     msr spsr_el2, x1
     eret
     .balign 2048
     vectors:
     ${Array.from({ length: 16 }, () => 'b handler\n.balign 128').join('\n')}
     handler:
     msr tpidr_el2, x28
     mrs x28, esr_el2
     mov x29, #0x40020000
     ldr x30, [x29]
     add x30, x30, #1
     str x30, [x29]
     lsr x28, x28, #26
     cbz x28, 1f
     str x28, [x29, #8]
     1: mrs x28, elr_el2
     add x28, x28, #4
     msr elr_el2, x28
     mrs x28, tpidr_el2
     eret`,
    { base: BigInt(RAM_BASE) },
  ).bytes;

/** Stage 1 of EL1 and EL0: a block of Normal memory for everybody, in 39 bits. */
const MMU_ON = `
     mov x1, #0x40010000
     msr ttbr0_el1, x1
     mov x2, #0x40000000
     orr x2, x2, #0x700
     mov x3, #0x41
     orr x2, x2, x3
     str x2, [x1, #8]
     mov x1, #0xff
     msr mair_el1, x1
     mov x1, #0x3519
     orr x1, x1, #0x800000
     msr tcr_el1, x1
     mrs x1, sctlr_el1
     mov x2, #0x1005
     orr x1, x1, x2
     msr sctlr_el1, x1
     isb`;

function load(machine: BareMachine, words: readonly number[], spsr = 0, more = ''): DataView {
  machine.load(monitor(spsr, more));
  const view = new DataView(machine.ram.buffer, machine.ram.byteOffset, RAM);
  words.forEach((word, i) => view.setInt32(CODE + 4 * i, word, true));
  machine.pe.invalidatePhys(RAM_BASE + CODE, words.length * 4);
  return view;
}

describe.each(engines)('%s', (engine) => {
  const machine = machines[engine];

  it('takes every unallocated word for UNDEFINED, and does nothing else', () => {
    const next = randomWords(engine.length);
    const words = [...sampleWords(NIGHTLY ? 100 : 4, 21), ...Array.from({ length: NIGHTLY ? 1_000_000 : 20_000 }, next)].filter((word) => decode(word) < 0);
    const BATCH = 20_000;
    for (let from = 0; from < words.length; from += BATCH) {
      const batch = words.slice(from, from + BATCH);
      const view = load(machine, batch);
      // b .
      view.setInt32(CODE + 4 * batch.length, 0x1400_0000, true);
      machine.run(batch.length * 20 + 1000);
      expect([view.getUint32(0x2_0000, true), view.getUint32(0x2_0008, true), machine.pe.pc]).toEqual([batch.length, 0, BigInt(RAM_BASE + CODE + 4 * batch.length)]);
      expect(machine.pe.v(7)).toBe(0n);
    }
  });
});

describe('garbage', () => {
  /** Everything that a run leaves behind. */
  const state = (machine: BareMachine): unknown => {
    let hash = 0;
    const words = new Int32Array(machine.ram.buffer, machine.ram.byteOffset, RAM / 4);
    for (const word of words) hash = Math.imul(hash ^ word, 0x0100_0193);
    const { pe } = machine;
    return { pc: pe.pc, sp: pe.sp, x: Array.from({ length: 31 }, (_, i) => pe.x(i)), v: Array.from({ length: 32 }, (_, i) => pe.v(i)), pstate: pe.priv.pstate, fpcr: pe.fpcr, fpsr: pe.fpsr, hash };
  };

  it.each([['at EL0', 0, ''], ['at EL1', 5, ''], ['translated, at EL0', 0, MMU_ON]] as const)('%s ends alike on both tiers', (where, spsr, more) => {
    const next = randomWords(where.length);
    const pool = sampleWords(6, 5);
    for (let round = 0; round < (NIGHTLY ? 500 : 6); round++) {
      const words = Array.from({ length: 2000 }, () => pool[(next() >>> 0) % pool.length] as number);
      const [first, second] = engines.map((engine) => {
        const machine = machines[engine];
        load(machine, words, spsr, more);
        for (let i = 0; i < 31; i++) machine.pe.setX(i, BigInt(RAM_BASE + 0x8_0000 + i * 0x100));
        machine.run(20_000);
        return state(machine);
      });
      expect(second).toEqual(first);
    }
  });
});
