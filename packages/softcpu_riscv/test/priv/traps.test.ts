import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Status } from '../../src/priv/index.ts';
import { Harness, modeNames, modes, type Mode } from './harness.ts';

const PC = 0x8000_1234n;
const TVAL = 0xffff_ffc0_1234_5678n;

const delegable = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 15, 20, 21, 22, 23];
const hDelegable = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15];
/** Causes for which xtval is an address. */
const withAddress = new Set([0, 1, 3, 4, 5, 6, 7, 12, 13, 15, 20, 21, 23]);

describe('delegation of exceptions', () => {
  for (const mode of modeNames) {
    test(`from ${mode}`, () => {
      for (const cause of [...delegable, 11]) {
        for (const medeleg of [0n, -1n]) {
          for (const hedeleg of [0n, -1n]) {
            const h = new Harness();
            h.set('medeleg', medeleg);
            h.set('hedeleg', hedeleg);
            h.set('mtvec', 0x8000_0100n);
            h.set('stvec', 0x8000_0201n); // vectored: exceptions still go to BASE
            h.set('vstvec', 0x8000_0300n);
            h.set('mstatus', 0xan);
            h.set('vsstatus', 2n);
            h.set('hstatus', 0n);
            if (mode !== 'M') h.enter(mode);
            h.pc = PC;
            expect(h.trap(cause, TVAL)).toBe(Status.refetch);

            const toHs = mode !== 'M' && medeleg !== 0n && delegable.includes(cause);
            const toVs = toHs && modes[mode].v === 1 && hedeleg !== 0n && hDelegable.includes(cause);
            const target: Mode = toVs ? 'VS' : toHs ? 'HS' : 'M';
            const label = `${cause} ${medeleg} ${hedeleg}`;
            expect(h.mode, label).toBe(target);
            expect(h.pc, label).toBe({ M: 0x8000_0100n, HS: 0x8000_0200n, VS: 0x8000_0300n }[target as 'M' | 'HS' | 'VS']);
            const v = BigInt(modes[mode].v);
            const prv = BigInt(modes[mode].prv);
            const gva = withAddress.has(cause) ? v : 0n;
            if (target === 'M') {
              expect([h.get('mcause'), h.get('mepc'), h.get('mtval'), h.get('mtval2'), h.get('mtinst')], label).toEqual([BigInt(cause), PC, TVAL, 0n, 0n]);
              const mstatus = h.get('mstatus');
              expect([(mstatus >> 11n) & 3n, (mstatus >> 39n) & 1n, (mstatus >> 38n) & 1n, (mstatus >> 7n) & 1n, (mstatus >> 3n) & 1n], label).toEqual([prv, v, gva, 1n, 0n]);
              expect(h.get('scause')).toBe(0n);
            } else if (target === 'HS') {
              expect([h.get('scause'), h.get('sepc'), h.get('stval'), h.get('htval'), h.get('htinst')], label).toEqual([BigInt(cause), PC, TVAL, 0n, 0n]);
              const sstatus = h.get('sstatus');
              expect([(sstatus >> 8n) & 1n, (sstatus >> 5n) & 1n, (sstatus >> 1n) & 1n], label).toEqual([prv, 1n, 0n]);
              const hstatus = h.get('hstatus');
              expect([(hstatus >> 7n) & 1n, (hstatus >> 6n) & 1n, (hstatus >> 8n) & 1n], label).toEqual([v, gva, v === 1n ? prv : 0n]);
              expect((h.get('vsstatus') >> 1n) & 1n, label).toBe(1n);
            } else {
              expect([h.get('scause'), h.get('sepc'), h.get('stval')], label).toEqual([BigInt(cause), PC, TVAL]);
              const vsstatus = h.get('sstatus');
              expect([(vsstatus >> 8n) & 1n, (vsstatus >> 5n) & 1n, (vsstatus >> 1n) & 1n], label).toEqual([prv, 1n, 0n]);
              h.trap(11);
              expect([h.get('scause'), h.get('hstatus') & 0x1c0n, h.get('sstatus') & 2n], label).toEqual([0n, 0n, 2n]);
            }
          }
        }
      }
    });
  }
});

describe('ECALL and EBREAK', () => {
  test.each([['M', 11n], ['HS', 9n], ['U', 8n], ['VS', 10n], ['VU', 8n]] as const)('from %s: ecall is cause %d', (mode, cause) => {
    const h = new Harness();
    if (mode !== 'M') h.enter(mode);
    h.pc = PC;
    expect(h.execute('ecall')).toBe(Status.refetch);
    expect([h.get('mcause'), h.get('mepc'), h.get('mtval')]).toEqual([cause, PC, 0n]);
    if (mode !== 'M') h.enter(mode);
    h.pc = PC;
    h.execute('ebreak');
    expect([h.get('mcause'), h.get('mepc'), h.get('mtval')]).toEqual([3n, PC, PC]);
    expect((h.get('mstatus') >> 38n) & 1n).toBe(BigInt(modes[mode].v));
  });
});

describe('trap returns', () => {
  test('MRET: MPP and MPV give the mode, MPRV is cleared below M', () => {
    for (const mode of modeNames) {
      for (const mpie of [0n, 1n]) {
        const h = new Harness();
        const { prv, v } = modes[mode];
        h.set('mstatus', (BigInt(prv) << 11n) | (BigInt(v) << 39n) | (mpie << 7n) | (1n << 17n) | ((1n - mpie) << 3n));
        h.set('mepc', PC);
        expect(h.execute('mret')).toBe(Status.refetch);
        expect([h.mode, h.pc]).toEqual([mode, PC]);
        if (mode !== 'M') h.trap(11);
        const mstatus = h.get('mstatus');
        if (mode === 'M') expect(mstatus & ((3n << 11n) | (1n << 39n) | 0x88n)).toBe(0x80n | (mpie << 3n));
        else expect((mstatus >> 7n) & 1n).toBe(mpie);
        expect((mstatus >> 17n) & 1n).toBe(mode === 'M' ? 1n : 0n);
      }
    }
  });

  test('MRET to M ignores MPV', () => {
    const h = new Harness();
    h.set('mstatus', (3n << 11n) | (1n << 39n));
    h.execute('mret');
    expect(h.mode).toBe('M');
    expect((h.get('mstatus') >> 39n) & 1n).toBe(0n);
  });

  test.each(['M', 'HS'] as const)('SRET from %s: SPP and SPV give the mode', (from) => {
    for (const mode of ['HS', 'U', 'VS', 'VU'] as const) {
      const h = new Harness();
      const { prv, v } = modes[mode];
      h.set('sepc', PC);
      h.set('mstatus', (from === 'M' ? 1n << 17n : 0n) | (BigInt(prv) << 8n) | (1n << 5n));
      h.set('hstatus', BigInt(v) << 7n);
      if (from === 'HS') h.enter('HS');
      expect(h.execute('sret')).toBe(Status.refetch);
      expect([h.mode, h.pc]).toEqual([mode, PC]);
      h.trap(11);
      expect(h.get('sstatus') & 0x122n).toBe(0x22n);
      expect(h.get('hstatus') & 0x80n).toBe(0n);
      expect((h.get('mstatus') >> 17n) & 1n).toBe(0n);
    }
  });

  test('SRET from VS: vsstatus.SPP gives the mode', () => {
    for (const mode of ['VS', 'VU'] as const) {
      const h = new Harness();
      h.set('vsepc', PC);
      h.set('vsstatus', BigInt(modes[mode].prv) << 8n);
      h.enter('VS');
      h.execute('sret');
      expect([h.mode, h.pc]).toEqual([mode, PC]);
      h.trap(11);
      expect(h.get('vsstatus') & 0x122n).toBe(0x20n);
    }
  });

  test('a trap and its return restore mode, PC and enables from any mode', () => {
    fc.assert(
      fc.property(fc.constantFrom(...modeNames), fc.boolean(), fc.boolean(), fc.boolean(), (mode, sie, vsie, delegated) => {
        const h = new Harness();
        if (delegated) h.set('medeleg', 1n << 3n);
        h.set('mstatus', sie ? 2n : 0n);
        h.set('vsstatus', vsie ? 2n : 0n);
        if (mode !== 'M') h.enter(mode);
        h.pc = PC;
        h.trap(3, PC);
        h.execute(h.mode === 'M' ? 'mret' : 'sret');
        expect([h.mode, h.pc]).toEqual([mode, PC]);
        if (mode !== 'M') h.trap(11);
        expect([h.get('sstatus') & 2n, h.get('vsstatus') & 2n]).toEqual([sie ? 2n : 0n, vsie ? 2n : 0n]);
      }),
    );
  });
});

describe('mtinst', () => {
  /** Instruction, offset of the fault in the access, and its transformation. */
  test.each([
    ['lw a0, -4(a1)', 0xffc5a503, 0, 0x00002503],
    ['lbu t6, 2047(sp)', 0x7ff14f83, 0, 0x00004f83],
    ['fld fa0, 8(a0)', 0x00853507, 0, 0x00003507],
    ['sd a2, -8(s0)', 0xfec43c23, 0, 0x00c03023],
    ['fsw ft0, 12(a5)', 0x0007a627, 0, 0x00002027],
    ['amoadd.w.aqrl a0, a1, (a2)', 0x06b6252f, 0, 0x06b0252f],
    ['lr.d t0, (t1)', 0x100332af, 0, 0x100032af],
    ['hlv.wu a0, (a1)', 0x6815c573, 0, 0x68104573],
    ['hsv.d a0, (a1)', 0x6ea5c073, 0, 0x6ea04073],
    ['misaligned ld, second page', 0x0005b503, 3, 0x0001b503],
    ['c.lw a0, 0(a1)', 0x4188, 0, 0x00002501],
    ['c.ld a5, 8(s0)', 0x641c, 0, 0x00003781],
    ['c.sw a0, 0(a1)', 0xc188, 0, 0x00a02021],
    ['c.sd s1, 0(a0)', 0xe104, 0, 0x00903021],
    ['c.fld fa0, 0(a1)', 0x2188, 0, 0x00003505],
    ['c.fsd fa0, 0(a1)', 0xa188, 0, 0x00a03025],
    ['c.lwsp a0, 0(sp)', 0x4502, 0, 0x00002501],
    ['c.ldsp ra, 8(sp)', 0x60a2, 0, 0x00003081],
    ['c.fldsp fs0, 0(sp)', 0x2402, 0, 0x00003405],
    ['c.swsp a0, 0(sp)', 0xc02a, 0, 0x00a02021],
    ['c.sdsp ra, 8(sp)', 0xe406, 0, 0x00103021],
    ['c.fsdsp fs0, 0(sp)', 0xa022, 0, 0x00803025],
    ['addi (no memory access)', 0x00150513, 0, 0],
    ['cbo.zero', 0x0045200f, 0, 0],
  ] as const)('%s', (_name, bits, offset, transformed) => {
    const h = new Harness();
    h.enter('VS');
    h.priv.raise(5, 0x1000, 0, offset);
    h.priv.takeTrap(bits | 0);
    expect(h.get('mtinst').toString(16)).toBe(transformed.toString(16));
  });

  test('is 0 for other exceptions', () => {
    for (const cause of [1, 2, 3, 8, 12, 20, 22]) {
      const h = new Harness();
      h.enter('VS');
      h.trap(cause, 0n, 0x0005b503);
      expect(h.get('mtinst')).toBe(0n);
    }
  });
});

describe('virtual-machine loads and stores in a trap', () => {
  test('from HS: GVA is set, SPV is not', () => {
    const h = new Harness();
    h.set('medeleg', -1n);
    h.set('vsatp', 8n << 60n);
    h.enter('HS');
    h.setX(11, 0x1234n);
    h.execute('hlv.d', { rd: 10, rs1: 11 });
    expect([h.get('scause'), h.get('stval'), h.get('hstatus') & 0xc0n, h.get('htinst')]).toEqual([5n, 0x1234n, 0x40n, 0x6c004573n]);
  });
});
