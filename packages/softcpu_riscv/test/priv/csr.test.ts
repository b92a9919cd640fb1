import { describe, expect, test } from 'vitest';
import { Status } from '../../src/priv/index.ts';
import { csr, Harness, modeNames, type CsrName, type Mode } from './harness.ts';

const ones = (1n << 64n) - 1n;

/** Value read back in M-mode after writing all ones, and after writing 0 then; written down from the manual. */
const warl: Readonly<Partial<Record<CsrName, readonly [ones: bigint, zeros: bigint]>>> = {
  // MPP=3 is legal; UXL and SXL are 2; SD follows FS.
  mstatus: [0x8000_00ca_007e_79aan, 0xa_0000_0000n],
  sstatus: [0x8000_0002_000c_6122n, 0x2_0000_0000n],
  vsstatus: [0x8000_0002_000c_6122n, 0x2_0000_0000n],
  hstatus: [0x2_0070_03c0n, 0x2_0000_0000n],
  misa: [0x8000_0000_0014_11adn, 0x8000_0000_0014_11adn],
  medeleg: [0xfc_b7ffn, 0n],
  mideleg: [0x666n, 0x444n],
  hedeleg: [0xc_b1ffn, 0n],
  hideleg: [0x444n, 0n],
  mie: [0xeeen, 0n],
  hie: [0x444n, 0n],
  mip: [0x226n, 0n],
  hip: [0x4n, 0n],
  hvip: [0x444n, 0n],
  mtvec: [ones & ~2n, 0n],
  stvec: [ones & ~2n, 0n],
  vstvec: [ones & ~2n, 0n],
  mepc: [ones & ~1n, 0n],
  sepc: [ones & ~1n, 0n],
  vsepc: [ones & ~1n, 0n],
  mcause: [ones, 0n],
  scause: [ones, 0n],
  vscause: [ones, 0n],
  mtval: [ones, 0n],
  stval: [ones, 0n],
  vstval: [ones, 0n],
  mscratch: [ones, 0n],
  sscratch: [ones, 0n],
  vsscratch: [ones, 0n],
  mtval2: [ones, 0n],
  htval: [ones, 0n],
  stimecmp: [ones, 0n],
  vstimecmp: [ones, 0n],
  htimedelta: [ones, 0n],
  mcounteren: [0xffff_ffffn, 0n],
  hcounteren: [0xffff_ffffn, 0n],
  scounteren: [0xffff_ffffn, 0n],
  menvcfg: [0xe000_0000_0000_00f1n, 0n],
  senvcfg: [0xf1n, 0n],
  hgeie: [0n, 0n],
  mcountinhibit: [5n, 0n],
  mhpmcounter3: [0n, 0n],
  mhpmevent3: [0n, 0n],
  // Writes of an unsupported MODE are ignored.
  satp: [0n, 0n],
  vsatp: [0n, 0n],
  // The MODE field of hgatp keeps its value, the rest is written; VMID has 14 bits, PPN[1:0] are 0.
  hgatp: [0x03ff_ffff_ffff_fffcn, 0n],
  fflags: [0x1fn, 0n],
  frm: [7n, 0n],
  fcsr: [0xffn, 0n],
};

describe('WARL fields, accessed from M-mode', () => {
  test.each(Object.entries(warl))('%s', (name, [afterOnes, afterZeros]) => {
    const h = new Harness();
    if (name.startsWith('f')) h.set('mstatus', 0x6000n);
    const key = name as CsrName;
    h.set(key, ones);
    expect(h.get(key).toString(16)).toBe(afterOnes.toString(16));
    h.set(key, 0n);
    expect(h.get(key).toString(16)).toBe(afterZeros.toString(16));
  });

  test('mstatus.MPP = 2 keeps the old value', () => {
    const h = new Harness();
    h.set('mstatus', 1n << 11n);
    h.set('mstatus', 2n << 11n);
    expect((h.get('mstatus') >> 11n) & 3n).toBe(1n);
  });

  test('CBIE = 2 keeps the old value', () => {
    const h = new Harness();
    h.set('menvcfg', 0x10n);
    h.set('menvcfg', 0x20n);
    expect(h.get('menvcfg')).toBe(0x10n);
  });

  test.each([
    ['satp', 8n, true], ['satp', 9n, true], ['satp', 10n, true], ['satp', 0n, true], ['satp', 1n, false], ['satp', 11n, false], ['satp', 15n, false],
    ['vsatp', 8n, true], ['vsatp', 10n, true], ['vsatp', 7n, false], ['hgatp', 8n, true], ['hgatp', 9n, true], ['hgatp', 10n, true], ['hgatp', 12n, false],
  ] as const)('%s.MODE = %d is supported: %s', (name, mode, supported) => {
    const h = new Harness();
    h.set(name, 8n << 60n);
    h.set(name, (mode << 60n) | 0x40n);
    const expected = supported ? (mode << 60n) | 0x40n : name === 'hgatp' ? (8n << 60n) | 0x40n : 8n << 60n;
    expect(h.get(name)).toBe(expected);
  });

  test('ASIDs have 16 bits, VMIDs 14', () => {
    const h = new Harness();
    h.set('satp', (8n << 60n) | (0xffffn << 44n));
    expect((h.get('satp') >> 44n) & 0xffffn).toBe(0xffffn);
    h.set('hgatp', (8n << 60n) | (0xffffn << 44n));
    expect((h.get('hgatp') >> 44n) & 0xffffn).toBe(0x3fffn);
  });

  test('henvcfg.ADUE, PBMTE and STCE are read-only 0 while the bits of menvcfg are', () => {
    const h = new Harness();
    h.set('henvcfg', ones);
    expect(h.get('henvcfg')).toBe(0xf1n);
    h.set('menvcfg', 5n << 61n);
    h.set('henvcfg', ones);
    expect(h.get('henvcfg')).toBe((5n << 61n) | 0xf1n);
    h.set('menvcfg', 0n);
    expect(h.get('henvcfg')).toBe(0xf1n);
  });
});

describe('views', () => {
  test('sstatus is a view of mstatus, vsstatus is not', () => {
    const h = new Harness();
    h.set('sstatus', (1n << 18n) | (1n << 5n));
    expect(h.get('mstatus') & 0x4_0020n).toBe(0x4_0020n);
    expect(h.get('vsstatus')).toBe(2n << 32n);
  });

  test('sie and sip show what mideleg delegates', () => {
    const h = new Harness();
    h.set('mie', 0xeeen);
    h.set('mip', 0x222n);
    expect([h.get('sie'), h.get('sip')]).toEqual([0n, 0n]);
    h.set('mideleg', 0x22n);
    expect([h.get('sie'), h.get('sip')]).toEqual([0x22n, 0x22n]);
    h.set('sie', 0n);
    expect(h.get('mie')).toBe(0xeccn);
    h.set('sip', 0n);
    expect(h.get('mip')).toBe(0x220n);
  });

  test('vsie and vsip show what hideleg delegates, one bit lower', () => {
    const h = new Harness();
    h.set('hvip', 0x444n);
    h.set('hie', 0x444n);
    expect([h.get('vsie'), h.get('vsip'), h.get('hip'), h.get('mip')]).toEqual([0n, 0n, 0x444n, 0x444n]);
    h.set('hideleg', 0x404n);
    expect([h.get('vsie'), h.get('vsip')]).toEqual([0x202n, 0x202n]);
    h.set('vsip', 0n);
    expect([h.get('hvip'), h.get('vsip')]).toEqual([0x440n, 0x200n]);
    h.set('vsie', 0x2n);
    expect(h.get('hie')).toBe(0x44n);
  });

  test('the external interrupt line takes no part in read-modify-write of mip', () => {
    const h = new Harness();
    h.priv.setPending(9, true);
    h.setX(6, 0n);
    h.execute('csrrs', { rd: 7, rs1: 6, csrNumber: csr.mip });
    expect(h.x(7)).toBe(0x200n);
    h.priv.setPending(9, false);
    expect(h.get('mip')).toBe(0n);
  });

  test('writing fcsr makes FS dirty at both levels while V=1', () => {
    const h = new Harness();
    h.set('vsstatus', 1n << 13n);
    h.set('mstatus', 1n << 13n);
    h.enter('VS');
    h.set('fcsr', 0xffn);
    expect(h.get('frm')).toBe(7n);
    h.trap(3);
    expect(h.mode).toBe('M');
    expect(h.get('mstatus') >> 63n).toBe(1n);
    expect(h.get('vsstatus') >> 63n).toBe(1n);
  });
});

describe('counters', () => {
  test('a write takes the place of the increment', () => {
    const h = new Harness();
    h.retired = 100;
    h.set('minstret', 5n);
    h.retired = 101;
    expect(h.get('minstret')).toBe(5n);
    h.retired = 111;
    expect(h.get('instret')).toBe(15n);
    h.set('mcycle', ones);
    h.retired = 113;
    expect(h.get('mcycle')).toBe(0n);
  });

  test('mcountinhibit stops them', () => {
    const h = new Harness();
    h.set('minstret', 0n);
    h.retired = 10;
    h.set('mcountinhibit', 4n);
    const stopped = h.get('minstret');
    h.retired = 1000;
    expect(h.get('minstret')).toBe(stopped);
    expect(h.get('mcycle')).toBe(1000n);
    h.set('mcountinhibit', 0n);
    h.retired = 1001;
    expect(h.get('minstret')).toBe(stopped);
    h.retired = 1002;
    expect(h.get('minstret')).toBe(stopped + 1n);
  });

  test('time has htimedelta added while V=1', () => {
    const h = new Harness();
    h.now = 100n;
    h.set('htimedelta', ones - 9n);
    h.set('mcounteren', 2n);
    h.set('hcounteren', 2n);
    expect(h.get('time')).toBe(100n);
    h.enter('VS');
    expect(h.get('time')).toBe(90n);
  });
});

/** The modes that may read a CSR, of those given, and the exception of the others: i illegal, v virtual instruction. Order: M HS U VS VU. */
type Access = readonly [name: CsrName | number, setUp: Partial<Record<CsrName, bigint>>, verdicts: string];

const machine = ['mstatus', 'misa', 'medeleg', 'mideleg', 'mie', 'mtvec', 'mscratch', 'mepc', 'mcause', 'mtval', 'mip', 'mtinst', 'mtval2', 'menvcfg', 'mhartid', 'pmpcfg0', 'pmpcfg2', 'pmpaddr0', 'minstret', 'mcountinhibit'] as const;
const supervisor = ['sstatus', 'sie', 'stvec', 'scounteren', 'senvcfg', 'sscratch', 'sepc', 'scause', 'stval', 'sip'] as const;
const hypervisor = ['hstatus', 'hedeleg', 'hideleg', 'hie', 'htimedelta', 'hcounteren', 'hgeie', 'henvcfg', 'htval', 'hip', 'hvip', 'htinst', 'hgatp', 'hgeip', 'vsstatus', 'vsie', 'vstvec', 'vsscratch', 'vsepc', 'vscause', 'vstval', 'vsip', 'vsatp'] as const;
const TVM = { mstatus: 1n << 20n };
const VTVM = { hstatus: 1n << 20n };
const sstc = { menvcfg: 1n << 63n, mcounteren: 2n, henvcfg: 1n << 63n, hcounteren: 2n };

const accesses: readonly Access[] = [
  ...machine.map((name): Access => [name, {}, '.iiii']),
  ...supervisor.map((name): Access => [name, {}, '..i.v']),
  ...hypervisor.map((name): Access => [name, {}, '..ivv']),
  ['satp', {}, '..i.v'], ['satp', TVM, '.ii.v'], ['satp', VTVM, '..ivv'], ['satp', { ...TVM, ...VTVM }, '.iivv'],
  ['hgatp', TVM, '.iivv'], ['vsatp', TVM, '..ivv'], ['vsatp', VTVM, '..ivv'],
  ['stimecmp', {}, '.iiii'], ['vstimecmp', {}, '.iiii'],
  ['stimecmp', sstc, '..i.v'], ['vstimecmp', sstc, '..ivv'],
  ['stimecmp', { ...sstc, mcounteren: 0n }, '.iiii'], ['vstimecmp', { ...sstc, mcounteren: 0n }, '.iiii'],
  ['stimecmp', { ...sstc, hcounteren: 0n }, '..ivv'], ['stimecmp', { ...sstc, henvcfg: 0n }, '..ivv'], ['vstimecmp', { ...sstc, henvcfg: 0n }, '..ivv'],
  ['cycle', {}, '.iiii'], ['time', {}, '.iiii'], ['instret', {}, '.iiii'], ['hpmcounter3', {}, '.iiii'],
  ['time', { mcounteren: 2n }, '..ivv'],
  ['time', { mcounteren: 2n, hcounteren: 2n }, '..i.v'],
  ['time', { mcounteren: 2n, scounteren: 2n }, '...vv'],
  ['time', { mcounteren: 2n, hcounteren: 2n, scounteren: 2n }, '.....'],
  ['time', { hcounteren: 2n, scounteren: 2n }, '.iiii'],
  ['cycle', { mcounteren: 2n, hcounteren: 7n, scounteren: 7n }, '.iiii'],
  ['hpmcounter3', { mcounteren: 8n, hcounteren: 8n }, '..i.v'],
  ['fcsr', {}, 'iiiii'], ['fcsr', { mstatus: 1n << 13n }, '...ii'], ['fcsr', { mstatus: 1n << 13n, vsstatus: 1n << 13n }, '.....'], ['fcsr', { vsstatus: 1n << 13n }, 'iiiii'],
  // CSRs of other extensions or of RV32.
  [0x007, {}, 'iiiii'], [0x10c, {}, 'iiiii'], [0x310, {}, 'iiiii'], [0x612, {}, 'iiiii'], [0xc80, {}, 'iiiii'], [0xc81, {}, 'iiiii'], [0x3a1, {}, 'iiiii'],
  [0x3a4, {}, 'iiiii'], [0x3c0, {}, 'iiiii'], [0x747, {}, 'iiiii'], [0x60c, {}, 'iiiii'], [0x015, {}, 'iiiii'], [0x5a8, {}, 'iiiii'], [0x7b0, {}, 'iiiii'],
];

const outcome: Readonly<Record<string, bigint | undefined>> = { '.': undefined, i: 2n, v: 22n };

function inMode(mode: Mode, setUp: Partial<Record<CsrName, bigint>>): Harness {
  const h = new Harness();
  for (const [name, value] of Object.entries(setUp)) h.set(name as CsrName, value);
  if (mode !== 'M') h.enter(mode);
  return h;
}

describe('who may access what', () => {
  test.each(accesses)('%s with %o: %s', (name, setUp, verdicts) => {
    const number = typeof name === 'number' ? name : csr[name];
    modeNames.forEach((mode, i) => {
      const h = inMode(mode, setUp);
      const status = h.execute('csrrs', { rd: 5, csrNumber: number });
      const expected = outcome[verdicts[i]!];
      if (expected === undefined) expect(status, mode).toBe(Status.next);
      else {
        expect(status, mode).toBe(Status.refetch);
        expect([h.get('mcause'), h.get('mtval')], mode).toEqual([expected, BigInt((number << 20) >>> 0) | 0x22f3n]);
      }
    });
  });

  test.each(['cycle', 'time', 'instret', 'mhartid', 'mvendorid', 'hgeip'] as const)('writing %s is illegal everywhere', (name) => {
    for (const mode of modeNames) {
      const h = inMode(mode, { mcounteren: 7n, hcounteren: 7n, scounteren: 7n });
      h.setX(6, 1n);
      h.execute('csrrs', { rd: 5, rs1: 6, csrNumber: csr[name] });
      expect(h.get('mcause'), mode).toBe(2n);
    }
  });

  test('s CSRs mean vs CSRs while V=1', () => {
    const h = new Harness();
    const names = ['sstatus', 'sie', 'stvec', 'sscratch', 'sepc', 'scause', 'stval', 'satp'] as const;
    h.set('hideleg', 0x444n);
    h.set('sscratch', 0x1111n);
    h.enter('VS');
    for (const name of names) h.set(name, name === 'satp' ? (8n << 60n) | 7n : 0x222n);
    h.trap(3);
    expect(h.get('sscratch')).toBe(0x1111n);
    expect(h.get('vsscratch')).toBe(0x222n);
    expect(h.get('vsepc')).toBe(0x222n);
    expect(h.get('vsie')).toBe(0x222n);
    expect(h.get('vsatp')).toBe((8n << 60n) | 7n);
    expect(h.get('satp')).toBe(0n);
  });
});
