import { describe, expect, test } from 'vitest';
import { Access, Line, Ppi, Status } from '../../src/priv/index.ts';
import { Harness, insn, key, mrs, msr, RAM, sys, type RegName } from './harness.ts';

/** A hosted processing element, and what EL2 software does to it. */
function hosted(): { h: Harness; get: (name: RegName) => bigint; set: (name: RegName, value: bigint) => void; enter: (spsr?: bigint) => void } {
  const h = new Harness({ hosted: true });
  const get = (name: RegName): bigint => h.priv.sysRegRead(key(name));
  const set = (name: RegName, value: bigint): void => h.priv.sysRegWrite(key(name), value);
  return {
    h, get, set,
    enter: (spsr = 5n) => {
      set('SPSR_EL2', spsr);
      h.priv.enterGuest();
    },
  };
}

describe('hosted', () => {
  test('an exception to EL2 leaves the guest', () => {
    const { h, get, set, enter } = hosted();
    set('ELR_EL2', 0x4000_1000n);
    enter();
    expect([h.priv.el, h.pc, h.priv.exited]).toEqual([1, 0x4000_1000n, false]);
    expect(h.run(insn.hvc(5))).toBe(Status.leave);
    expect([h.priv.el, h.priv.exited, get('ESR_EL2'), get('ELR_EL2'), get('SPSR_EL2')]).toEqual([2, true, 0x5a00_0005n, 0x4000_1004n, 5n]);
    enter();
    expect([h.priv.exited, h.pc]).toEqual([false, 0x4000_1004n]);
  });

  test('exceptions of the guest stay with it', () => {
    const { h, set, enter } = hosted();
    set('VBAR_EL1', 0x4000_8000n);
    enter(0n);
    expect(h.run(insn.svc(1))).toBe(Status.refetch);
    expect([h.priv.el, h.pc]).toEqual([1, 0x4000_8400n]);
  });

  test('translations of the guest survive an exit', () => {
    const { h, enter } = hosted();
    enter();
    h.priv.translate(RAM, 0, Access.load, 4);
    h.log.length = 0;
    h.run(insn.hvc(0));
    enter();
    expect([h.log, h.shared.mode]).toEqual([[], 3]);
  });

  test('the registers of the guest are EL2\'s to switch', () => {
    const { h, get, set, enter } = hosted();
    set('SP_EL1', 0x111n);
    set('SP_EL0', 0x222n);
    set('TPIDR_EL1', 0x333n);
    enter();
    expect([h.sp, h.get('SP_EL0'), h.get('TPIDR_EL1')]).toEqual([0x111n, 0x222n, 0x333n]);
    h.sp = 0x444n;
    h.run(insn.hvc(0));
    expect(get('SP_EL1')).toBe(0x444n);
  });

  test('misuse throws', () => {
    const { h, get, set, enter } = hosted();
    expect(() => get('DBGBVR2_EL1')).toThrow('EL2 cannot read system register S2_0_C0_C2_4');
    expect(() => set('MIDR_EL1', 0n)).toThrow(RangeError);
    expect(() => h.priv.sysInstruction(0, 0n)).toThrow(RangeError);
    expect(() => enter(9n)).toThrow('SPSR_EL2 0x9');
    expect(() => enter(0x10n)).toThrow('SPSR_EL2 0x10');
    enter();
    expect(() => h.priv.enterGuest()).toThrow('running');
    expect(() => get('ESR_EL2')).toThrow('running');
  });

  test('AT and TLBI of EL2', () => {
    const { h, get, set } = hosted();
    const at = (va: bigint): boolean => h.priv.sysInstruction((1 << 14) | (4 << 11) | (7 << 7) | (8 << 3) | 4, va);
    set('VTCR_EL2', 0x2_3559n);
    set('VTTBR_EL2', BigInt(RAM));
    set('HCR_EL2', 0x8000_0001n);
    h.write64(RAM + 8, BigInt(RAM) | 0x7fdn);
    expect([at(0x4000_5123n), get('PAR_EL1')]).toEqual([true, 0x4000_5b00n]);
    h.write64(RAM + 8, 0n);
    expect([at(0x4000_5123n), get('PAR_EL1')]).toEqual([true, 0x4000_5b00n]);
    h.priv.sysInstruction((1 << 14) | (4 << 11) | (8 << 7) | (7 << 3) | 6, 0n);
    expect([at(0x4000_5123n), get('PAR_EL1')]).toEqual([true, 0xa0bn]);
  });

  test('SIMD&FP trap and WFI to EL2', () => {
    const { h, get, set, enter } = hosted();
    set('CPACR_EL1', 3n << 20n);
    set('CPTR_EL2', 1n << 10n);
    set('HCR_EL2', 1n << 13n);
    enter();
    expect(h.shared.fpTrap).toBe(2);
    expect(h.priv.fpTrap()).toBe(Status.leave);
    expect(get('ESR_EL2') >> 26n).toBe(7n);
    enter();
    expect(h.run(insn.wfi)).toBe(Status.leave);
    expect([get('ESR_EL2'), h.priv.exited, h.priv.waiting]).toEqual([0x7e0_0000n, true, false]);
  });

  test('a kick leaves the guest as a physical interrupt', () => {
    const { h, get, set, enter } = hosted();
    set('HCR_EL2', 1n << 4n);
    enter();
    h.priv.setLine(Line.irq, true);
    expect(h.priv.pendingInterrupt()).toBe(Status.leave);
    expect([h.priv.exited, h.priv.el, get('ICC_HPPIR1_EL1')]).toEqual([true, 2, 1023n]);
    // While it is high, entering comes back at once.
    enter();
    expect([h.priv.exited, h.priv.el]).toEqual([true, 2]);
  });
});

describe('timers', () => {
  test.each([
    ['CNTP', 'CNTP_CTL_EL0', 'CNTP_CVAL_EL0', 'CNTP_TVAL_EL0', Ppi.cntp], ['CNTV', 'CNTV_CTL_EL0', 'CNTV_CVAL_EL0', 'CNTV_TVAL_EL0', Ppi.cntv], ['CNTHP', 'CNTHP_CTL_EL2', 'CNTHP_CVAL_EL2', 'CNTHP_TVAL_EL2', Ppi.cnthp],
  ] as const)('%s', (_name, ctl, cval, tval, ppi) => {
    const h = new Harness();
    h.now = 1000n;
    h.set(cval, 1500n);
    h.set(ctl, 1n);
    expect([h.get(ctl), h.get(tval), h.lines.has(ppi), h.priv.nextTimer()]).toEqual([1n, 500n, false, 1500n]);
    h.now = 1500n;
    expect(h.get(ctl)).toBe(5n);
    h.priv.pendingInterrupt();
    expect([h.lines.has(ppi), h.priv.nextTimer()]).toEqual([true, undefined]);
    h.now = 1600n;
    expect(h.get(tval)).toBe(BigInt.asUintN(32, -100n));
    h.set(ctl, 3n);
    expect([h.get(ctl), h.lines.has(ppi)]).toEqual([7n, false]);
    h.set(ctl, 1n);
    expect(h.lines.has(ppi)).toBe(true);
    h.set(tval, 50n);
    expect([h.get(cval), h.lines.has(ppi)]).toEqual([1650n, false]);
    h.set(tval, 0xffff_fff0n);
    expect([h.get(cval), h.lines.has(ppi)]).toEqual([1584n, true]);
    h.set(ctl, 0n);
    expect(h.lines.has(ppi)).toBe(false);
  });

  test('CNTVOFF_EL2 moves the virtual count alone', () => {
    const h = new Harness();
    h.now = 1000n;
    h.set('CNTV_CVAL_EL0', 100n);
    h.set('CNTV_CTL_EL0', 1n);
    expect(h.lines.has(Ppi.cntv)).toBe(true);
    h.set('CNTVOFF_EL2', 950n);
    expect([h.get('CNTVCT_EL0'), h.get('CNTPCT_EL0'), h.lines.has(Ppi.cntv), h.priv.nextTimer()]).toEqual([50n, 1000n, false, 1050n]);
    h.set('CNTVOFF_EL2', 2000n);
    expect([h.get('CNTVCT_EL0'), h.lines.has(Ppi.cntv)]).toEqual([BigInt.asUintN(64, -1000n), true]);
  });

  test('hosted, the timer of the guest exits, and its list register deactivates it', () => {
    const { h, get, set, enter } = hosted();
    set('HCR_EL2', 1n << 4n);
    set('ICH_HCR_EL2', 1n);
    enter();
    h.set('ICC_PMR_EL1', 0xffn);
    h.set('ICC_IGRPEN1_EL1', 1n);
    h.set('CNTV_CVAL_EL0', 10n);
    h.set('CNTV_CTL_EL0', 1n);
    expect(h.run(insn.wfi)).toBe(Status.leave);
    expect([h.priv.waiting, h.priv.wakeable()]).toEqual([true, false]);
    h.now = 10n;
    expect(h.priv.wakeable()).toBe(true);
    expect(h.priv.pendingInterrupt()).toBe(Status.leave);
    // EL2 acknowledges, drops the priority, and leaves deactivation to the guest.
    set('ICC_CTLR_EL1', 2n);
    expect(get('ICC_IAR1_EL1')).toBe(27n);
    expect(get('ICC_IAR1_EL1')).toBe(1023n);
    set('ICC_EOIR1_EL1', 27n);
    set('ICH_LR0_EL2', (1n << 62n) | (1n << 61n) | (1n << 60n) | (0xa0n << 48n) | (27n << 32n) | 27n);
    enter(0x85n);
    expect([h.priv.exited, h.run(insn.daifclr(2))]).toEqual([false, Status.refetch]);
    expect(h.get('ICC_IAR1_EL1')).toBe(27n);
    h.set('CNTV_CTL_EL0', 3n);
    h.set('ICC_EOIR1_EL1', 27n);
    h.run(insn.hvc(0));
    expect([get('ICH_LR0_EL2') >> 62n, get('ICH_ELRSR_EL2')]).toEqual([0n, 0xffffn]);
    set('CNTV_CTL_EL0', 1n);
    expect(get('ICC_HPPIR1_EL1')).toBe(27n);
  });
});

describe('performance monitors', () => {
  test('the cycle counter counts instructions while enabled', () => {
    const h = new Harness();
    h.enter('EL1h');
    h.set('PMCNTENSET_EL0', 0x8000_0000n);
    h.retired = 100;
    expect(h.get('PMCCNTR_EL0')).toBe(0n);
    h.set('PMCR_EL0', 0x41n);
    h.retired = 150;
    expect(h.get('PMCCNTR_EL0')).toBe(50n);
    h.set('PMCNTENCLR_EL0', 0x8000_0000n);
    h.retired = 170;
    expect(h.get('PMCCNTR_EL0')).toBe(50n);
    h.set('PMCR_EL0', 0x45n);
    expect(h.get('PMCCNTR_EL0')).toBe(0n);
    expect([h.get('PMCR_EL0'), h.get('PMCEID0_EL0'), h.get('PMCEID1_EL0')]).toEqual([0x41n, 0x2_0000n, 0n]);
  });

  test('filters follow the Exception level', () => {
    const h = new Harness();
    h.set('PMCCFILTR_EL0', 0x8000_0000n); // not at EL1
    h.set('PMCNTENSET_EL0', 0x8000_0000n);
    h.set('PMCR_EL0', 0x41n);
    h.set('PMUSERENR_EL0', 1n);
    h.retired = 10; // EL2 does not count without NSH
    h.enter('EL0t');
    h.retired = 30;
    h.run(insn.svc(0));
    h.retired = 100;
    expect(h.get('PMCCNTR_EL0')).toBe(20n);
  });

  test('overflow raises the interrupt', () => {
    const h = new Harness();
    h.enter('EL1h');
    h.set('PMINTENSET_EL1', 0x8000_0000n);
    h.set('PMCNTENSET_EL0', 0x8000_0000n);
    h.set('PMCR_EL0', 1n);
    h.set('PMCCNTR_EL0', 0xffff_fff0n);
    h.retired = 15;
    h.priv.pendingInterrupt();
    expect([h.get('PMOVSSET_EL0'), h.lines.has(Ppi.pmu)]).toEqual([0n, false]);
    h.retired = 16;
    h.priv.pendingInterrupt();
    expect([h.get('PMOVSCLR_EL0'), h.lines.has(Ppi.pmu)]).toEqual([0x8000_0000n, true]);
    h.set('PMOVSCLR_EL0', 0x8000_0000n);
    expect(h.lines.has(Ppi.pmu)).toBe(false);
  });
});

describe('the virtual CPU interface', () => {
  const lr = (intid: number, priority: number, extra = 0n): bigint => (1n << 62n) | (1n << 60n) | (BigInt(priority) << 48n) | BigInt(intid) | extra;
  const machine = (...lrs: bigint[]): ReturnType<typeof hosted> => {
    const all = hosted();
    const { h, set, enter } = all;
    set('HCR_EL2', 3n << 3n);
    set('ICH_HCR_EL2', 1n);
    lrs.forEach((value, n) => h.priv.sysRegWrite(key('ICH_LR0_EL2') + n, value));
    enter(0xc5n);
    h.set('ICC_PMR_EL1', 0xf0n);
    h.set('ICC_IGRPEN1_EL1', 1n);
    h.set('ICC_IGRPEN0_EL1', 1n);
    return all;
  };

  test('acknowledges by priority, nests, and ends', () => {
    const { h, get } = machine(lr(40, 0xa0), lr(41, 0x80), lr(42, 0xf0));
    expect([h.get('ICC_RPR_EL1'), h.get('ICC_HPPIR1_EL1'), h.get('ISR_EL1')]).toEqual([0xffn, 41n, 0x80n]);
    expect(h.get('ICC_IAR1_EL1')).toBe(41n);
    expect([h.get('ICC_RPR_EL1'), h.get('ISR_EL1'), h.get('ICC_IAR1_EL1')]).toEqual([0x80n, 0n, 1023n]);
    h.set('ICC_EOIR1_EL1', 41n);
    expect([h.get('ICC_IAR1_EL1'), h.get('ICC_AP1R0_EL1')]).toEqual([40n, 1n << 20n]);
    h.set('ICC_EOIR1_EL1', 40n);
    // 0xf0 does not pass the mask.
    expect([h.get('ICC_HPPIR1_EL1'), h.get('ICC_IAR1_EL1'), h.get('ISR_EL1')]).toEqual([42n, 1023n, 0n]);
    h.run(insn.hvc(0));
    expect(get('ICH_ELRSR_EL2')).toBe(0xfffbn);
  });

  test('preempts by group priority', () => {
    const { h, set, enter } = machine(lr(40, 0xa0));
    expect(h.get('ICC_IAR1_EL1')).toBe(40n);
    h.run(insn.hvc(0));
    set('ICH_LR1_EL2', lr(41, 0x98));
    enter(0xc5n);
    expect(h.get('ISR_EL1')).toBe(0x80n);
    // Binary point 6 leaves bits 7:6: the same group priority.
    h.set('ICC_BPR1_EL1', 6n);
    expect([h.get('ISR_EL1'), h.get('ICC_IAR1_EL1')]).toEqual([0n, 1023n]);
  });

  test('binary points have a least value, and CBPR joins them', () => {
    const { h } = machine();
    h.set('ICC_BPR0_EL1', 0n);
    h.set('ICC_BPR1_EL1', 0n);
    expect([h.get('ICC_BPR0_EL1'), h.get('ICC_BPR1_EL1')]).toEqual([2n, 3n]);
    h.set('ICC_CTLR_EL1', 1n);
    h.set('ICC_BPR0_EL1', 5n);
    h.set('ICC_BPR1_EL1', 7n);
    expect([h.get('ICC_BPR1_EL1'), h.get('ICC_CTLR_EL1')]).toEqual([6n, 0x4_8c01n]);
    h.set('ICC_CTLR_EL1', 0n);
    expect(h.get('ICC_BPR1_EL1')).toBe(3n);
  });

  test('EOImode separates priority drop and deactivation', () => {
    const { h, get } = machine(lr(40, 0xa0));
    h.set('ICC_CTLR_EL1', 2n);
    expect(h.get('ICC_IAR1_EL1')).toBe(40n);
    h.set('ICC_EOIR1_EL1', 40n);
    expect(h.get('ICC_RPR_EL1')).toBe(0xffn);
    h.run(insn.hvc(0));
    expect(get('ICH_LR0_EL2') >> 62n).toBe(2n);
    h.priv.enterGuest();
    h.set('ICC_DIR_EL1', 40n);
    h.run(insn.hvc(0));
    expect(get('ICH_LR0_EL2') >> 62n).toBe(0n);
  });

  test('group 0 is FIQ and has its own registers', () => {
    const { h } = machine(lr(40, 0xa0) & ~(1n << 60n));
    expect([h.get('ISR_EL1'), h.get('ICC_IAR1_EL1'), h.get('ICC_IAR0_EL1'), h.get('ICC_RPR_EL1')]).toEqual([0x40n, 1023n, 40n, 0xa0n]);
    h.set('ICC_EOIR0_EL1', 40n);
    expect(h.get('ICC_RPR_EL1')).toBe(0xffn);
  });

  test('LPIs have no active state', () => {
    const { h, get } = machine(lr(8200, 0xa0));
    expect(h.get('ICC_IAR1_EL1')).toBe(8200n);
    h.set('ICC_EOIR1_EL1', 8200n);
    expect(h.get('ICC_RPR_EL1')).toBe(0xffn);
    h.run(insn.hvc(0));
    expect([get('ICH_LR0_EL2') >> 62n, get('ICH_HCR_EL2')]).toEqual([0n, 1n]);
  });

  test('maintenance: EOI, underflow, no pending, EOIcount', () => {
    const { h, get, set } = machine(lr(40, 0xa0, 1n << 41n));
    expect(h.get('ICC_IAR1_EL1')).toBe(40n);
    h.setX(5, 40n);
    expect(h.run(msr('ICC_EOIR1_EL1', 5))).toBe(Status.leave);
    expect([h.lines.has(Ppi.maintenance), h.priv.exited]).toEqual([true, true]);
    expect([get('ICC_IAR1_EL1'), get('ICH_MISR_EL2'), get('ICH_EISR_EL2'), get('ICH_ELRSR_EL2')]).toEqual([25n, 1n, 1n, 0xfffen]);
    set('ICH_LR0_EL2', 0n);
    set('ICC_EOIR1_EL1', 25n);
    expect(h.lines.has(Ppi.maintenance)).toBe(false);
    set('ICH_HCR_EL2', 0xbn);
    expect(get('ICH_MISR_EL2')).toBe(0xan);
    // An end of interrupt without list register, while a priority is active.
    set('ICH_HCR_EL2', 5n);
    set('ICH_AP1R0_EL2', 1n << 20n);
    h.priv.sysRegWrite(key('SPSR_EL2'), 0xc5n);
    h.priv.enterGuest();
    h.setX(5, 50n);
    expect(h.run(msr('ICC_EOIR1_EL1', 5))).toBe(Status.leave);
    expect([get('ICH_HCR_EL2'), get('ICH_MISR_EL2')]).toEqual([0x800_0005n, 4n]);
  });

  test('traps of ICH_HCR_EL2, and SGIs', () => {
    for (const [bits, name, write] of [
      [0x400n, 'ICC_PMR_EL1', false], [0x400n, 'ICC_CTLR_EL1', true], [0x800n, 'ICC_IAR0_EL1', false], [0x1000n, 'ICC_EOIR1_EL1', true], [0x4000n, 'ICC_DIR_EL1', true], [0n, 'ICC_SGI1R_EL1', true],
    ] as const) {
      const { h, get, set, enter } = machine();
      h.run(insn.hvc(0));
      set('ICH_HCR_EL2', bits | 1n);
      enter();
      expect(h.run(write ? msr(name, 5) : mrs(name, 5)), name).toBe(Status.leave);
      expect(get('ESR_EL2') >> 26n).toBe(0x18n);
    }
  });

  test('ICC_SRE_EL1 and its trap', () => {
    const { h, get, set, enter } = machine();
    expect(h.get('ICC_SRE_EL1')).toBe(7n);
    h.run(insn.hvc(0));
    expect([get('ICC_SRE_EL2'), get('ICH_VTR_EL2')]).toEqual([15n, 0x90b8_000fn]);
    set('ICC_SRE_EL2', 0n);
    enter();
    expect(h.run(mrs('ICC_SRE_EL1', 5))).toBe(Status.leave);
  });

  test('EL2 and unvirtualized EL1 talk to the physical interface', () => {
    const log: string[] = [];
    const h = new Harness({ gic: { read: () => 0x123n, write: (register, value) => log.push(`${register === key('ICC_PMR_EL1') ? 'PMR' : 'SGI'} ${value.toString(16)}`), deactivate: () => undefined } });
    h.set('ICC_PMR_EL1', 0xf0n);
    h.enter('EL1h');
    expect(h.get('ICC_IAR1_EL1')).toBe(0x123n);
    h.set('ICC_SGI1R_EL1', 0x1_0000_0000_0001n);
    expect(log).toEqual(['PMR f0', 'SGI 1000000000001']);
  });

  test('garbage in every register disturbs nothing', () => {
    const { h, get, set, enter } = machine();
    let seed = 99;
    const next = (): bigint => {
      seed = (Math.imul(seed, 1103515245) + 12345) | 0;
      const first = seed >>> 3;
      seed = (Math.imul(seed, 1103515245) + 12345) | 0;
      return (BigInt(first) << 35n) ^ BigInt(seed >>> 0);
    };
    const guest = ['ICC_IAR0_EL1', 'ICC_IAR1_EL1', 'ICC_EOIR0_EL1', 'ICC_EOIR1_EL1', 'ICC_DIR_EL1', 'ICC_BPR0_EL1', 'ICC_BPR1_EL1', 'ICC_CTLR_EL1', 'ICC_PMR_EL1', 'ICC_AP1R0_EL1', 'ICC_IGRPEN1_EL1', 'ICC_RPR_EL1'] as const;
    for (let i = 0; i < 5000; i++) {
      if (h.priv.el !== 2) h.run(insn.hvc(0));
      set('ICH_LR0_EL2', next());
      set('ICH_LR15_EL2', next());
      set('ICH_VMCR_EL2', next());
      set('ICH_HCR_EL2', (next() & 0xff00_00ffn) | 1n);
      enter(0xc5n);
      for (let j = 0; j < 4 && h.priv.el === 1; j++) {
        const name = guest[Number(next() & 0xffn) % guest.length]!;
        h.setX(5, next());
        h.run(i % 2 === 0 ? mrs(name, 5) : msr(name, 5));
      }
    }
    expect(h.run(sys(0, 8, 7, 0))).toBeTypeOf('number');
    if (h.priv.el !== 2) h.run(insn.hvc(0));
    expect(get('ICH_VTR_EL2')).toBe(0x90b8_000fn);
  });
});
