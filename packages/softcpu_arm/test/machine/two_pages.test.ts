/** A hot loop over the edge of a page while its second page is mapped elsewhere (Arm ARM, D8.16). */
import { expect, test } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { BareMachine, RAM_BASE } from '../../src/testing/index.ts';

/** Rounds after which the loop is translated where it has to become hot. */
const ROUNDS = 400_000;
const WINDOW = 0x8000_0000;

const set = (register: string, value: number): string => `movz ${register}, #${value & 0xffff}\nmovk ${register}, #${value >>> 16}, lsl #16\n`;
/** Calls the loop, and keeps what it added. */
const call = (rounds: number): string => `${set('x0', rounds)} mov x1, #0
  blr x20
  str x1, [x21], #8
`;
/** Maps the page whose descriptor is in a register behind the first one. */
const map = (descriptor: string): string => `str ${descriptor}, [x22, #8]\ndsb sy\n`;

/** Operations of EL1 that reach the second page of the loop, which x9 names, as x10 names its address space. */
const OPERATIONS = ['vae1, x9', 'vaae1, x9', 'vale1, x9', 'vaale1, x9', 'aside1, x10', 'vmalle1', 'vae1is, x9', 'vaae1is, x9', 'vale1is, x9', 'vaale1is, x9', 'aside1is, x10', 'vmalle1is'];

const PROGRAM = `
  ${set('x0', 0x8000_0000)}  msr hcr_el2, x0
  adr x0, el1
  msr elr_el2, x0
  mov x0, #0x3c5
  msr spsr_el2, x0
  eret
// Two pages of code whose first two instructions are the end of the loop.
el1:
  adr x0, head
  ${set('x1', 0x4020_3000)}  ldp w2, w3, [x0]
  ${set('x5', 0x4020_3ff8)}  stp w2, w3, [x5]
  adr x0, tails
  mov x7, #0x1000
  add x1, x1, x7
  mov x6, #2
1: ldp x2, x3, [x0], #16
  stp x2, x3, [x1]
  add x1, x1, x7
  subs x6, x6, #1
  b.ne 1b
// Two blocks of 1 GiB as they are, and a table for the third one.
  ${set('x0', 0x4020_0000)}  mov x1, #0x405
  str x1, [x0]
  mov x1, #0x40000000
  orr x1, x1, #0x700
  orr x1, x1, #1
  str x1, [x0, #8]
  ${set('x1', 0x4020_1000)}  orr x2, x1, #3
  str x2, [x0, #16]
  ${set('x22', 0x4020_2000)}  orr x2, x22, #3
  str x2, [x1]
// Not global: of ASID 5.
  ${set('x1', 0x4020_3000)}  mov x2, #0xf03
  orr x1, x1, x2
  str x1, [x22]
  add x23, x1, x7
  add x24, x23, x7
  ${map('x23')}
  mov x1, #5
  lsl x10, x1, #48
  orr x0, x0, x10
  msr ttbr0_el1, x0
  mov x1, #0xff
  msr mair_el1, x1
  mov x1, #0x3519
  orr x1, x1, #0x800000
  msr tcr_el1, x1
  mrs x1, sctlr_el1
  mov x2, #0x1005
  orr x1, x1, x2
  msr sctlr_el1, x1
  isb
  ${set('x20', WINDOW + 0xff8)}  ${set('x9', (WINDOW + 0x1000) / 0x1000)}  orr x9, x9, x10
  ${set('x21', 0x4010_0000)}  ${call(ROUNDS)}
  ${OPERATIONS.map((operation) => `${map('x24')} tlbi ${operation}\n dsb sy\n isb\n${call(100)}${map('x23')} tlbi ${operation}\n dsb sy\n isb\n${call(100)}`).join('')}
  ${set('x1', 0x0910_0000)}  str wzr, [x1]
2: b 2b
head:
  add x3, x3, #1
  add x4, x4, #1
  .balign 16
tails:
  add x1, x1, #1
  subs x0, x0, #1
  b.ne tails - 8
  ret
  add x1, x1, #2
  subs x0, x0, #1
  b.ne tails + 8
  ret
`;

test.each(['interpreter', 'auto', 'translator'] as const)('%s: what is executed is what is mapped behind each TLBI', (engine) => {
  const machine = new BareMachine({ engine });
  machine.load(assemble(PROGRAM, { base: BigInt(RAM_BASE) }).bytes);
  expect(machine.run(6 * ROUNDS)).toMatchObject({ code: 0 });
  const view = new DataView(machine.ram.buffer, machine.ram.byteOffset);
  const sums = Array.from({ length: 1 + 2 * OPERATIONS.length }, (_, i) => Number(view.getBigUint64(0x10_0000 + 8 * i, true)));
  expect(sums).toEqual([ROUNDS, ...OPERATIONS.flatMap(() => [200, 100])]);
  expect((machine.pe.engine.translation?.regions ?? 0) > 0).toBe(engine !== 'interpreter');
});
