import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Status } from '../../src/priv/index.ts';
import { Harness, modeNames, modes, type Mode } from './harness.ts';

/** The interrupt to take by the manual's conditions, put as plainly as possible: [cause as the target sees it, target] or undefined. */
function expectedInterrupt(mode: Mode, mip: bigint, mie: bigint, mideleg: bigint, hideleg: bigint, MIE: boolean, SIE: boolean, vsSIE: boolean): readonly [number, Mode] | undefined {
  const bit = (value: bigint, i: number): boolean => ((value >> BigInt(i)) & 1n) === 1n;
  const { prv, v } = modes[mode];
  for (const i of [11, 3, 7, 9, 1, 5, 10, 2, 6]) {
    if (bit(mip, i) && bit(mie, i) && !bit(mideleg, i) && (mode === 'M' ? MIE : true)) return [i, 'M'];
  }
  for (const i of [9, 1, 5, 10, 2, 6]) {
    const enabled = mode === 'HS' ? SIE : mode !== 'M';
    if (bit(mip, i) && bit(mie, i) && bit(mideleg, i) && !bit(hideleg, i) && enabled) return [i, 'HS'];
  }
  for (const i of [10, 2, 6]) {
    const enabled = v === 1 && (prv === 0 || vsSIE);
    if (bit(mip, i) && bit(mie, i) && bit(hideleg, i) && enabled) return [i - 1, 'VS'];
  }
  return undefined;
}

const interruptBits = fc.uniqueArray(fc.constantFrom(1, 2, 3, 5, 6, 7, 9, 10, 11)).map((bits) => bits.reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n));

describe('which interrupt is taken', () => {
  test('by mode, mip, mie, mideleg, hideleg and the global enables', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...modeNames), interruptBits, interruptBits, interruptBits, interruptBits, fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean(),
        (mode, mip, mie, mideleg, hideleg, MIE, SIE, vsSIE, vectored) => {
          const h = new Harness();
          const mode01 = vectored ? 1n : 0n;
          h.set('mtvec', 0x8000_0100n | mode01);
          h.set('stvec', 0x8000_0200n | mode01);
          h.set('vstvec', 0x8000_0300n | mode01);
          h.set('mideleg', mideleg);
          h.set('hideleg', hideleg);
          h.set('mie', mie);
          h.set('mstatus', (MIE ? 8n : 0n) | (SIE ? 2n : 0n));
          h.set('vsstatus', vsSIE ? 2n : 0n);
          if (mode !== 'M') h.enter(mode);
          h.pc = 0x8000_1234n;
          for (let i = 0; i < 12; i++) h.priv.setPending(i, ((mip >> BigInt(i)) & 1n) === 1n);
          const want = expectedInterrupt(mode, mip, mie, (mideleg & 0x222n) | 0x444n, hideleg & 0x444n, MIE, SIE, vsSIE);
          expect(h.priv.wakeable()).toBe((mip & mie) !== 0n);
          const status = h.priv.pendingInterrupt();
          if (want === undefined) {
            expect(status).toBe(Status.next);
            expect([h.mode, h.pc]).toEqual([mode, 0x8000_1234n]);
            return;
          }
          const [cause, target] = want;
          expect(status).toBe(Status.refetch);
          expect(h.mode).toBe(target);
          const base = { M: 0x8000_0100n, HS: 0x8000_0200n, VS: 0x8000_0300n }[target as 'M' | 'HS' | 'VS'];
          expect(h.pc).toBe(vectored ? base + 4n * BigInt(cause) : base);
          const [xcause, xepc, xtval] = target === 'M' ? (['mcause', 'mepc', 'mtval'] as const) : (['scause', 'sepc', 'stval'] as const);
          expect([h.get(xcause), h.get(xepc), h.get(xtval)]).toEqual([(1n << 63n) | BigInt(cause), 0x8000_1234n, 0n]);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a CSR write that enables an interrupt is followed by it', () => {
  test.each([
    ['mstatus', 8n, {}], ['mie', 0x200n, { mstatus: 8n }], ['mip', 0x200n, { mstatus: 8n, mie: 0x200n }],
  ] as const)('%s', (name, value, setUp) => {
    const h = new Harness();
    if (name !== 'mie' && !('mie' in setUp)) h.set('mie', 0x200n);
    for (const [other, otherValue] of Object.entries(setUp)) h.set(other as 'mie', otherValue);
    if (name !== 'mip') h.priv.setPending(9, true);
    h.pc = 0x8000_1000n;
    h.setX(5, value);
    expect(h.execute('csrrs', { rs1: 5, rd: 6, csrNumber: { mstatus: 0x300, mie: 0x304, mip: 0x344 }[name] })).toBe(Status.refetch);
    expect([h.get('mcause') & 0xfn, h.get('mepc')]).toEqual([9n, 0x8000_1004n]);
  });

  test('sstatus.SIE in HS-mode and in VS-mode', () => {
    const h = new Harness();
    h.set('mideleg', 0x222n);
    h.set('hideleg', 0x444n);
    h.set('mie', 0x202n);
    h.set('hvip', 0x404n);
    h.set('hie', 0x404n);
    h.enter('HS');
    h.pc = 0x8000_1000n;
    h.setX(5, 2n);
    expect(h.execute('csrrs', { rs1: 5, csrNumber: 0x100 })).toBe(Status.next);
    h.set('vstvec', 0x8000_0300n);
    h.set('hstatus', 0x80n);
    h.set('sstatus', 0x100n);
    h.set('sepc', 0x8000_2000n);
    h.execute('sret');
    expect([h.mode, h.pc]).toEqual(['VS', 0x8000_2000n]);
    h.setX(5, 2n);
    expect(h.execute('csrrs', { rs1: 5, csrNumber: 0x100 })).toBe(Status.refetch);
    expect([h.mode, h.pc, h.get('scause'), h.get('sepc')]).toEqual(['VS', 0x8000_0300n, (1n << 63n) | 9n, 0x8000_2004n]);
  });

  test('xRET into a mode where one is enabled', () => {
    const h = new Harness();
    h.set('mie', 0x800n);
    h.priv.setPending(11, true);
    h.set('mtvec', 0x8000_0100n);
    h.set('mepc', 0x8000_5000n);
    h.set('mstatus', 0n);
    expect(h.execute('mret')).toBe(Status.refetch);
    expect([h.mode, h.pc, h.get('mepc'), (h.get('mstatus') >> 11n) & 3n]).toEqual(['M', 0x8000_0100n, 0x8000_5000n, 0n]);
  });
});

describe('timers', () => {
  test('stimecmp makes STIP, only with menvcfg.STCE', () => {
    const h = new Harness();
    h.now = 100n;
    h.set('stimecmp', 100n);
    expect(h.get('mip')).toBe(0n);
    h.set('mip', 0x20n);
    expect(h.get('mip')).toBe(0x20n);
    h.set('mip', 0n);
    h.set('menvcfg', 1n << 63n);
    expect(h.get('mip')).toBe(0x20n);
    h.set('mip', 0n);
    expect(h.get('mip')).toBe(0x20n);
    h.set('stimecmp', 101n);
    expect(h.get('mip')).toBe(0n);
    h.now = 101n;
    expect(h.get('mip')).toBe(0x20n);
  });

  test('vstimecmp is compared with time + htimedelta, truncated to 64 bits', () => {
    const any = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
    fc.assert(
      fc.property(any, any, any, (now, delta, compare) => {
        const h = new Harness();
        h.now = now;
        h.set('menvcfg', 1n << 63n);
        h.set('henvcfg', 1n << 63n);
        h.set('htimedelta', delta);
        h.set('vstimecmp', compare);
        expect((h.get('hip') >> 6n) & 1n).toBe(((now + delta) & ((1n << 64n) - 1n)) >= compare ? 1n : 0n);
      }),
    );
  });

  test('nextTimer is the earliest enabled one', () => {
    const h = new Harness();
    h.now = 1000n;
    expect(h.priv.nextTimer()).toBe(undefined);
    h.set('menvcfg', 1n << 63n);
    h.set('henvcfg', 1n << 63n);
    h.set('stimecmp', 5000n);
    h.set('htimedelta', (1n << 64n) - 1000n);
    h.set('vstimecmp', 300n);
    expect(h.priv.nextTimer()).toBe(undefined);
    h.set('mie', 0x20n);
    expect(h.priv.nextTimer()).toBe(5000n);
    h.set('mie', 0x60n);
    expect(h.priv.nextTimer()).toBe(1300n);
    h.now = 1300n;
    expect(h.priv.wakeable()).toBe(true);
  });
});

describe('WFI', () => {
  test('waits when nothing enabled in mie is pending, with PC behind it', () => {
    const h = new Harness();
    h.set('mie', 0x80n);
    h.pc = 0x8000_1000n;
    expect(h.execute('wfi')).toBe(Status.leave);
    expect([h.priv.waiting, h.priv.exited, h.pc]).toEqual([true, false, 0x8000_1004n]);
    expect(h.priv.wakeable()).toBe(false);
    h.priv.setPending(7, true);
    expect(h.priv.wakeable()).toBe(true);
    expect(h.priv.waiting).toBe(false);
    expect(h.priv.pendingInterrupt()).toBe(Status.next);
  });

  test('goes on at once when one is pending though globally disabled', () => {
    const h = new Harness();
    h.set('mie', 0x80n);
    h.priv.setPending(7, true);
    h.pc = 0x8000_1000n;
    expect(h.execute('wfi')).toBe(Status.refetch);
    expect([h.priv.waiting, h.pc]).toEqual([false, 0x8000_1004n]);
  });

  test('an enabled interrupt is taken on the next instruction', () => {
    const h = new Harness();
    h.set('mie', 0x80n);
    h.set('mstatus', 8n);
    h.priv.setPending(7, true);
    h.pc = 0x8000_1000n;
    expect(h.execute('wfi')).toBe(Status.refetch);
    expect([h.get('mcause'), h.get('mepc')]).toEqual([(1n << 63n) | 7n, 0x8000_1004n]);
  });
});
