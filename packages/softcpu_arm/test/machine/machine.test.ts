import { describe, expect, it } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { BareMachine, RAM_BASE } from '../../src/testing/index.ts';
import type { Outcome } from '../../src/testing/index.ts';

const executions = ['interpreter', 'auto', 'translator'] as const;
const machines = Object.fromEntries(executions.map((engine) => [engine, new BareMachine({ engine })])) as Record<(typeof executions)[number], BareMachine>;

/** Ends a program with the code in x0; prints x0 as 16 digits. */
const LIBRARY = `
finish:
  mov x1, #0x09100000
  str w0, [x1]
1: b 1b
`;

/** Runs a program on every tier; all must end the same. */
function run(source: string, limit = 2_000_000): Outcome & { readonly x: readonly bigint[] } {
  const results = executions.map((engine) => {
    const machine = machines[engine];
    machine.load(assemble(`${source}\n${LIBRARY}`, { base: BigInt(RAM_BASE) }).bytes);
    const outcome = machine.run(limit);
    return { ...outcome, x: Array.from({ length: 31 }, (_, i) => machine.pe.x(i)), v: Array.from({ length: 32 }, (_, i) => machine.pe.v(i)), pstate: machine.pe.priv.pstate };
  });
  const [first, ...others] = results;
  for (const other of others) expect(other).toEqual(first);
  return first as (typeof results)[number];
}

/** Goes to EL1 with vectors at \`vectors\`. */
const TO_EL1 = `
  mov x0, #0x80000000
  msr hcr_el2, x0
  adr x0, vectors
  msr vbar_el1, x0
  adr x0, el1
  msr elr_el2, x0
  mov x0, #0x3c5
  msr spsr_el2, x0
  mov x0, #0x300000
  msr cpacr_el1, x0
  mov x0, #3
  msr cnthctl_el2, x0
  eret
`;

/** Maps the first 2 GiB at EL2 as they are, the upper one as Normal memory. */
const MMU_ON = `
  mov x0, #0x40200000
  mov x1, #0x405
  str x1, [x0]
  mov x1, #0x40000000
  orr x1, x1, #0x700
  orr x1, x1, #1
  str x1, [x0, #8]
  msr ttbr0_el2, x0
  mov x1, #0xff
  msr mair_el2, x1
  mov x1, #0x3519
  orr x1, x1, #0x80000000
  orr x1, x1, #0x800000
  msr tcr_el2, x1
  mrs x1, sctlr_el2
  mov x2, #0x1005
  orr x1, x1, x2
  msr sctlr_el2, x1
  isb
`;

describe('programs on all tiers', () => {
  it('loops, calls and ends', () => {
    const { code } = run(`
  mov x0, #0
  mov x2, #3000
1: bl add
  subs x2, x2, #1
  b.ne 1b
  b finish
add:
  add x0, x0, x2
  ret`);
    expect(code).toBe((3000 * 3001) / 2);
  });

  it('prints', () => {
    expect(run(`
  mov x3, #0x09000000
  mov w4, #'H'
  strb w4, [x3]
  mov w4, #'i'
  strb w4, [x3]
  mov x0, #0
  b finish`)).toMatchObject({ code: 0, output: 'Hi' });
  });

  it('takes exceptions of EL1 and returns', () => {
    const { code, x } = run(`${TO_EL1}
el1:
  mov x20, #0
  mov x21, #200
1: svc #7
  .inst 0
  ldr x5, [xzr_address]
  subs x21, x21, #1
  b.ne 1b
  mov x0, x20
  b finish
  .balign 2048
vectors:
  .space 512
  mrs x9, esr_el1
  lsr x10, x9, #26
  cmp x10, #0x15
  add x20, x20, x10
  b.eq 2f
  mrs x11, elr_el1
  add x11, x11, #4
  msr elr_el1, x11
2: eret`.replace('ldr x5, [xzr_address]', 'mov x6, #0x10000000\n ldr x5, [x6]'));
    expect(code).toBe(200 * (0x15 + 0 + 0x25));
    expect(x[20]).toBe(BigInt(code));
  });

  it('waits for timers', () => {
    const { code } = run(`${TO_EL1}
el1:
  mov x20, #0
  mov x22, #5000
  msr cntv_tval_el0, x22
  mov x0, #1
  msr cntv_ctl_el0, x0
  msr daifclr, #2
1: add x23, x23, #1
  cmp x20, #10
  b.lt 1b
2: wfi
  cmp x20, #20
  b.lt 2b
  mov x0, x20
  b finish
  .balign 2048
vectors:
  .space 640
  add x20, x20, #1
  msr cntv_tval_el0, x22
  eret`);
    expect(code).toBe(20);
  });

  it('modifies its own code', () => {
    const { code } = run(`
  mov x0, #0
  mov x2, #300
  adr x3, patch
  ldr w4, [x3]
  adr x5, other
  ldr w5, [x5]
1: str w5, [x3]
  ic ivau, x3
  isb
patch: add x0, x0, #1
  str w4, [x3]
  ic ivau, x3
  isb
  subs x2, x2, #1
  b.ne 1b
  b finish
other: add x0, x0, #3`);
    expect(code).toBe(900);
  });

  it('zeroes blocks', () => {
    const { code } = run(`${MMU_ON}
  mov x0, #0x40100000
  mov x3, #-1
  mov x2, #64
1: str x3, [x0], #8
  subs x2, x2, #1
  b.ne 1b
  mov x0, #0x40100000
  dc zva, x0
  add x0, x0, #72
  dc zva, x0
  mov x0, #0x40100000
  mov x4, #0
  mov x2, #64
2: ldr x5, [x0], #8
  cmp x5, #0
  cinc x4, x4, ne
  subs x2, x2, #1
  b.ne 2b
  mov x0, x4
  b finish`);
    expect(code).toBe(48);
  });

  it('accesses memory as EL0 does, in two address spaces', () => {
    const { x } = run(`${TO_EL1}
el1:
  mov x20, #0x40200000
  bl tables
  mov x10, x20
  mov x20, #0x40210000
  bl tables
  orr x10, x10, #0x1000000000000
  orr x11, x20, #0x2000000000000
  mov x0, #0xff
  msr mair_el1, x0
  mov x0, #0x3519
  orr x0, x0, #0x800000
  msr tcr_el1, x0
  msr ttbr0_el1, x10
  isb
  mrs x0, sctlr_el1
  orr x0, x0, #1
  msr sctlr_el1, x0
  isb
  mov x12, #0x80000000
  mov x2, #300
1: cmp x2, #150
  b.ne 2f
  msr pan, #1
2: msr ttbr0_el1, x10
  isb
  ldtr x1, [x12]
  add x1, x1, #1
  sttr x1, [x12]
  dc cvac, x12
  msr ttbr0_el1, x11
  isb
  ldtr x1, [x12]
  add x1, x1, #3
  sttr x1, [x12]
  add x3, x12, #1, lsl #12
  ldtr x4, [x3]
  ldr x5, [x12]
  subs x2, x2, #1
  b.ne 1b
  mov x0, #0x40200000
  add x0, x0, #8, lsl #12
  ldr x6, [x0]
  mov x0, #0x40210000
  add x0, x0, #8, lsl #12
  ldr x7, [x0]
  b finish
tables:
  mov x1, #0x405
  str x1, [x20]
  mov x1, #0x40000000
  orr x1, x1, #0x700
  orr x1, x1, #1
  str x1, [x20, #8]
  add x1, x20, #1, lsl #12
  orr x2, x1, #3
  str x2, [x20, #16]
  add x3, x20, #2, lsl #12
  orr x2, x3, #3
  str x2, [x1]
  add x1, x20, #8, lsl #12
  mov x4, #0xf43
  orr x2, x1, x4
  str x2, [x3]
  add x1, x20, #9, lsl #12
  mov x4, #0xf03
  orr x2, x1, x4
  str x2, [x3, #8]
  ret
  .balign 2048
vectors:
  .space 512
  mrs x27, esr_el1
  add x28, x28, #1
  mrs x26, elr_el1
  add x26, x26, #4
  msr elr_el1, x26
  eret`);
    // Permission faults of EL0 on a page of EL1, and of EL1 on one of EL0 with PAN.
    expect([x[6], x[7], x[28]]).toEqual([300n, 900n, 450n]);
  });

  it('takes interrupts when they are unmasked, whichever way', () => {
    const { x } = run(`${TO_EL1}
el1:
  mov x2, #200
1: mov x0, #1
  msr cntv_tval_el0, xzr
  msr cntv_ctl_el0, x0
2: mrs x0, isr_el1
  cbz x0, 2b
  tbnz x2, #0, 3f
  msr daifclr, #2
  b 4f
3: mov x0, #0x40
  msr daif, x0
4: add x21, x21, x20
  msr daifset, #2
  subs x2, x2, #1
  b.ne 1b
  mov x0, #0
  b finish
  .balign 2048
vectors:
  .space 640
  add x20, x20, #1
  msr cntv_ctl_el0, xzr
  eret`);
    // Each time before the next instruction.
    expect([x[20], x[21]]).toEqual([200n, BigInt((200 * 201) / 2)]);
  });

  /** Exceptions at EL2: counts them in x28, keeps the last syndrome in x27 and goes on behind the instruction. */
  const VECTORS_EL2 = `
  .balign 2048
vectors:
  .space 512
  mrs x27, esr_el2
  add x28, x28, #1
  mrs x26, elr_el2
  add x26, x26, #4
  msr elr_el2, x26
  eret`;

  it('accesses memory at any address, also across pages', () => {
    const { x } = run(`${MMU_ON}
  mov x0, #0x40100000
  mov x2, #400
  mov x4, #0
1: add x5, x0, x2
  add x6, x5, #3
  str x2, [x6, #3700]
  ldr x7, [x6, #3700]
  add x4, x4, x7
  ldur w8, [x6, #-1]
  ldrh w9, [x5, #1]
  stp x2, x4, [x6, #8]
  ldp x10, x11, [x6, #8]
  add x4, x4, x10
  subs x2, x2, #1
  b.ne 1b
  mov x0, x4
  b finish`.replace('str x2, [x6, #3700]', 'add x6, x6, #3700\n  str x2, [x6]').replace('ldr x7, [x6, #3700]', 'ldr x7, [x6]'));
    expect(x[4]).toBe(BigInt(400 * 401));
  });

  it('loads and stores pairs and vectors at any address, also across pages', () => {
    const { x } = run(`${MMU_ON}
  mov x0, #0x40100000
  add x0, x0, #0xf80
  mov x2, #256
  mov x20, #0
1: add x5, x0, x2
  stp x2, x5, [x5]
  ldp x6, x7, [x5]
  stp w2, w5, [x5, #64]
  ldp w8, w9, [x5, #64]
  ldpsw x10, x11, [x5, #64]
  ldp q0, q1, [x5]
  stp q0, q1, [x5, #-64]
  ldr q2, [x5, #-64]
  str q2, [x5, #-128]
  ldp x12, x13, [x5, #-128]
  mov x15, x5
  ld1 {v16.16b-v19.16b}, [x15], #64
  ld1 {v20.8h-v22.8h}, [x5]
  ld1r {v23.2d}, [x5]
  ld1r {v24.8b}, [x5]
  add x15, x15, #64
  st1 {v16.2d-v19.2d}, [x15]
  ldp q25, q26, [x15, #32]
  ldp d4, d5, [x5, #-128]
  stp s4, s5, [x5, #-8]
  ldur x14, [x5, #-8]
  eor x6, x6, x2
  eor x7, x7, x5
  eor x8, x8, x2
  eor x9, x9, x10
  eor x9, x9, x11
  eor x12, x12, x2
  eor x13, x13, x5
  orr x20, x20, x6
  orr x20, x20, x7
  orr x20, x20, x8
  orr x20, x20, x12
  orr x20, x20, x13
  add x21, x21, x9
  add x22, x22, x14
  subs x2, x2, #1
  b.ne 1b
  mov x0, #0
  b finish`);
    expect(x[20]).toBe(0n);
  });

  it('refuses them where the control or the memory demands alignment', () => {
    const { x } = run(`${MMU_ON}
  adr x0, vectors
  msr vbar_el2, x0
  mov x28, #0
  mov x20, #0x40100000
  ldr x1, [x20]
  ldur x1, [x20, #1]
  mov x21, x28
  mrs x1, sctlr_el2
  mov x2, #2
  orr x3, x1, x2
  msr sctlr_el2, x3
  isb
  ldr x4, [x20]
  ldur x4, [x20, #1]
  ldur w4, [x20, #4]
  mov x22, x28
  msr sctlr_el2, x1
  isb
  ldur x4, [x20, #1]
  mov x23, x28
  mov x5, #0x40200000
  ldr x6, [x5, #8]
  mov x7, #4
  orr x6, x6, x7
  str x6, [x5, #8]
  tlbi alle2
  dsb sy
  isb
  ldr x4, [x20]
  ldr x4, [x20]
  ldur x4, [x20, #1]
  mov x24, x28
  b finish
${VECTORS_EL2}`);
    expect([x[21], x[22], x[23], x[24]]).toEqual([0n, 1n, 1n, 2n]);
    expect((x[27] as bigint) & 0x3fn).toBe(0x21n);
  });
});
