import { Space } from '@axvisor/softcpu';
import { describe, expect, test } from 'vitest';
import { Access, Status, sysRegKey } from '../../src/priv/index.ts';
import { Harness, insn, key, mrs, msr, RAM, regNames, sys, type Mode, type RegName } from './harness.ts';

describe('identification', () => {
  // Fields by the feature list: AArch64 at EL0-2 only, FP16, GIC, CSV2/3; debug v8, PMUv3, 2 + 2 points; AES+PMULL, SHA1, SHA2, CRC32, LSE, RDM, DP; LRCPC; 40 bits, ASID16, all granules; HAFDBS, VMID16, PAN; UAO.
  test.each([
    ['ID_AA64PFR0_EL1', 0x1100_0000_0011_0111n], ['ID_AA64PFR1_EL1', 0n], ['ID_AA64ZFR0_EL1', 0n], ['ID_PFR0_EL1', 0n], ['ID_AA64DFR0_EL1', 0x10_1106n],
    ['ID_AA64ISAR0_EL1', 0x1000_1021_1120n], ['ID_AA64ISAR1_EL1', 0x10_0000n], ['ID_AA64MMFR0_EL1', 0x10_0022n], ['ID_AA64MMFR1_EL1', 0x10_0022n],
    ['ID_AA64MMFR2_EL1', 0x10n], ['MIDR_EL1', 0xf_0000n], ['MPIDR_EL1', 0x8000_0000n], ['CTR_EL0', 0xb444_c004n], ['DCZID_EL0', 4n], ['CLIDR_EL1', 0x100_0003n], ['CNTFRQ_EL0', 62_500_000n],
  ] as const)('%s', (name, value) => {
    expect(new Harness().get(name)).toBe(value);
  });

  test('with a GIC, another PARange and affinity, and shared memory', () => {
    const h = new Harness({ gic: { read: () => 0n, write: () => undefined, deactivate: () => undefined }, paRange: 5, shared: true, affinity: 0x12_0003_0201n });
    expect([h.get('ID_AA64PFR0_EL1'), h.get('ID_AA64MMFR0_EL1'), h.get('CTR_EL0'), h.get('MPIDR_EL1'), h.get('VMPIDR_EL2')]).toEqual([
      0x1100_0000_0111_0111n, 0x10_0025n, 0x9444_c004n, 0x12_8003_0201n, 0x12_8003_0201n,
    ]);
  });

  test('EL1 sees VPIDR_EL2 and VMPIDR_EL2', () => {
    const h = new Harness();
    h.set('VPIDR_EL2', 0x4100_d030n);
    h.set('VMPIDR_EL2', 0xff_ffff_ffffn);
    h.enter('EL1h');
    expect([h.get('MIDR_EL1'), h.get('MPIDR_EL1')]).toEqual([0x4100_d030n, 0xff_c1ff_ffffn]);
  });
});

/** What a write of ones and of zeroes leaves. */
describe('writable bits', () => {
  test.each([
    ['SCTLR_EL1', 0x34dd_db9fn, 0x3050_0980n], ['SCTLR_EL2', 0x30cd_183fn, 0x30c5_0830n], ['CPACR_EL1', 0x30_0000n, 0n], ['HCR_EL2', 0x43_ffff_ffffn, 0x8000_0000n],
    ['CPTR_EL2', 0x8000_37ffn, 0x33ffn], ['MDCR_EL2', 0xfffn, 0n], ['HSTR_EL2', 0n, 0n], ['ACTLR_EL1', 0n, 0n], ['TTBR0_EL1', 0xffff_ffff_ffff_fffen, 0n], ['TTBR0_EL2', 0xffff_ffff_fffen, 0n],
    ['VTTBR_EL2', 0xffff_ffff_ffff_fffen, 0n], ['VTCR_EL2', 0x806f_ffffn, 0x8000_0000n], ['TCR_EL1', 0x1f7_ffff_ffbfn, 0n], ['TCR_EL2', 0x80f7_ff3fn, 0x8080_0000n],
    ['SPSR_EL1', 0xf0f0_03dfn, 0n], ['VBAR_EL1', 0xffff_ffff_ffff_f800n, 0n], ['ESR_EL1', 0xffff_ffffn, 0n], ['FAR_EL1', 0xffff_ffff_ffff_ffffn, 0n], ['HPFAR_EL2', 0xff_ffff_fff0n, 0n],
    ['AFSR0_EL1', 0n, 0n], ['CONTEXTIDR_EL1', 0xffff_ffffn, 0n], ['FPCR', 0x7c8_0000n, 0n], ['FPSR', 0x800_009fn, 0n], ['CSSELR_EL1', 0xfn, 0n], ['CNTKCTL_EL1', 0x3ffn, 0n], ['CNTHCTL_EL2', 0xffn, 0n],
    ['CNTVOFF_EL2', 0xffff_ffff_ffff_ffffn, 0n], ['MDSCR_EL1', 0xb001n, 0n], ['PMUSERENR_EL0', 0xfn, 0n], ['PMCCFILTR_EL0', 0xc800_0000n, 0n], ['OSDLR_EL1', 0n, 0n], ['DBGBVR0_EL1', 0n, 0n],
    ['CNTFRQ_EL0', 0xffff_ffffn, 0n], ['PAN', 0x40_0000n, 0n], ['UAO', 0x80_0000n, 0n], ['NZCV', 0xf000_0000n, 0n], ['DAIF', 0x3c0n, 0n], ['MAIR_EL1', 0xffff_ffff_ffff_ffffn, 0n],
  ] as const)('%s', (name, ones, zeroes) => {
    const h = new Harness();
    h.set(name, -1n);
    const first = h.get(name);
    h.set(name, 0n);
    expect([first.toString(16), h.get(name).toString(16)]).toEqual([ones.toString(16), zeroes.toString(16)]);
  });

  test('reset values', () => {
    const h = new Harness();
    for (const [name, value] of [['SCTLR_EL1', 0x30d0_0980n], ['SCTLR_EL2', 0x30c5_0830n], ['HCR_EL2', 0x8000_0000n], ['CPTR_EL2', 0x33ffn], ['CurrentEL', 8n], ['DAIF', 0x3c0n], ['SPSel', 1n], ['OSLSR_EL1', 10n]] as const) {
      expect(h.get(name), name).toBe(value);
    }
  });
});

/** 'r' and 'w' where MRS and MSR work, by Exception level; U is UNDEFINED, 1 and 2 a trap there. */
function rights(h: Harness, mode: Mode, name: RegName): string {
  const attempt = (bits: number): string => {
    if (mode !== 'EL2h') h.enter(mode);
    if (h.run(bits) === Status.next) {
      h.toEl2();
      return 'ok';
    }
    const el = h.priv.el;
    const ec = Number(h.get(el === 1 ? 'ESR_EL1' : 'ESR_EL2') >> 26n);
    h.toEl2();
    return ec === 0 ? 'U' : ec === 0x18 ? String(el) : `ec ${ec}`;
  };
  return `${attempt(mrs(name, 3))} ${attempt(msr(name, 31))}`;
}

describe('access', () => {
  const h = new Harness({ gic: { read: () => 0n, write: () => undefined, deactivate: () => undefined } });
  const readOnly = /^(MIDR|MPIDR|REVIDR|ID_|CCSIDR|CLIDR|AIDR|CurrentEL|ISR|MDRAR|OSLSR|MDCCSR|CTR|DCZID|CNTPCT|CNTVCT|PMCEID|ICC_IAR|ICC_RPR|ICC_HPPIR|ICH_VTR|ICH_MISR|ICH_EISR|ICH_ELRSR)/;
  const writeOnly = /^(OSLAR|PMSWINC|ICC_EOIR|ICC_DIR|ICC_SGI)/;
  const absent = /^DBGBVR2/;

  test.each(regNames)('%s', (name) => {
    h.priv.reset();
    h.set('CNTHCTL_EL2', 3n);
    h.set('CPACR_EL1', 3n << 20n);
    const el2 = absent.test(name) ? 'U U' : `${writeOnly.test(name) ? 'U' : 'ok'} ${readOnly.test(name) ? 'U' : 'ok'}`;
    expect(rights(h, 'EL2h', name)).toBe(el2);
    h.priv.reset();
    h.set('CNTHCTL_EL2', 3n);
    h.set('CPACR_EL1', 3n << 20n);
    // The suffix says who may; EL0 is allowed little without further controls.
    const onlyEl2 = name.endsWith('_EL2') || name === 'SP_EL1';
    expect(rights(h, 'EL1h', name), 'EL1').toBe(onlyEl2 ? 'U U' : name === 'CNTFRQ_EL0' ? 'ok U' : el2);
    const atEl0: Readonly<Partial<Record<RegName, string>>> = {
      TPIDR_EL0: 'ok ok', TPIDRRO_EL0: 'ok U', NZCV: 'ok ok', FPCR: 'ok ok', FPSR: 'ok ok', DCZID_EL0: 'ok U', CTR_EL0: '1 U', DAIF: '1 1', CNTFRQ_EL0: '1 U', CNTPCT_EL0: '1 U',
      CNTVCT_EL0: '1 U', PMUSERENR_EL0: 'ok U', PMCEID0_EL0: '1 U', PMCEID1_EL0: '1 U', PMSWINC_EL0: 'U 1', MDCCSR_EL0: 'ok U',
    };
    const el0 = atEl0[name] ?? (/^(CNT|PM).*_EL0$/.test(name) ? '1 1' : 'U U');
    expect(rights(h, 'EL0t', name), 'EL0').toBe(el0);
  });

  test('a register that is not there', () => {
    expect(h.run((0xd530_0000 | (sysRegKey(3, 0, 2, 1, 0) & 0x7fff) << 5) | 0)).toBe(Status.refetch);
  });

  test('without a GIC there are none of its registers', () => {
    const bare = new Harness();
    expect(rights(bare, 'EL2h', 'ICC_PMR_EL1')).toBe('U U');
    expect(rights(bare, 'EL2h', 'ICH_HCR_EL2')).toBe('U U');
  });
});

describe('traps', () => {
  const HCR = (n: number): Partial<Record<RegName, bigint>> => ({ HCR_EL2: 1n << BigInt(n), CNTHCTL_EL2: 3n, CPACR_EL1: 3n << 20n });
  const rows: readonly (readonly [string, Partial<Record<RegName, bigint>>, Mode, RegName, string])[] = [
    ['TVM', HCR(26), 'EL1h', 'SCTLR_EL1', 'ok 2'], ['TVM', HCR(26), 'EL1h', 'CONTEXTIDR_EL1', 'ok 2'], ['TVM', HCR(26), 'EL1h', 'MAIR_EL1', 'ok 2'], ['TVM', HCR(26), 'EL1h', 'VBAR_EL1', 'ok ok'],
    ['TVM', HCR(26), 'EL1h', 'FAR_EL1', 'ok 2'], ['TRVM', HCR(30), 'EL1h', 'TTBR1_EL1', '2 ok'], ['TRVM', HCR(30), 'EL1h', 'TCR_EL1', '2 ok'], ['TRVM', HCR(30), 'EL2h', 'TCR_EL1', 'ok ok'],
    ['TID3', HCR(18), 'EL1h', 'ID_AA64ISAR0_EL1', '2 U'], ['TID3', HCR(18), 'EL1h', 'ID_PFR0_EL1', '2 U'], ['TID3', HCR(18), 'EL1h', 'MIDR_EL1', 'ok U'], ['TID2', HCR(17), 'EL1h', 'CTR_EL0', '2 U'],
    ['TID2', HCR(17), 'EL1h', 'CSSELR_EL1', '2 2'], ['TID2', HCR(17), 'EL0t', 'CTR_EL0', '1 U'], ['TID1', HCR(16), 'EL1h', 'REVIDR_EL1', '2 U'], ['TID1', HCR(16), 'EL1h', 'AIDR_EL1', '2 U'], ['TACR', HCR(21), 'EL1h', 'ACTLR_EL1', '2 2'],
    ['UCT, TID2', { ...HCR(17), SCTLR_EL1: 1n << 15n }, 'EL0t', 'CTR_EL0', '2 U'], ['UCT', { SCTLR_EL1: 1n << 15n }, 'EL0t', 'CTR_EL0', 'ok U'], ['UMA', { SCTLR_EL1: 1n << 9n }, 'EL0t', 'DAIF', 'ok ok'],
    ['TGE sends EL0 traps to EL2', HCR(27), 'EL0t', 'CNTVCT_EL0', '2 U'], ['TCPAC', { CPTR_EL2: 1n << 31n }, 'EL1h', 'CPACR_EL1', '2 2'], ['TPM', { MDCR_EL2: 1n << 6n }, 'EL1h', 'PMCCNTR_EL0', '2 2'],
    ['TPMCR', { MDCR_EL2: 1n << 5n }, 'EL1h', 'PMCR_EL0', '2 2'], ['TPMCR', { MDCR_EL2: 1n << 5n }, 'EL1h', 'PMCCNTR_EL0', 'ok ok'], ['TPM and PMUSERENR', { MDCR_EL2: 1n << 6n, PMUSERENR_EL0: 1n }, 'EL0t', 'PMCR_EL0', '2 2'],
    ['TDA', { MDCR_EL2: 1n << 9n }, 'EL1h', 'MDSCR_EL1', '2 2'], ['TDA', { MDCR_EL2: 1n << 9n }, 'EL1h', 'OSLAR_EL1', 'U ok'], ['TDOSA', { MDCR_EL2: 1n << 10n }, 'EL1h', 'OSLAR_EL1', 'U 2'],
    ['TDRA', { MDCR_EL2: 1n << 11n }, 'EL1h', 'MDRAR_EL1', '2 U'], ['TDE', { MDCR_EL2: 1n << 8n }, 'EL1h', 'DBGBCR1_EL1', '2 2'], ['TDCC', { MDSCR_EL1: 1n << 12n }, 'EL0t', 'MDCCSR_EL0', '1 U'], ['TGE as TDA', HCR(27), 'EL0t', 'MDCCSR_EL0', '2 U'],
    ['EL1PCTEN', { CNTHCTL_EL2: 2n }, 'EL1h', 'CNTPCT_EL0', '2 U'], ['EL1PCEN', { CNTHCTL_EL2: 1n }, 'EL1h', 'CNTP_CVAL_EL0', '2 2'], ['EL1PCEN', { CNTHCTL_EL2: 1n }, 'EL1h', 'CNTV_CVAL_EL0', 'ok ok'],
    ['EL0VCTEN', { CNTKCTL_EL1: 2n }, 'EL0t', 'CNTVCT_EL0', 'ok U'], ['EL0VCTEN', { CNTKCTL_EL1: 2n }, 'EL0t', 'CNTFRQ_EL0', 'ok U'], ['EL0VCTEN', { CNTKCTL_EL1: 2n }, 'EL0t', 'CNTPCT_EL0', '1 U'],
    ['EL0PCTEN, EL1PCTEN', { CNTKCTL_EL1: 1n }, 'EL0t', 'CNTPCT_EL0', '2 U'], ['EL0PTEN', { CNTKCTL_EL1: 0x200n, CNTHCTL_EL2: 3n }, 'EL0t', 'CNTP_TVAL_EL0', 'ok ok'], ['EL0VTEN', { CNTKCTL_EL1: 0x100n }, 'EL0t', 'CNTV_CTL_EL0', 'ok ok'],
    ['CR', { PMUSERENR_EL0: 4n }, 'EL0t', 'PMCCNTR_EL0', 'ok 1'], ['ER', { PMUSERENR_EL0: 8n }, 'EL0t', 'PMSELR_EL0', 'ok ok'], ['SW', { PMUSERENR_EL0: 2n }, 'EL0t', 'PMSWINC_EL0', 'U ok'], ['FPCR off', { CPACR_EL1: 0n }, 'EL0t', 'FPCR', 'ec 7 ec 7'],
  ];
  test.each(rows)('%s %o %s %s', (_name, setup, mode, name, expected) => {
    const h = new Harness();
    for (const [register, value] of Object.entries(setup)) h.set(register as RegName, value);
    expect(rights(h, mode, name)).toBe(expected);
  });

  test('the syndrome tells the encoding, the register and the direction', () => {
    const h = new Harness();
    h.set('CNTHCTL_EL2', 0n);
    h.enter('EL1h');
    h.run(mrs('CNTPCT_EL0', 7));
    // Op0 3, Op2 1, Op1 3, CRn 14, Rt 7, CRm 0, read.
    expect(h.get('ESR_EL2')).toBe(0x6232_f8e1n);
  });

  test.each([
    ['TTLB', 25, [0, 8, 7, 0], 'EL1h', 2], ['TPU, IC IALLU', 24, [0, 7, 5, 0], 'EL1h', 2], ['TPU, DC CVAU', 24, [3, 7, 11, 1], 'EL1h', 2], ['TPC', 23, [3, 7, 14, 1], 'EL1h', 2],
    ['TPC, DC IVAC', 23, [0, 7, 6, 1], 'EL1h', 2], ['TSW', 22, [0, 7, 14, 2], 'EL1h', 2], ['TDZ', 28, [3, 7, 4, 1], 'EL1h', 2], ['DC CVAC at EL0', 31, [3, 7, 10, 1], 'EL0t', 1], ['DC ZVA at EL0', 31, [3, 7, 4, 1], 'EL0t', 1],
  ] as const)('%s', (_name, bit, [op1, crn, crm, op2], mode, target) => {
    const h = new Harness();
    h.set('HCR_EL2', 1n << BigInt(bit));
    h.enter(mode);
    expect(h.run(sys(op1, crn, crm, op2))).toBe(Status.refetch);
    expect([h.priv.el, h.get(target === 1 ? 'ESR_EL1' : 'ESR_EL2') >> 26n]).toEqual([target, 0x18n]);
    h.priv.reset();
    h.set('HCR_EL2', 1n << 28n);
    h.enter('EL1h');
    expect(h.get('DCZID_EL0')).toBe(0x14n);
  });

  test('DAIF from EL0 with UMA reaches all of it', () => {
    const h = new Harness();
    h.set('SCTLR_EL1', 1n << 9n);
    h.enter('EL0t');
    h.run(insn.daifset(15));
    expect(h.get('DAIF')).toBe(0x3c0n);
  });
});

describe('TLB maintenance', () => {
  const mapped = (): Harness => {
    const h = new Harness();
    h.set('TCR_EL1', 0x5_8099_0019n);
    h.set('TTBR0_EL1', BigInt(RAM));
    h.write64(RAM, BigInt(RAM + 0x1000) | 3n);
    h.write64(RAM + 0x1000, BigInt(RAM + 0x2000) | 3n);
    h.write64(RAM + 0x1008, BigInt(RAM) | 0x701n); // 2 MiB block at 0x20_0000
    for (let i = 0; i < 512; i++) h.write64(RAM + 0x2000 + 8 * i, BigInt(RAM + 0x3000) | 0x703n | (i >= 16 ? 1n << 52n : 0n));
    h.set('MAIR_EL1', 0xffn);
    h.set('SCTLR_EL1', 1n);
    h.enter('EL1h');
    h.log.length = 0;
    return h;
  };
  const vae1 = (h: Harness, va: bigint, crm = 7): void => {
    h.setX(1, (va >> 12n) & 0xfff_ffff_ffffn);
    h.run(sys(0, 8, crm, 1, 1));
  };

  test('by address drops a page, also of a contiguous range, and a block', () => {
    const h = mapped();
    h.priv.translate(0x1000, 0, Access.load, 4);
    vae1(h, 0xa5_0000_0000_1000n << 4n);
    expect(h.log).toEqual(['page 50000000010000']);
    h.log.length = 0;
    vae1(h, 0x1000n);
    expect(h.log).toEqual(['page 1000']);
    h.priv.translate(0x1_2000, 0, Access.load, 4);
    h.log.length = 0;
    vae1(h, 0x1_5000n);
    expect(h.log).toEqual(['page 15000']);
    h.priv.translate(0x20_3000, 0, Access.load, 4);
    h.log.length = 0;
    vae1(h, 0x3f_f000n);
    expect(h.log).toEqual(['all']);
    // Nothing is cached any more.
    h.log.length = 0;
    vae1(h, 0x1000n);
    expect(h.log).toEqual([]);
  });

  test('broadcast with IS, and with HCR_EL2.FB', () => {
    const h = mapped();
    vae1(h, 0x1000n, 3);
    h.run(sys(0, 8, 3, 0));
    h.run(sys(0, 8, 7, 0));
    expect(h.log.filter((entry) => entry.startsWith('broadcast'))).toEqual(['broadcast stage1 1000', 'broadcast stage1']);
    h.run(insn.hvc(0));
    h.run(sys(4, 8, 3, 6));
    h.set('HCR_EL2', 1n << 9n);
    h.enter('EL1h');
    h.log.length = 0;
    h.run(sys(0, 8, 7, 0));
    expect(h.log).toEqual(['broadcast stage1']);
  });

  test('by registers that change translation', () => {
    for (const [name, value] of [['TCR_EL1', 0x19n], ['MAIR_EL1', 0n], ['SCTLR_EL1', 0n]] as const) {
      const h = mapped();
      h.priv.translate(0x1000, 0, Access.load, 4);
      h.log.length = 0;
      h.set(name, h.get(name));
      expect(h.log, `${name} unchanged`).toEqual([]);
      h.set(name, value);
      expect(h.log, name).toEqual(['all']);
    }
  });

  test('of one address space, which ASID and VMID name', () => {
    const h = mapped();
    const entered = (): string => h.entered.at(-1)?.space.key ?? '';
    h.priv.translate(0x1000, 0, Access.load, 4);
    expect(entered()).toBe('1:0.0:0');
    h.set('TTBR0_EL1', 0x1234_0000_0000_0000n | BigInt(RAM));
    // ASIDs have 8 bits unless TCR_EL1.AS says 16, and TCR_EL1.A1 chooses the register.
    expect(entered()).toBe('1:0.0:52');
    expect(h.entered.at(-1)?.space.regime.key).toBe('1:0.0:');
    expect(h.entered.at(-1)?.modes).toEqual([0, 1, 2]);
    h.set('TCR_EL1', 0x15_8099_0019n);
    expect(entered()).toBe('1:0.0:4660');
    h.set('TCR_EL1', 0x15_80d9_0019n);
    h.set('TTBR1_EL1', 0x7_0000_0000_4000n);
    expect(entered()).toBe('1:0.0:7');
    h.priv.translate(0x1000, 0, Access.load, 4);
    h.log.length = 0;
    h.setX(1, 0x7_0000_0000_0000n);
    h.run(sys(0, 8, 7, 2, 1));
    expect(h.log).toEqual(['spaces 1:0.0:7']);
    h.run(insn.hvc(0));
    h.set('VTTBR_EL2', 0x3_0000_4000_0000n);
    h.enter('EL1h');
    expect(entered()).toBe('1:1073741824.196608:7');
  });

  test('at other processing elements', () => {
    const h = mapped();
    h.priv.translate(0x1000, 0, Access.load, 4);
    h.log.length = 0;
    h.priv.tlbRequest({ stage2: false, va: { lo: 0x1000, hi: 0 } });
    h.priv.tlbRequest({ stage2: true, va: undefined });
    expect(h.log).toEqual(['page 1000', 'all']);
  });

  test('by ASID, of the virtual machine that the other one runs', () => {
    const h = mapped();
    const spaces = (vttbr: number): void => {
      for (const asid of [6, 7]) h.spaces.set(`1:${vttbr}.0:${asid}`, new Space(`1:${vttbr}.0:${asid}`));
    };
    spaces(0x1000);
    spaces(0x2000);
    h.priv.translate(0x1000, 0, Access.load, 4);
    h.log.length = 0;
    h.priv.tlbRequest({ stage2: false, va: undefined, asid: 7, machine: { lo: 0x2000, hi: 0 } });
    expect(h.log).toEqual(['spaces 1:8192.0:7']);
  });
});

describe('address translation instructions', () => {
  /** Stage 1 identity pages of RAM through stage 2, which maps RAM one to one at level 1 and nothing else. */
  const machine = (): Harness => {
    const h = new Harness();
    h.set('TCR_EL1', 0x5_8099_0019n);
    h.set('TTBR0_EL1', BigInt(RAM));
    h.set('MAIR_EL1', 0x04_44_ffn);
    h.write64(RAM, BigInt(RAM + 0x1000) | 3n);
    h.write64(RAM + 8, 0x8000_0000n | 3n); // a table that stage 2 does not map
    h.write64(RAM + 0x1000, BigInt(RAM + 0x2000) | 3n);
    h.write64(RAM + 0x2000, BigInt(RAM + 0x5000) | 0x743n); // Normal, EL0 read/write
    h.write64(RAM + 0x2008, BigInt(RAM + 0x6000) | 0x787n); // Non-cacheable, read-only, EL1 alone
    h.write64(RAM + 0x2010, 0x9000_0000n | 0x74bn); // Device, an address that stage 2 does not map
    h.write64(RAM + 0x4008, BigInt(RAM) | 0x7fdn);
    h.set('VTCR_EL2', 0x2_3559n);
    h.set('VTTBR_EL2', BigInt(RAM + 0x4000));
    h.set('SCTLR_EL1', 1n);
    h.set('HCR_EL2', 1n);
    return h;
  };
  const at = (h: Harness, op1: number, op2: number, va: bigint): string => {
    h.setX(1, va);
    if (h.run(sys(op1, 7, 8, op2, 1)) !== Status.next) return 'exception';
    return h.get('PAR_EL1').toString(16);
  };

  test('at EL2', () => {
    const h = machine();
    expect([
      at(h, 0, 0, 0x123n), at(h, 0, 1, 0x1000n), at(h, 0, 2, 0x1000n), at(h, 0, 0, 0x1000n), at(h, 0, 0, 0x3000n), at(h, 0, 0, 0x4000_0000n), at(h, 0, 0, 0x2000n), at(h, 4, 4, 0x2000n), at(h, 4, 4, 0n), at(h, 4, 7, 0x1000n), at(h, 4, 0, 0x4000_0000n),
    ]).toEqual([
      'ff00000040005b80', '81f', '81f', '4400000040006b00', '80f', 'b0b', '400000090000b00', 'a0b', 'ff00000040005b80', '81f', '40000b00',
    ]);
  });

  test('at EL1 a stage 2 fault on the walk is taken', () => {
    const h = machine();
    h.enter('EL1h');
    expect(at(h, 0, 0, 0n)).toBe('ff00000040005b80');
    expect(at(h, 0, 1, 0x4000_0000n)).toBe('exception');
    expect([h.get('ESR_EL2'), h.get('FAR_EL2'), h.get('HPFAR_EL2')]).toEqual([0x9200_01c5n, 0x4000_0000n, 0x80_0000n]);
  });

  test('and AT S12 belongs to EL2', () => {
    const h = machine();
    h.enter('EL1h');
    h.run(sys(4, 7, 8, 4));
    expect(h.get('ESR_EL1')).toBe(0x200_0000n);
  });
});

test('the tests know every register of the manual by one encoding', () => {
  expect(new Set(regNames.map(key)).size).toBe(regNames.length);
});
