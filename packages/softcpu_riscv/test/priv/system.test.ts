import { describe, expect, test } from 'vitest';
import type { InsnName } from '../../src/isa/table.ts';
import { Status } from '../../src/priv/index.ts';
import { Harness, modeNames, type CsrName } from './harness.ts';

const TVM = 1n << 20n;
const TW = 1n << 21n;
const TSR = 1n << 22n;
const HU = 1n << 9n;

/** Instruction, CSRs set before, and what it does in M HS U VS VU: '.' executes, i illegal instruction, v virtual instruction. */
const rows: readonly (readonly [names: readonly InsnName[], setUp: Partial<Record<CsrName, bigint>>, verdicts: string])[] = [
  [['mret'], {}, '.iiii'],
  [['sret'], {}, '..i.v'],
  [['sret'], { mstatus: TSR }, '.ii.v'],
  [['sret'], { hstatus: TSR }, '..ivv'],
  [['wfi'], {}, '..i.v'],
  [['wfi'], { mstatus: TW }, '.iiii'],
  [['wfi'], { hstatus: TW }, '..ivv'],
  [['wfi'], { mstatus: TW, hstatus: TW }, '.iiii'],
  [['sfence.vma', 'sinval.vma'], {}, '..i.v'],
  [['sfence.vma', 'sinval.vma'], { mstatus: TVM }, '.ii.v'],
  [['sfence.vma', 'sinval.vma'], { hstatus: TVM }, '..ivv'],
  [['sfence.w.inval', 'sfence.inval.ir'], { mstatus: TVM, hstatus: TVM }, '..i.v'],
  [['hfence.vvma', 'hinval.vvma'], { mstatus: TVM, hstatus: TVM }, '..ivv'],
  [['hfence.gvma', 'hinval.gvma'], { hstatus: TVM }, '..ivv'],
  [['hfence.gvma', 'hinval.gvma'], { mstatus: TVM }, '.iivv'],
  [['hlv.b', 'hlv.bu', 'hlv.h', 'hlv.hu', 'hlv.w', 'hlv.wu', 'hlv.d', 'hlvx.hu', 'hlvx.wu', 'hsv.b', 'hsv.h', 'hsv.w', 'hsv.d'], {}, '..ivv'],
  [['hlv.d', 'hlvx.hu', 'hsv.b'], { hstatus: HU }, '...vv'],
  [['cbo.clean', 'cbo.flush', 'cbo.inval', 'cbo.zero'], {}, '.iiii'],
  [['cbo.clean', 'cbo.flush', 'cbo.inval', 'cbo.zero'], { henvcfg: 0xf0n, senvcfg: 0xf0n }, '.iiii'],
  [['cbo.clean', 'cbo.flush', 'cbo.inval', 'cbo.zero'], { menvcfg: 0xf0n }, '..ivv'],
  [['cbo.clean', 'cbo.flush', 'cbo.inval', 'cbo.zero'], { menvcfg: 0xf0n, henvcfg: 0xf0n }, '..i.v'],
  [['cbo.clean', 'cbo.flush', 'cbo.inval', 'cbo.zero'], { menvcfg: 0xf0n, senvcfg: 0xf0n }, '...vv'],
  [['cbo.clean', 'cbo.flush', 'cbo.inval', 'cbo.zero'], { menvcfg: 0xf0n, senvcfg: 0xf0n, henvcfg: 0xf0n }, '.....'],
  [['cbo.inval'], { menvcfg: 0x10n, senvcfg: 0x10n, henvcfg: 0x10n }, '.....'],
  [['cbo.zero'], { menvcfg: 0x70n, senvcfg: 0x70n, henvcfg: 0x70n }, '.iiii'],
  [['cbo.inval'], { menvcfg: 0xc0n, senvcfg: 0xc0n, henvcfg: 0xc0n }, '.iiii'],
];

describe('illegal- and virtual-instruction exceptions', () => {
  for (const [names, setUp, verdicts] of rows) {
    test(`${names.join(' ')} with ${JSON.stringify(setUp, (_, value) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value))}`, () => {
      for (const name of names) {
        modeNames.forEach((mode, i) => {
          const h = new Harness();
          for (const [csr, value] of Object.entries(setUp)) h.set(csr as CsrName, value);
          if (mode !== 'M') h.enter(mode);
          h.setX(10, 0x8000_0800n);
          h.execute(name, { rs1: name.includes('.') && !name.includes('fence') ? 10 : 0 });
          const cause = h.mode === 'M' && mode !== 'M' ? h.get('mcause') : 0n;
          expect(cause, `${name} in ${mode}`).toBe({ '.': 0n, i: 2n, v: 22n }[verdicts[i]!]);
        });
      }
    });
  }

  test('the instruction is left in mtval', () => {
    const h = new Harness();
    h.enter('VU');
    h.execute('hlv.d', { rd: 10, rs1: 11 });
    expect([h.get('mcause'), h.get('mtval')]).toEqual([22n, 0x6c05c573n]);
    h.enter('VU');
    h.priv.illegal(0xffff_0000 | 0);
    expect([h.get('mcause'), h.get('mtval')]).toEqual([2n, 0n]);
    h.enter('VU');
    h.priv.illegal(0x1234_5673);
    expect(h.get('mtval')).toBe(0x1234_5673n);
  });
});

describe('CSR instructions', () => {
  test('read, set, clear, write, immediate forms', () => {
    const h = new Harness();
    const number = 0x340;
    h.setX(5, 0xf0f0_0000_1234_5678n);
    h.execute('csrrw', { rd: 6, rs1: 5, csrNumber: number });
    h.setX(5, 0xfn);
    h.execute('csrrs', { rd: 7, rs1: 5, csrNumber: number });
    h.setX(5, 0xff00_0000_0000_0000n);
    h.execute('csrrc', { rd: 8, rs1: 5, csrNumber: number });
    h.execute('csrrwi', { rd: 9, rs1: 21, csrNumber: number });
    h.execute('csrrsi', { rd: 10, rs1: 10, csrNumber: number });
    h.execute('csrrci', { rd: 11, rs1: 1, csrNumber: number });
    h.execute('csrrsi', { rd: 12, rs1: 0, csrNumber: number });
    expect([6, 7, 8, 9, 10, 11, 12].map((x) => h.x(x))).toEqual([
      0n, 0xf0f0_0000_1234_5678n, 0xf0f0_0000_1234_567fn, 0xf0_0000_1234_567fn, 21n, 31n, 30n,
    ]);
  });

  test('x0 stays 0, and the source may be the destination', () => {
    const h = new Harness();
    h.setX(5, 7n);
    h.execute('csrrw', { rd: 0, rs1: 5, csrNumber: 0x340 });
    h.execute('csrrs', { rd: 0, rs1: 5, csrNumber: 0x340 });
    expect(h.x(0)).toBe(0n);
    h.setX(5, 9n);
    h.execute('csrrw', { rd: 5, rs1: 5, csrNumber: 0x340 });
    expect([h.x(5), h.get('mscratch')]).toEqual([7n, 9n]);
  });
});

describe('virtual-machine loads and stores', () => {
  /** A guest with bare VS-stage and G-stage: guest addresses are physical. */
  function guest(): Harness {
    const h = new Harness();
    h.write64(0x8000_0800, 0x8899_aabb_ccdd_eeffn);
    h.setX(11, 0x8000_0800n);
    return h;
  }

  test.each([
    ['hlv.b', 0xffff_ffff_ffff_ffffn], ['hlv.bu', 0xffn], ['hlv.h', 0xffff_ffff_ffff_eeffn], ['hlv.hu', 0xeeffn], ['hlvx.hu', 0xeeffn],
    ['hlv.w', 0xffff_ffff_ccdd_eeffn], ['hlv.wu', 0xccdd_eeffn], ['hlvx.wu', 0xccdd_eeffn], ['hlv.d', 0x8899_aabb_ccdd_eeffn],
  ] as const)('%s', (name, value) => {
    const h = guest();
    expect(h.execute(name, { rd: 10, rs1: 11 })).toBe(Status.next);
    expect(h.x(10)).toBe(value);
  });

  test.each([
    ['hsv.b', 0x8899_aabb_ccdd_ee88n], ['hsv.h', 0x8899_aabb_ccdd_7788n], ['hsv.w', 0x8899_aabb_5566_7788n], ['hsv.d', 0x1122_3344_5566_7788n],
  ] as const)('%s', (name, value) => {
    const h = guest();
    h.setX(12, 0x1122_3344_5566_7788n);
    expect(h.execute(name, { rs1: 11, rs2: 12 })).toBe(Status.next);
    expect(h.read64(0x8000_0800)).toBe(value);
    expect(h.log).toEqual(['stored 80000800']);
  });

  test('misaligned over a page boundary; a store that faults in its second half writes nothing', () => {
    const h = new Harness({ ramSize: 8192 });
    h.setX(11, 0x8000_0ffdn);
    h.setX(12, 0x1122_3344_5566_7788n);
    expect(h.execute('hsv.d', { rs1: 11, rs2: 12 })).toBe(Status.next);
    expect(h.execute('hlv.d', { rd: 10, rs1: 11 })).toBe(Status.next);
    expect(h.x(10)).toBe(0x1122_3344_5566_7788n);
    // G-stage: the first page maps to RAM, the second nowhere. Root of Sv39x4 at 0x8000_0000, indexed by address bits 40:30.
    const paged = new Harness({ ramSize: 0x8000 });
    paged.write64(0x8000_0000 + 8 * 2, (0x80004n << 10n) | 1n);
    paged.write64(0x8000_4000, (0x80005n << 10n) | 1n);
    paged.write64(0x8000_5000 + 8 * 6, (0x80006n << 10n) | 0xdfn);
    paged.set('hgatp', (8n << 60n) | 0x80000n);
    paged.set('medeleg', -1n);
    paged.enter('HS');
    paged.setX(11, 0x8000_6ffdn);
    paged.setX(12, -1n);
    expect(paged.execute('hsv.d', { rs1: 11, rs2: 12 })).toBe(Status.refetch);
    expect([paged.get('scause'), paged.get('stval'), paged.get('htval'), paged.get('htinst')]).toEqual([23n, 0x8000_7000n, 0x8000_7000n >> 2n, 0x6ec1c073n]);
    expect(paged.read64(0x8000_6ff8)).toBe(0n);
  });

  test('devices are reached through the bus, an access fault else', () => {
    const log: string[] = [];
    const h = new Harness({
      bus: {
        read: (pa, size) => (pa === 0x1000 ? BigInt(size) : undefined),
        write: (pa, size, value) => log.push(`${pa} ${size} ${value}`) > 0 && pa === 0x1000,
      },
    });
    h.setX(11, 0x1000n);
    h.setX(12, 0xabcdn);
    h.execute('hlv.w', { rd: 10, rs1: 11 });
    h.execute('hsv.h', { rs1: 11, rs2: 12 });
    expect([h.x(10), log]).toEqual([4n, ['4096 2 43981']]);
    h.setX(11, 0x1004n);
    h.execute('hlv.w', { rd: 10, rs1: 11 });
    expect([h.get('mcause'), h.get('mtval')]).toEqual([5n, 0x1004n]);
    h.execute('hsv.w', { rs1: 11, rs2: 12 });
    expect([h.get('mcause'), h.get('mtval')]).toEqual([7n, 0x1004n]);
  });
});

describe('cache blocks', () => {
  test('CBO.ZERO zeroes the 64 bytes around its address', () => {
    const h = new Harness();
    for (let pa = 0x8000_0780; pa < 0x8000_0880; pa += 8) h.write64(pa, -1n);
    h.setX(11, 0x8000_082bn);
    expect(h.execute('cbo.zero', { rs1: 11 })).toBe(Status.next);
    for (let pa = 0x8000_0780; pa < 0x8000_0880; pa += 8) {
      expect(h.read64(pa)).toBe(pa >= 0x8000_0800 && pa < 0x8000_0840 ? 0n : (1n << 64n) - 1n);
    }
  });

  test('faults are store faults at the address in rs1', () => {
    const h = new Harness();
    h.setX(11, 0x1234n);
    h.execute('cbo.zero', { rs1: 11 });
    expect([h.get('mcause'), h.get('mtval')]).toEqual([7n, 0x1234n]);
    h.set('menvcfg', 0xf0n);
    h.set('satp', (8n << 60n) | 0x80000n);
    for (const name of ['cbo.clean', 'cbo.inval', 'cbo.flush', 'cbo.zero'] as const) {
      h.enter('HS');
      h.execute(name, { rs1: 11 });
      expect([h.get('mcause'), h.get('mtval')]).toEqual([15n, 0x1234n]);
    }
  });
});

describe('fences tell the engine only what matters', () => {
  test('SFENCE.VMA in HS-mode', () => {
    const h = new Harness();
    h.enter('HS');
    h.log.length = 0;
    h.setX(10, 0xffff_ffc0_0000_5000n);
    h.execute('sfence.vma');
    h.execute('sfence.vma', { rs1: 10 });
    h.execute('hfence.gvma');
    h.execute('hfence.vvma', { rs1: 10 });
    expect(h.log).toEqual(['forget 0:', 'page ffffffc000005000', 'forget 1:', 'page ffffffc000005000']);
  });

  test('one address space is forgotten, but for what is global', () => {
    const h = new Harness();
    h.set('satp', (8n << 60n) | (5n << 44n) | 0x80000n);
    h.enter('HS');
    h.entered.length = 0;
    h.set('satp', (8n << 60n) | (6n << 44n) | 0x80000n);
    h.set('satp', (8n << 60n) | (5n << 44n) | 0x80000n);
    const [six, five] = h.entered;
    expect([six?.regime.key, five?.regime.key]).toEqual([five?.regime.key, six?.regime.key]);
    expect(five?.key).not.toBe(six?.key);
    h.conditions.length = 0;
    h.setX(10, 5n);
    h.execute('sfence.vma', { rs2: 10 });
    expect([five, six, five?.regime].map((space) => h.conditions[0]?.(space?.key ?? ''))).toEqual([true, false, false]);
  });

  test('rewriting satp with its value changes nothing', () => {
    const h = new Harness();
    h.enter('HS');
    h.log.length = 0;
    h.entered.length = 0;
    h.set('satp', (8n << 60n) | 0x80001n);
    h.set('satp', (8n << 60n) | 0x80001n);
    h.set('hgatp', (8n << 60n) | 0x80000n);
    h.set('satp', 0xf000_0000_0000_0000n);
    h.set('sstatus', 1n << 18n);
    expect(h.log).toEqual([]);
    expect(h.entered.map(({ key }) => key)).toEqual(['0:8 0 0.524289', '0:8 0 0.524289', '0:8 0 0.524289']);
    h.set('sstatus', 1n << 19n);
    expect(h.log).toEqual(['tlb']);
  });

  test('MMU_IDX follows mode, SUM and MPRV', () => {
    const h = new Harness();
    expect(h.mmuIdx).toBe(3);
    h.set('mstatus', (1n << 17n) | (1n << 11n));
    expect(h.mmuIdx).toBe(1);
    h.set('mstatus', (1n << 17n) | (1n << 11n) | (1n << 18n));
    expect(h.mmuIdx).toBe(2);
    h.set('mstatus', 1n << 17n);
    expect(h.mmuIdx).toBe(0);
    h.set('mstatus', 0n);
    h.set('vsstatus', 1n << 18n);
    h.enter('VS');
    expect(h.mmuIdx).toBe(2);
    h.set('sstatus', 0n);
    expect(h.mmuIdx).toBe(1);
  });

  test('one address of a superpage drops all that was cached of it', () => {
    const h = new Harness();
    // A 1 GiB leaf at virtual 0x4000_0000 and a 2 MiB leaf behind it.
    h.write64(0x8000_0008, (0x80000n << 10n) | 0xcfn);
    h.write64(0x8000_0010, (0x80001n << 10n) | 1n);
    h.write64(0x8000_1000, (0x80000n << 10n) | 0xcfn);
    h.set('satp', (8n << 60n) | 0x80000n);
    h.enter('HS');
    const fence = (va: bigint): string[] => {
      h.log.length = 0;
      h.setX(10, va);
      h.execute('sfence.vma', { rs1: 10 });
      return [...h.log];
    };
    expect(fence(0x4000_0000n)).toEqual(['page 40000000']);
    expect(h.priv.translate(0x4000_3000, 0, 0, 8)).toBe(0x8000_3000);
    expect(fence(0x8000_0000n)).toEqual(['page 80000000']);
    expect(fence(0x7fff_f000n)).toEqual(['forget M 0: 1:']);
    expect(fence(0x7fff_f000n)).toEqual(['page 7ffff000']);
    expect(h.priv.translate(0x8000_3000 | 0, 0, 0, 8)).toBe(0x8000_3000);
    expect(fence(0x8020_0000n)).toEqual(['page 80200000']);
    expect(fence(0x801f_f000n)).toEqual(['forget M 0: 1:']);
  });
});
