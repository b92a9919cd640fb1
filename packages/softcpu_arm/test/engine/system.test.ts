import { describe, expect, it } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { isa } from '../../src/emit/isa.ts';
import { ATTENTION, BRANCH_TBI, CTR, EXCL_VALID, FLAG_KIND, FPCR, FPSR, FP_TRAP, MODE, PERMITTED, Permit, SP_EL0, PC, SP, SP_ALIGN, TPIDR_EL0, X, ZR } from '../../src/state.ts';
import { FlatPe } from './flat.ts';

const CODE = 0x2000_0000;
const DATA = 0x1000_0000;
const modes = ['interpreter', 'translator'] as const;
const machines = { interpreter: machine('interpreter'), translator: machine('translator') };

function machine(execution: 'interpreter' | 'translator'): FlatPe {
  return new FlatPe([{ base: CODE, size: 0x1_0000 }, { base: DATA, size: 0x1_0000 }], execution);
}

/** Assembles, runs to the first service or `steps`, x20 pointing to data. */
function run(pe: FlatPe, source: string, steps = 100): FlatPe {
  for (let offset = X; offset < MODE; offset += 4) if (offset < 1072 || offset >= FLAG_KIND) pe.word(offset, 0);
  for (const flag of [FP_TRAP, SP_ALIGN, BRANCH_TBI, EXCL_VALID, FPCR, FPSR]) pe.word(flag, 0);
  pe.word(X + 20 * 8, DATA);
  pe.word(SP, DATA + 0x800);
  return runOn(pe, source, steps);
}
function runOn(pe: FlatPe, source: string, steps = 100): FlatPe {
  pe.load(CODE, assemble(`${source}\n .inst 0\n`, { base: BigInt(CODE) }).bytes);
  pe.run(CODE, steps);
  return pe;
}
const x = (pe: FlatPe, n: number): bigint => (BigInt(pe.read(X + n * 8 + 4) >>> 0) << 32n) | BigInt(pe.read(X + n * 8) >>> 0);

describe.each(modes)('%s', (mode) => {
  const pe = machines[mode];

  it('has NZCV, TPIDR_EL0, FPCR and FPSR at hand', () => {
    run(pe, 'mov x0, #0xa0000000\nmsr nzcv, x0\nmrs x1, nzcv\nmov x2, #77\nmsr tpidr_el0, x2\nmrs x3, tpidr_el0\nmrs x4, fpsr\nmrs x5, fpcr');
    expect([x(pe, 1), x(pe, 3), x(pe, 4), x(pe, 5)]).toEqual([0xa0000000n, 77n, 0n, 0n]);
    expect(pe.nzcv).toBe(0b1010);
    expect(pe.read(TPIDR_EL0)).toBe(77);
  });

  it.each(['svc #1', 'hvc #0', 'smc #0', 'brk #2', 'eret', 'wfi', 'tlbi vmalle1', 'mrs x0, esr_el1', 'msr vbar_el1, x0', 'msr fpcr, x0', '.inst 0'])(
    'leaves %s to the privileged architecture, with the pc on it',
    (source) => {
      run(pe, `nop\n${source}`);
      expect(pe.stopped).toBe('system');
      expect(pe.read(PC)).toBe(CODE + 4);
    },
  );

  it('makes DAIF the business of EL1 and above, and SP_EL0 that of EL1 with a stack pointer of its own', () => {
    pe.word(MODE, 3);
    run(pe, 'mov x0, #5\nmsr sp_el0, x0\nmrs x1, sp_el0\nmsr daifset, #6\nmrs x2, daif');
    expect([x(pe, 1), x(pe, 2)]).toEqual([5n, 0x180n]);
    expect(pe.read(SP_EL0)).toBe(5);
    for (const [mode, source] of [[0, 'mrs x0, daif'], [0, 'msr daifset, #1'], [0, 'mrs x0, sp_el0'], [2, 'mrs x0, sp_el0'], [2, 'msr sp_el0, x0'], [5, 'mrs x0, sp_el0']] as const) {
      pe.word(MODE, mode);
      run(pe, source);
      expect([pe.stopped, pe.read(PC)], `${source} in mode ${mode}`).toEqual(['system', CODE]);
    }
  });

  it('clears DAIF where nothing can come of it', () => {
    pe.word(MODE, 3);
    pe.word(ATTENTION, 0);
    run(pe, 'mov x0, #0x3c0\nmsr daif, x0\nmsr daifclr, #6\nmrs x1, daif\nmov x0, #-1\nmsr daif, x0\nmrs x2, daif');
    expect([x(pe, 1), x(pe, 2), pe.read(PC)]).toEqual([0x240n, 0x3c0n, CODE + 28]);
    for (const source of ['msr daif, x0', 'msr daifclr, #2']) {
      for (const [mode, attention] of [[3, 2], [0, 0]] as const) {
        pe.word(MODE, mode);
        pe.word(ATTENTION, attention);
        runOn(pe, source);
        expect([pe.stopped, pe.read(PC)], `${source} in mode ${mode}`).toEqual(['system', CODE]);
      }
    }
    pe.word(MODE, 3);
    pe.word(ATTENTION, 0);
  });

  it('does with CTR_EL0, DCZID_EL0 and cache maintenance what is permitted', () => {
    const program = 'mrs x1, ctr_el0\nmrs x2, dczid_el0\nldr x3, [x20]\nstr x3, [x20]\ndc cvau, x20\ndc cvac, x20\ndc civac, x20\nic ivau, x20\ndc zva, x20';
    const ends = [[Permit.ctr, 'system', 0], [Permit.zero, 'system', 4], [Permit.cleanPou, 'cleanLine', 16], [Permit.cleanPoc, 'cleanLine', 20], [Permit.invalidate, 'cleanLine', 28]] as const;
    const all = Object.values(Permit).reduce((sum, bit) => sum | bit, 0);
    run(pe, 'nop');
    pe.word(CTR, 0x1234);
    pe.word(PERMITTED, all);
    pe.word(X + 20 * 8, DATA);
    runOn(pe, program);
    expect([pe.stopped, pe.read(PC), x(pe, 1), x(pe, 2)]).toEqual(['system', CODE + 36, 0x1234n, 4n]);
    for (const [without, stopped, at] of ends) {
      pe.word(PERMITTED, all & ~without);
      runOn(pe, program);
      expect([pe.stopped, pe.read(PC)]).toEqual([stopped, CODE + at]);
    }
    // What the TLB does not know is the service's.
    pe.word(PERMITTED, all);
    pe.word(X + 20 * 8, 0x40);
    runOn(pe, 'dc zva, x20');
    expect(pe.stopped).toBe('zeroBlock');
    pe.word(PERMITTED, 0);
  });

  it('keeps what exceptions leave for EL1, who may see it', () => {
    pe.word(MODE, 3);
    pe.word(PERMITTED, Permit.syndrome);
    run(pe, 'mov x0, #-1\nmsr elr_el1, x0\nmsr spsr_el1, x0\nmrs x1, elr_el1\nmrs x2, spsr_el1\nmrs x3, esr_el1\nmrs x4, far_el1');
    expect([x(pe, 1), x(pe, 2), x(pe, 3), x(pe, 4)]).toEqual([0xffff_ffff_ffff_ffffn, 0xf0f0_03dfn, 0n, 0n]);
    for (const [mode, source] of [[0, 'mrs x0, elr_el1'], [0, 'msr spsr_el1, x0'], [5, 'msr elr_el1, x0']] as const) {
      pe.word(MODE, mode);
      runOn(pe, source);
      expect([pe.stopped, pe.read(PC)], `${source} in mode ${mode}`).toEqual(['system', CODE]);
    }
    pe.word(MODE, 3);
    pe.word(PERMITTED, 0);
  });

  it('makes TPIDR_EL1 EL1\'s business', () => {
    pe.word(MODE, 0);
    run(pe, 'mrs x0, tpidr_el1');
    expect(pe.stopped).toBe('system');
    pe.word(MODE, 3);
    run(pe, 'mov x1, #5\nmsr tpidr_el1, x1\nmrs x0, tpidr_el1');
    expect(x(pe, 0)).toBe(5n);
  });

  it('takes unallocated words for UNDEFINED', () => {
    run(pe, 'nop\n.inst 0xffffffff');
    expect([pe.stopped, pe.read(PC)]).toEqual(['undefined', CODE + 4]);
  });

  it.each(['fadd d0, d1, d2', 'fmov x0, d1', 'ldr q0, [x20]', 'st1 {v0.16b}, [x20]', 'add v0.4s, v1.4s, v2.4s', 'movi v0.2d, #0', 'aese v0.16b, v1.16b', 'mrs x0, fpsr', 'fcsel s0, s1, s2, eq'])(
    'traps %s where SIMD&FP is off',
    (source) => {
      run(pe, 'nop');
      pe.word(FP_TRAP, 1);
      runOn(pe, source);
      expect([pe.stopped, pe.read(PC)]).toEqual(['fpTrap', CODE]);
    },
  );

  it('checks SP as a base, and only that', () => {
    run(pe, 'nop');
    pe.word(SP_ALIGN, 15);
    pe.word(SP, DATA + 8);
    runOn(pe, 'ldr x0, [x20, #8]\nadd x1, sp, #8\nldr x2, [sp]');
    expect([pe.stopped, pe.read(PC)]).toEqual(['spAlignment', CODE + 8]);
    runOn(pe, 'mov x3, sp\nldr x2, [x3]');
    expect(pe.stopped).toBe('system');
  });

  it('fails a store-exclusive without its load, after CLREX, or to elsewhere', () => {
    run(pe, `mov x1, #1
      stxr w2, x1, [x20]
      ldxr x3, [x20]
      clrex
      stxr w4, x1, [x20]
      ldxr x3, [x20]
      add x6, x20, #16
      stxr w5, x1, [x6]
      ldxr w3, [x20]
      stxr w7, x1, [x20]
      ldaxr x3, [x20]
      stlxr w8, x1, [x20]
      ldr x9, [x20]`);
    expect([2, 4, 5, 7, 8, 9].map((n) => x(pe, n))).toEqual([1n, 1n, 1n, 1n, 0n, 1n]);
    expect(pe.read(EXCL_VALID)).toBe(0);
  });

  it('demands alignment of exclusives, atomics, acquire and release', () => {
    for (const source of ['ldxr x0, [x1]', 'stlr w0, [x1]', 'ldar x0, [x1]', 'ldadd x0, x2, [x1]', 'cas w0, w2, [x1]', 'swph w0, w2, [x1]']) {
      run(pe, `add x1, x20, #1\n${source}`);
      expect([source, pe.stopped, pe.read(PC)]).toEqual([source, 'misaligned', CODE + 4]);
    }
    run(pe, 'add x1, x20, #8\nldxp x2, x3, [x1]');
    expect(pe.stopped).toBe('misaligned');
    run(pe, 'add x1, x20, #3\nldr x2, [x1]\nstr x2, [x1, #1]\nldr q0, [x1]');
    expect(pe.stopped).toBe('system');
  });

  it('leaves registers as they were where an access faults', () => {
    run(pe, 'mov x1, #0x40\nmov x2, #7\nmov x3, #8\nldp x2, x3, [x1], #16');
    expect([pe.stopped, x(pe, 1), x(pe, 2), x(pe, 3)]).toEqual(['fault', 0x40n, 7n, 8n]);
    run(pe, 'mov x1, #0x40\nstr x2, [x1, #8]!');
    expect([pe.stopped, x(pe, 1)]).toEqual(['fault', 0x40n]);
  });

  it('drops tags of branch targets where TBI says so', () => {
    run(pe, 'nop');
    pe.word(BRANCH_TBI, 1);
    runOn(pe, 'adr x0, 1f\norr x0, x0, #0xff00000000000000\nbr x0\nmov x1, #1\n1: mov x2, #2');
    expect([pe.stopped, x(pe, 1), x(pe, 2)]).toEqual(['system', 0n, 2n]);
  });

  it('runs loops, calls and returns', () => {
    run(pe, `mov x0, #10
      mov x1, #0
      1: bl 2f
      subs x0, x0, #1
      b.ne 1b
      b 3f
      2: add x1, x1, x0
      ret
      3: mov x2, #1`, 1000);
    expect([x(pe, 1), x(pe, 2), pe.read(ZR)]).toEqual([55n, 1n, 0]);
  });

  it('sees code that was changed', () => {
    run(pe, `adr x0, 1f
      ldr w1, 2f
      mov x3, #0
      0: bl 1f
      cbnz x3, 3f
      str w1, [x0]
      mov x3, #1
      b 0b
      1: mov x2, #1
      ret
      2: mov x2, #2
      3: nop`, 1000);
    expect(x(pe, 2)).toBe(2n);
  });
});

describe('the instruction set', () => {
  it('has handler numbers to spare for translated regions', () => {
    expect(isa.instructions.length).toBeLessThan(5000);
  });
});
