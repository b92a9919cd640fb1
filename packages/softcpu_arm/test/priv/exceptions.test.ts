import { describe, expect, test } from 'vitest';
import { Access, Line, Status } from '../../src/priv/index.ts';
import { Harness, hi, insn, lo, mrs, msr, RAM, sys, type Mode, type RegName } from './harness.ts';

const VBAR1 = 0x4000_8000n;
const VBAR2 = 0x4000_9000n;

/** A processing element with vectors, in a mode, at pc 0x4000_1000. */
function machine(mode: Mode, setup: Partial<Record<RegName, bigint>> = {}, flags = 0n): Harness {
  const h = new Harness();
  h.set('VBAR_EL1', VBAR1);
  h.set('VBAR_EL2', VBAR2);
  for (const [name, value] of Object.entries(setup)) h.set(name as RegName, value);
  if (mode !== 'EL2h') h.enter(mode, 0x4000_1000n, flags);
  else h.pc = 0x4000_1000n;
  return h;
}

/** What an exception left: [pc, mode, ESR, ELR, SPSR]. */
function taken(h: Harness): readonly [string, Mode, string, string, string] {
  const { mode, pc } = h;
  const suffix = h.priv.el === 1 ? 'EL1' : 'EL2';
  const hex = (name: RegName): string => h.get(name).toString(16);
  return [pc.toString(16), mode, hex(`ESR_${suffix}`), hex(`ELR_${suffix}`), hex(`SPSR_${suffix}`)];
}

const HCR = { TGE: 1n << 27n, TSC: 1n << 19n, HCD: 1n << 29n, TWI: 1n << 13n, TWE: 1n << 14n, AMO: 1n << 5n, IMO: 1n << 4n, FMO: 1n << 3n, VSE: 1n << 8n, VI: 1n << 7n, VF: 1n << 6n, TIDCP: 1n << 20n };

describe('synchronous exceptions', () => {
  test.each([
    ['SVC from EL0', 'EL0t', {}, insn.svc(0x1234), ['40008400', 'EL1h', '56001234', '40001004', '0']],
    ['SVC from EL1h', 'EL1h', {}, insn.svc(1), ['40008200', 'EL1h', '56000001', '40001004', '5']],
    ['SVC from EL1t', 'EL1t', {}, insn.svc(1), ['40008000', 'EL1h', '56000001', '40001004', '4']],
    ['SVC from EL0 with TGE', 'EL0t', { HCR_EL2: HCR.TGE }, insn.svc(2), ['40009400', 'EL2h', '56000002', '40001004', '0']],
    ['SVC from EL2', 'EL2h', {}, insn.svc(3), ['40009200', 'EL2h', '56000003', '40001004', '3c9']],
    ['HVC from EL1', 'EL1h', {}, insn.hvc(0xffff), ['40009400', 'EL2h', '5a00ffff', '40001004', '5']],
    ['HVC from EL2', 'EL2h', {}, insn.hvc(7), ['40009200', 'EL2h', '5a000007', '40001004', '3c9']],
    ['HVC from EL0', 'EL0t', {}, insn.hvc(0), ['40008400', 'EL1h', '2000000', '40001000', '0']],
    ['HVC disabled', 'EL1h', { HCR_EL2: HCR.HCD }, insn.hvc(0), ['40008200', 'EL1h', '2000000', '40001000', '5']],
    ['SMC trapped', 'EL1h', { HCR_EL2: HCR.TSC }, insn.smc(9), ['40009400', 'EL2h', '5e000009', '40001000', '5']],
    ['SMC without EL3', 'EL1h', {}, insn.smc(9), ['40008200', 'EL1h', '2000000', '40001000', '5']],
    ['SMC from EL0', 'EL0t', { HCR_EL2: HCR.TSC }, insn.smc(9), ['40008400', 'EL1h', '2000000', '40001000', '0']],
    ['BRK from EL0', 'EL0t', {}, insn.brk(0xf000), ['40008400', 'EL1h', 'f200f000', '40001000', '0']],
    ['BRK with TDE', 'EL0t', { MDCR_EL2: 1n << 8n }, insn.brk(1), ['40009400', 'EL2h', 'f2000001', '40001000', '0']],
    ['undefined from EL0 with TGE', 'EL0t', { HCR_EL2: HCR.TGE }, insn.eret, ['40009400', 'EL2h', '2000000', '40001000', '0']],
    ['HLT', 'EL1h', {}, 0xd440_0000 | 0, ['40008200', 'EL1h', '2000000', '40001000', '5']],
    ['DRPS', 'EL1h', {}, 0xd6bf_03e0 | 0, ['40008200', 'EL1h', '2000000', '40001000', '5']],
    ['SB is not there', 'EL1h', {}, insn.sb, ['40008200', 'EL1h', '2000000', '40001000', '5']],
    ['WFI from EL0', 'EL0t', {}, insn.wfi, ['40008400', 'EL1h', '7e00000', '40001000', '0']],
    ['WFE with TWE', 'EL1h', { HCR_EL2: HCR.TWE }, insn.wfe, ['40009400', 'EL2h', '7e00001', '40001000', '5']],
    ['WFI with TWI', 'EL1h', { HCR_EL2: HCR.TWI }, insn.wfi, ['40009400', 'EL2h', '7e00000', '40001000', '5']],
    ['DAIFSet from EL0', 'EL0t', {}, insn.daifset(2), ['40008400', 'EL1h', '620cd3e4', '40001000', '0']],
    ['MSR PAN from EL0', 'EL0t', {}, insn.pan(1), ['40008400', 'EL1h', '2000000', '40001000', '0']],
    ['implementation defined, TIDCP', 'EL1h', { HCR_EL2: HCR.TIDCP }, 0xd538_f205 | 0, ['40009400', 'EL2h', '62303ca5', '40001000', '5']],
    ['SYSL', 'EL1h', { HCR_EL2: HCR.TIDCP }, 0xd528_7105 | 0, ['40008200', 'EL1h', '2000000', '40001000', '5']],
    ['implementation defined SYSL, TIDCP', 'EL1h', { HCR_EL2: HCR.TIDCP }, 0xd528_b005 | 0, ['40009400', 'EL2h', '62102ca1', '40001000', '5']],
    ['implementation defined', 'EL1h', {}, 0xd538_f205 | 0, ['40008200', 'EL1h', '2000000', '40001000', '5']],
  ] as const)('%s', (_name, mode, setup, bits, expected) => {
    const h = machine(mode, setup);
    if (bits === insn.wfe) h.run(insn.wfe); // ERET set the event
    expect(h.run(bits)).toBe(Status.refetch);
    // Interrupts and debug exceptions are masked, and flags kept.
    expect(h.shared.daif).toBe(15);
    expect(taken(h)).toEqual(expected);
  });

  test('PSTATE is saved and restored', () => {
    const h = machine('EL1h', { SCTLR_EL1: 0n }, 0xa0c0_0280n);
    expect(h.shared).toMatchObject({ nzcv: '1010', daif: 0b1010, mmu: 2, unprivileged: 2 });
    h.run(insn.svc(0));
    expect(h.get('SPSR_EL1')).toBe(0xa0c0_0285n);
    // UAO is cleared; SPAN = 0 sets PAN.
    expect([h.get('UAO'), h.get('PAN')]).toEqual([0n, 1n << 22n]);
    h.run(insn.eret);
    expect(h.shared).toMatchObject({ nzcv: '1010', daif: 0b1010, mode: 3, unprivileged: 2 });
  });

  test('SPAN = 1 leaves PAN alone', () => {
    const h = machine('EL0t', { SCTLR_EL1: 1n << 23n });
    h.run(insn.svc(0));
    expect(h.get('PAN')).toBe(0n);
    expect(h.shared).toMatchObject({ mmu: 1, unprivileged: 0 });
  });

  test('stack pointers are banked', () => {
    const h = new Harness();
    h.sp = 0x2222n;
    h.set('SP_EL1', 0x1111n);
    h.set('SP_EL0', 0x100n);
    h.enter('EL0t');
    expect(h.sp).toBe(0x100n);
    h.sp = 0x101n;
    h.run(insn.svc(0));
    expect(h.sp).toBe(0x1111n);
    expect(h.get('SP_EL0')).toBe(0x101n);
    h.run(insn.spsel(0));
    expect(h.sp).toBe(0x101n);
    expect(h.run(mrs('SP_EL0', 1))).toBe(Status.refetch);
    h.run(insn.hvc(0));
    expect([h.sp, h.get('SP_EL1'), h.get('SP_EL0')]).toEqual([0x2222n, 0x1111n, 0x101n]);
  });

  test('SP and PC alignment', () => {
    const h = machine('EL1h', { SCTLR_EL1: 1n << 3n });
    expect(h.shared.spAlign).toBe(15);
    h.priv.spAlignment();
    expect(taken(h)).toEqual(['40008200', 'EL1h', '9a000000', '40001000', '5']);
    expect(h.priv.translate(0x1002, 0, Access.fetch, 4)).toBe(-1);
    h.priv.takeException(0);
    expect([h.get('ESR_EL1'), h.get('FAR_EL1')]).toEqual([0x8a00_0000n, 0x1002n]);
  });

  test.each([
    ['CPACR', 'EL0t', { CPACR_EL1: 1n << 20n }, 'EL1h', '1fe00000'], ['CPACR at EL1', 'EL1h', { CPACR_EL1: 0n }, 'EL1h', '1fe00000'],
    ['CPTR', 'EL1h', { CPACR_EL1: 3n << 20n, CPTR_EL2: 1n << 10n }, 'EL2h', '1fe00000'], ['CPACR with TGE', 'EL0t', { HCR_EL2: HCR.TGE }, 'EL2h', '2000000'],
  ] as const)('FP trap by %s', (_name, mode, setup, target, esr) => {
    const h = machine(mode, setup);
    expect(h.shared.fpTrap).not.toBe(0);
    h.priv.fpTrap();
    expect(taken(h).slice(1, 3)).toEqual([target, esr]);
  });

  test('FP does not trap with FPEN = 3', () => {
    expect(machine('EL0t', { CPACR_EL1: 3n << 20n }).shared.fpTrap).toBe(0);
    expect(machine('EL1h', { CPACR_EL1: 1n << 20n }).shared.fpTrap).toBe(0);
  });
});

describe('exception return', () => {
  test.each([
    ['AArch32', 0x10n], ['EL3', 0xdn], ['M[1]', 7n], ['EL0h', 1n],
  ] as const)('%s is an illegal state', (_name, spsr) => {
    const h = machine('EL2h');
    h.set('SPSR_EL2', spsr | (1n << 29n));
    h.set('ELR_EL2', 0x4000_2000n);
    h.run(insn.eret);
    // At the return address with PSTATE.IL set, flags and masks from SPSR.
    expect(taken(h)).toEqual(['40009200', 'EL2h', '3a000000', '40002000', '20100009']);
  });

  test('to a higher Exception level', () => {
    const h = machine('EL1h');
    h.set('SPSR_EL1', 9n);
    h.set('ELR_EL1', 0x4000_2000n);
    h.run(insn.eret);
    expect(taken(h)).toEqual(['40008200', 'EL1h', '3a000000', '40002000', '100005']);
  });

  test('to EL1 with TGE', () => {
    const h = machine('EL2h', { HCR_EL2: HCR.TGE, SPSR_EL2: 5n });
    h.run(insn.eret);
    expect(h.get('ESR_EL2')).toBe(0x3a00_0000n);
  });

  test('a misaligned or unmapped target comes before the illegal state', () => {
    const h = machine('EL2h', { SPSR_EL2: 0x10n, ELR_EL2: 2n });
    h.run(insn.eret);
    expect([h.get('ESR_EL2'), h.get('FAR_EL2')]).toEqual([0x8a00_0000n, 2n]);
  });

  test('closes the exclusive monitor, as CLREX does', () => {
    const h = machine('EL2h', { SPSR_EL2: 5n });
    h.openMonitor();
    h.run(insn.clrex);
    expect(h.shared.exclusive).toBe(0);
    h.openMonitor();
    h.run(insn.eret);
    expect(h.shared.exclusive).toBe(0);
  });
});

/** Stage 2 that maps nothing. */
const UNMAPPED = { VTCR_EL2: 0x2_3559n, VTTBR_EL2: BigInt(RAM), HCR_EL2: 1n };

describe('data abort syndromes at stage 2', () => {
  const S2 = 0x9200_0000 | 5; // EC 0x24, IL, translation fault level 1
  test.each([
    ['ldr x3, [x1]', 0xf940_0023, 0, (1 << 24) | (3 << 22) | (3 << 16) | (1 << 15)],
    ['ldrb w4, [x1]', 0x3940_0024, 0, (1 << 24) | (4 << 16)],
    ['ldrsb x4, [x1]', 0x3980_0024, 0, (1 << 24) | (1 << 21) | (4 << 16) | (1 << 15)],
    ['ldrsb w4, [x1]', 0x39c0_0024, 0, (1 << 24) | (1 << 21) | (4 << 16)],
    ['ldrsw x4, [x1]', 0xb980_0024, 0, (1 << 24) | (2 << 22) | (1 << 21) | (4 << 16) | (1 << 15)],
    ['str w5, [x1, x2]', 0xb822_6825, 1, (1 << 24) | (2 << 22) | (5 << 16)],
    ['str xzr, [x1]', 0xf900_003f, 1, (1 << 24) | (3 << 22) | (31 << 16) | (1 << 15)],
    ['ldur h, ldurh w6, [x1, #1]', 0x7840_1026, 0, (1 << 24) | (1 << 22) | (6 << 16)],
    ['sttr x6, [x1]', 0xf800_0826, 1, (1 << 24) | (3 << 22) | (6 << 16) | (1 << 15)],
    ['ldr w7, label', 0x1800_0007, 0, (1 << 24) | (2 << 22) | (7 << 16)],
    ['ldr x7, label', 0x5800_0007, 0, (1 << 24) | (3 << 22) | (7 << 16) | (1 << 15)],
    ['ldrsw x7, label', 0x9800_0007, 0, (1 << 24) | (2 << 22) | (1 << 21) | (7 << 16) | (1 << 15)],
    ['ldar w8, [x1]', 0x88df_fc28, 0, (1 << 24) | (2 << 22) | (8 << 16) | (1 << 14)],
    ['stlrb w8, [x1]', 0x089f_fc28, 1, (1 << 24) | (8 << 16) | (1 << 14)],
    ['ldapr x8, [x1]', 0xf8bf_c028, 0, (1 << 24) | (3 << 22) | (8 << 16) | (1 << 15) | (1 << 14)],
    ['ldr x3, [x1], #8', 0xf840_8423, 0, 0], ['ldr x3, [x1, #8]!', 0xf840_8c23, 0, 0], ['ldp x3, x4, [x1]', 0xa940_1023, 0, 0], ['ldxr x3, [x1]', 0xc85f_7c23, 0, 0],
    ['stlxr w2, x3, [x1]', 0xc802_fc23, 1, 0],  ['ldr d3, [x1]', 0xfd40_0023, 0, 0],
    ['ldr q3, [x1]', 0x3dc0_0023, 0, 0], ['ld1 {v0.16b}, [x1]', 0x4c40_7020, 0, 0],
  ] as const)('%s', (_name, bits, access, iss) => {
    const h = machine('EL1h', UNMAPPED);
    expect(h.priv.translate(0x4567_8124, 0x12, access, 4)).toBe(-1);
    h.pc = 0x4000_1000n;
    expect(h.priv.takeException(bits | 0)).toBe(Status.refetch);
    expect(h.get('ESR_EL2').toString(16)).toBe(((S2 | (access === 1 ? 0x40 : 0) | iss) >>> 0).toString(16));
    expect([h.get('FAR_EL2'), h.get('HPFAR_EL2')]).toEqual([0x12_4567_8124n, 0x12_4567_80n << 0n & ~0xfn]);
  });

  test.each([['ldadd', 0xf822_0023], ['swp', 0xf822_8023], ['cas', 0xc8a2_7c23], ['casp', 0x4822_7c24]] as const)('%s writes only where a read would not fault', (_name, bits) => {
    const h = machine('EL1h', UNMAPPED);
    expect(h.priv.translate(0x9000, 0, Access.store, 8)).toBe(-1);
    h.priv.takeException(bits | 0);
    expect(h.get('ESR_EL2')).toBe(0x9200_0005n);
    // A block that may be read, and one that may not.
    for (const [block, esr] of [[0x77dn, 0x9200_004dn], [0x73dn, 0x9200_000dn]] as const) {
      h.write64(RAM + 8, BigInt(RAM) | block);
      h.run(sys(4, 8, 7, 4));
      h.enter('EL1h');
      expect(h.priv.translate(RAM + 0x9000, 0, Access.store, 8)).toBe(-1);
      h.priv.takeException(bits | 0);
      expect([h.get('ESR_EL2'), h.get('HPFAR_EL2')]).toEqual([esr, 0x40_0090n]);
    }
  });

  test('an instruction abort, and cache maintenance', () => {
    const h = machine('EL1h', UNMAPPED);
    expect(h.priv.translate(0x8000, 0, Access.fetch, 4)).toBe(-1);
    h.priv.takeException(0);
    expect([h.get('ESR_EL2'), h.get('HPFAR_EL2')]).toEqual([0x8200_0005n, 0x80n]);
    h.enter('EL1h');
    h.setX(1, 0x7000n);
    h.run(sys(3, 7, 10, 1, 1)); // DC CVAC, X1
    expect([h.get('ESR_EL2'), h.get('HPFAR_EL2')]).toEqual([0x9200_0145n, 0x70n]);
  });

  test('stage 1 aborts have no instruction syndrome', () => {
    const h = machine('EL1h', { SCTLR_EL1: 1n, TCR_EL1: 0x80_0019n });
    expect(h.priv.translate(0x9000, 0, Access.store, 4)).toBe(-1);
    h.priv.takeException(0xb900_0025 | 0);
    // The root is not RAM: External abort on the walk. Same Exception level: EC 0x25.
    expect([h.get('ESR_EL1'), h.get('FAR_EL1')]).toEqual([0x9600_0055n, 0x9000n]);
  });
});

describe('alignment', () => {
  test('SCTLR.A faults misaligned accesses', () => {
    const h = machine('EL1h', { SCTLR_EL1: 2n });
    expect(h.priv.translate(RAM + 2, 0, Access.store, 4)).toBe(-1);
    h.priv.takeException(0);
    expect([h.get('ESR_EL1'), h.get('FAR_EL1')]).toEqual([0x9600_0061n, BigInt(RAM + 2)]);
    expect(h.priv.translate(RAM + 4, 0, Access.store, 4)).toBe(RAM + 4);
    // The second part of an access that crosses a page.
    expect(h.priv.translate(RAM + 0x1000, 0, Access.load, 4, 4)).toBe(-1);
    expect(h.priv.exception.farLo).toBe(RAM + 0xffc);
  });

  test('without translation data is Device memory, unless HCR_EL2.DC', () => {
    expect(machine('EL1h').priv.translate(RAM + 1, 0, Access.load, 2)).toBe(-1);
    const h = machine('EL1h', { HCR_EL2: 1n << 12n, VTCR_EL2: 0x2_3559n, VTTBR_EL2: BigInt(RAM) });
    h.write64(RAM + 8, 0x4000_07fdn); // level 1 block at 1 GiB, Normal
    expect(h.priv.translate(RAM + 1, 0, Access.load, 2)).toBe(RAM + 1);
    h.toEl2();
    h.write64(RAM + 8, 0x4000_07c1n); // Device
    h.run(sys(4, 8, 7, 4));
    h.enter('EL1h');
    expect(h.priv.translate(RAM + 1, 0, Access.load, 2)).toBe(-1);
    expect(h.priv.exception).toMatchObject({ stage2: true, iss: 0x21 });
  });

  test('DC ZVA zeroes a block, and faults on Device memory', () => {
    const h = machine('EL2h', { HCR_EL2: 1n << 12n, VTCR_EL2: 0x2_3559n, VTTBR_EL2: BigInt(RAM), SCTLR_EL1: 1n << 14n });
    h.write64(RAM + 8, 0x4000_07fdn);
    for (let i = 0; i < 24; i++) h.write64(RAM + 0x1000 + 8 * i, -1n);
    h.enter('EL0t');
    h.setX(1, BigInt(RAM + 0x1055));
    expect(h.run(sys(3, 7, 4, 1, 1))).toBe(Status.next);
    expect(Array.from({ length: 24 }, (_, i) => h.read64(RAM + 0x1000 + 8 * i) === 0n)).toEqual(Array.from({ length: 24 }, (_, i) => i >= 8 && i < 16));
    const device = machine('EL1h');
    device.setX(1, BigInt(RAM + 0x1055));
    device.run(sys(3, 7, 4, 1, 1));
    expect([device.get('ESR_EL1'), device.get('FAR_EL1')]).toEqual([0x9600_0061n, BigInt(RAM + 0x1055)]);
  });
});

describe('External aborts and SError', () => {
  test('of data and instructions', () => {
    const h = machine('EL0t');
    h.priv.externalAbort(lo(0x12_3456_7890n), hi(0x12_3456_7890n), Access.store);
    h.priv.takeException(0xb900_0025 | 0);
    expect([h.get('ESR_EL1'), h.get('FAR_EL1')]).toEqual([0x9200_0050n, 0x12_3456_7890n]);
  });

  test('a physical SError is taken once, to EL2 with AMO', () => {
    const h = machine('EL1h', { HCR_EL2: HCR.AMO }, 0x3c0n);
    h.priv.setLine(Line.serror, true);
    expect(h.priv.pendingInterrupt()).toBe(Status.refetch);
    expect(taken(h)).toEqual(['40009580', 'EL2h', 'be000000', '40001000', '3c5']);
    h.enter('EL1h');
  });

  test('a virtual SError is taken once by the guest', () => {
    const h = machine('EL2h', { HCR_EL2: HCR.AMO | HCR.VSE, SPSR_EL2: 0n, ELR_EL2: 0x4000_1000n });
    expect(h.run(insn.eret)).toBe(Status.refetch);
    expect(taken(h)).toEqual(['40008580', 'EL1h', 'be000000', '40001000', '0']);
    h.run(insn.hvc(0));
    expect(h.get('HCR_EL2')).toBe(0x8000_0000n | HCR.AMO);
  });
});

describe('IRQ and FIQ', () => {
  const I = 1n << 7n;
  test.each([
    ['to EL1', 'EL0t', {}, 0n, Line.irq, '40008480', 'EL1h'], ['masked by I', 'EL1h', {}, I, Line.irq, '40001000', 'EL1h'],
    ['FIQ is not masked by I', 'EL1h', {}, I, Line.fiq, '40008300', 'EL1h'], ['IMO: not masked', 'EL1h', { HCR_EL2: HCR.IMO }, I, Line.irq, '40009480', 'EL2h'],
    ['FMO does not route IRQ', 'EL1h', { HCR_EL2: HCR.FMO }, 0n, Line.irq, '40008280', 'EL1h'], ['FMO', 'EL1h', { HCR_EL2: HCR.FMO }, 0n, Line.fiq, '40009500', 'EL2h'],
    ['TGE', 'EL0t', { HCR_EL2: HCR.TGE }, I, Line.irq, '40009480', 'EL2h'], ['FIQ before IRQ', 'EL1h', {}, 0n, Line.irq | Line.fiq, '40008300', 'EL1h'],
  ] as const)('%s', (_name, mode, setup, flags, line, pc, target) => {
    const h = machine(mode, setup, flags);
    h.priv.setLine(line, true);
    expect(h.priv.pendingInterrupt()).toBe(pc === '40001000' ? Status.next : Status.refetch);
    expect([h.pc.toString(16), h.mode]).toEqual([pc, target]);
    expect(h.priv.wakeable()).toBe(true);
  });

  test('for EL1 while in EL2 it stays pending', () => {
    const h = machine('EL2h');
    h.run(insn.daifclr(15));
    h.priv.setLine(Line.irq, true);
    expect(h.priv.pendingInterrupt()).toBe(Status.next);
    expect(h.get('ISR_EL1')).toBe(0x80n);
  });

  test.each([
    ['VI', HCR.IMO | HCR.VI, '40008280'], ['VF', HCR.FMO | HCR.VF, '40008300'], ['VI without IMO', HCR.VI, '40001000'], ['VI with TGE', HCR.TGE | HCR.IMO | HCR.VI, ''],
  ] as const)('virtual: %s', (_name, hcr, pc) => {
    const h = machine('EL2h', { HCR_EL2: hcr, ELR_EL2: 0x4000_1000n });
    if (pc === '') {
      h.enter('EL0t', 0x4000_1000n);
      expect(h.mode).toBe('EL0t');
      return;
    }
    h.enter('EL1h', 0x4000_1000n, 0xc0n);
    expect(h.pc).toBe(0x4000_1000n);
    // Unmasking takes it behind the instruction.
    const status = h.run(insn.daifclr(3));
    expect([status, h.pc.toString(16)]).toEqual(pc === '40001000' ? [Status.next, pc] : [Status.refetch, pc]);
    if (status === Status.refetch) expect(h.get('ELR_EL1')).toBe(0x4000_1004n);
  });

  test('WFI waits until something is pending, masked or not', () => {
    const h = machine('EL1h', {}, 0x3c0n);
    expect(h.run(insn.wfi)).toBe(Status.leave);
    expect([h.priv.waiting, h.pc, h.priv.wakeable()]).toEqual([true, 0x4000_1004n, false]);
    h.priv.setLine(Line.irq, true);
    expect([h.priv.wakeable(), h.priv.waiting]).toEqual([true, false]);
    expect(h.run(insn.wfi)).toBe(Status.next);
  });
});

describe('software step', () => {
  test('one instruction, then an exception', () => {
    const h = machine('EL2h', { MDSCR_EL1: 1n, OSLAR_EL1: 0n });
    h.enter('EL0t', 0x4000_1000n, 1n << 21n);
    expect(h.priv.stepping).toBe(true);
    expect(h.priv.pendingInterrupt()).toBe(Status.next);
    h.pc = 0x4000_1004n;
    h.priv.stepped();
    expect(h.priv.pendingInterrupt()).toBe(Status.refetch);
    expect(taken(h)).toEqual(['40008400', 'EL1h', 'cb000022', '40001004', '0']);
    expect(h.priv.stepping).toBe(false);
  });

  test('is off while the OS Lock is set, and in the handler', () => {
    const h = machine('EL2h', { MDSCR_EL1: 1n });
    h.enter('EL0t', 0x4000_1000n, 1n << 21n);
    expect(h.priv.stepping).toBe(false);
    expect(h.priv.pendingInterrupt()).toBe(Status.next);
  });

  test('without PSTATE.SS the exception comes at once', () => {
    const h = machine('EL2h', { MDSCR_EL1: 1n, OSLAR_EL1: 0n, SPSR_EL2: 0n, ELR_EL2: 0x4000_1000n });
    h.run(insn.eret);
    expect(taken(h).slice(0, 4)).toEqual(['40008400', 'EL1h', 'ca000022', '40001000']);
  });
});

test('every unallocated system encoding is UNDEFINED or known, never a host error', () => {
  const h = machine('EL1h');
  let seed = 12345;
  for (let i = 0; i < 50_000; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) | 0;
    const bits = ((seed >>> 7) & 0x1ff_ffff) | (i % 8 === 0 ? 0xd400_0000 : 0xd500_0000);
    h.setX(5, BigInt(seed) << 13n);
    h.priv.system(bits);
    if (i % 64 === 0) {
      h.priv.reset();
      h.enter((['EL1h', 'EL0t', 'EL1t'] as const)[(i / 64) % 3]!, 0x4000_1000n);
    }
  }
  expect(h.run(msr('TPIDR_EL0', 1))).toBe(Status.next);
});
