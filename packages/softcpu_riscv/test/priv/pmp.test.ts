import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Harness, modes, RAM } from './harness.ts';
import { pmpAllows, type PmpEntry } from './model.ts';

/** Entries around the first two pages of RAM: NAPOT of all sizes, NA4, TOR, locked or not. */
const entry: fc.Arbitrary<PmpEntry> = fc.record({
  cfg: fc.integer({ min: 0, max: 255 }).map((cfg) => cfg & 0x9f),
  addr: fc.oneof(
    fc.bigInt({ min: 0n, max: 0x2000n }).map((offset) => (BigInt(RAM) + offset) >> 2n),
    fc.tuple(fc.bigInt({ min: 0n, max: 0x2000n }), fc.bigInt({ min: 0n, max: 12n })).map(([offset, ones]) => ((BigInt(RAM) + offset) >> 2n) | ((1n << ones) - 1n)),
    fc.bigInt({ min: 0n, max: (1n << 54n) - 1n }),
    fc.constant((1n << 54n) - 1n),
  ),
});

const kinds = [
  [0, 'R'],
  [1, 'W'],
  [2, 'X'],
] as const;

describe('PMP', () => {
  test('agrees with the model on random entries', () => {
    const allowed = [0, 0];
    fc.assert(
      fc.property(
        fc.array(entry, { minLength: 1, maxLength: 6 }), fc.constantFrom('M', 'HS', 'U'),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 0x2000 }), fc.constantFrom(1, 2, 4, 8), fc.constantFrom(0, 1, 2)), { minLength: 8, maxLength: 8 }),
        (entries, mode, accesses) => {
          const h = new Harness({ openPmp: false });
          const full = Array.from({ length: 16 }, (_, i) => {
            const { cfg, addr } = entries[i] ?? { cfg: 0, addr: 0n };
            // Reserved: W without R.
            return { cfg: (cfg & 1) === 0 ? cfg & ~2 : cfg, addr };
          });
          full.forEach(({ addr }, i) => {
            h.setX(5, addr);
            h.execute('csrrw', { rs1: 5, csrNumber: 0x3b0 + i });
          });
          for (const first of [8, 0]) {
            h.setX(5, full.slice(first, first + 8).reduceRight((word, { cfg }) => (word << 8n) | BigInt(cfg), 0n));
            h.execute('csrrw', { rs1: 5, csrNumber: 0x3a0 + first / 4 });
          }
          if (mode !== 'M') h.enter(mode);
          const { prv } = modes[mode];
          for (const [offset, size, access] of accesses) {
            const pa = RAM + offset - (offset % size);
            const want = pmpAllows(full, BigInt(pa), size, prv, [kinds[access]![1]]);
            const got = h.priv.translate(pa | 0, 0, access as 0 | 1 | 2, size);
            expect(got, `${pa.toString(16)}+${size} ${access}`).toBe(want ? pa : -1);
            allowed[want ? 1 : 0]!++;
            if (!want) {
              expect(h.priv.exception.cause).toBe([5, 7, 1][access]);
              continue;
            }
            // What is reported for the page must hold for every word of it.
            const page = pa - (pa % 4096);
            for (const [kind, right] of kinds) {
              if ((h.priv.permissions & (1 << kind)) === 0) continue;
              for (let word = page; word < page + 4096; word += 4) {
                if (!pmpAllows(full, BigInt(word), 4, prv, [right])) throw new Error(`page ${page.toString(16)} is not uniform at ${word.toString(16)}`);
              }
            }
          }
        },
      ),
      { numRuns: 60 },
    );
    expect(Math.min(...allowed)).toBeGreaterThan(60);
  });

  test('locked entries keep their registers, also the address below a locked TOR entry', () => {
    const h = new Harness({ openPmp: false });
    h.set('pmpaddr0', 0x1000n);
    h.setX(5, 0x2000n);
    h.execute('csrrw', { rs1: 5, csrNumber: 0x3b1 });
    h.set('pmpcfg0', 0x8f00n);
    h.set('pmpaddr0', 1n);
    h.setX(5, 2n);
    h.execute('csrrw', { rs1: 5, csrNumber: 0x3b1 });
    h.set('pmpcfg0', 0x1f1fn);
    expect(h.get('pmpaddr0')).toBe(0x1000n);
    h.execute('csrrs', { rd: 6, csrNumber: 0x3b1 });
    expect(h.x(6)).toBe(0x2000n);
    expect(h.get('pmpcfg0')).toBe(0x8f1fn);
    // The locked entry binds M-mode too: it has no execute permission here ...
    h.priv.reset();
    h.set('pmpaddr0', 0x2000_0400n);
    h.set('pmpcfg0', 0x89n);
    expect(h.priv.translate(RAM | 0, 0, 0, 8)).toBe(RAM);
    expect(h.priv.translate(RAM | 0, 0, 2, 4)).toBe(-1);
    expect(h.priv.translate(RAM | 0, 0, 1, 4)).toBe(-1);
    // ... and accesses that no entry matches succeed in M-mode only.
    expect(h.priv.translate((RAM + 0x1000) | 0, 0, 1, 4)).toBe(RAM + 0x1000);
    h.enter('U');
    expect(h.priv.translate((RAM + 0x1000) | 0, 0, 0, 4)).toBe(-1);
  });

  test('pmpaddr has 54 bits, reserved bits of pmpcfg and W without R are dropped', () => {
    const h = new Harness({ openPmp: false });
    h.set('pmpaddr0', (1n << 64n) - 1n);
    h.set('pmpcfg0', 0x7f02n);
    expect([h.get('pmpaddr0'), h.get('pmpcfg0')]).toEqual([(1n << 54n) - 1n, 0x1f00n]);
  });

  test('without entries everything is allowed', () => {
    const h = new Harness({ pmpEntries: 0, openPmp: false });
    h.enter('U');
    expect(h.priv.translate(RAM | 0, 0, 1, 8)).toBe(RAM);
  });
});
