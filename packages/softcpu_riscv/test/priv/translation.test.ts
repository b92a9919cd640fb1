import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Permission } from '../../src/priv/index.ts';
import { Harness, hi, lo, modes, PMP_ALL, RAM, u64 } from './harness.ts';
import { translate, type Kind, type PmpEntry, type Ram, type Registers, type Result } from './model.ts';

const PAGES = 48;
const SIZE = PAGES * 4096;
const FIRST_PPN = BigInt(RAM) >> 12n;

/** A small generator, so that one seed makes a whole memory. */
function random(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Pages of the pools of {@link fillTables}: roots (x4), then two pages for each level between, then last-level tables, then mixed ones. */
const ROOTS = 4;
const PER_LEVEL = 2;
const LAST = 24;

/**
 * Fills RAM with page-table entries such that walks of `levels` levels from page 0 usually end in a leaf, that what G-stage leaves point to is often good as
 * a VS-stage table, and that every kind of defect occurs at every level.
 */
function fillTables(h: Harness, seed: number, levels: number): void {
  const next = random(seed);
  const lastFrom = ROOTS + PER_LEVEL * (levels - 2);
  const mixedFrom = lastFrom + LAST;
  for (let page = 0; page < PAGES; page++) {
    const depth = page < ROOTS ? 0 : page < lastFrom ? 1 + Math.floor((page - ROOTS) / PER_LEVEL) : levels - 1;
    const mixed = page >= mixedFrom;
    for (let i = 0; i < 512; i++) {
      const pointers = mixed ? 45 : depth === levels - 1 ? 3 : 80;
      let pte: bigint;
      if (next(100) < pointers) {
        const target = mixed ? next(PAGES) : depth + 2 >= levels ? lastFrom + next(LAST) : ROOTS + PER_LEVEL * depth + next(PER_LEVEL);
        pte = ((FIRST_PPN + BigInt(target)) << 10n) | 1n;
      } else {
        // Superpages over RAM (0x8000_0000 is 1 GiB-aligned), 4 KiB pages of RAM, low memory, addresses far away.
        const where = next(40);
        const last = depth === levels - 1 && (!mixed || where < 20);
        const ppn = where < 36 ? FIRST_PPN + (last ? BigInt(next(PAGES)) : 0n) : where < 39 ? 0n : BigInt(next(2 ** 22)) << 22n;
        let flags = 0xdf;
        for (const bit of [0x02, 0x04, 0x08, 0x10, 0x40, 0x80]) {
          // Often A and D are clear, and G-stage leaves of VS-stage tables read-only.
          const often = mixed ? bit >= 0x40 : bit === 0x04;
          if (next(often ? 3 : 12) === 0) flags &= ~bit;
        }
        if (next(60) === 0) flags = next(256);
        pte = (ppn << 10n) | BigInt(flags);
        if (next(30) === 0) pte |= 1n << BigInt(61 + next(2));
      }
      if (next(100) === 0) pte |= 1n << BigInt(54 + next(10));
      h.write64(RAM + page * 4096 + i * 8, pte);
    }
  }
}

/** One mode for all stages, or another for some of them; seldom bare. */
const mode = fc.constantFrom(8n, 8n, 9n, 10n);
const stageMode = fc.oneof({ weight: 10, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: mode }, { weight: 2, arbitrary: fc.constant(0n) });
const root = fc.oneof(fc.constant(0n), fc.integer({ min: 0, max: PAGES - 1 }).map(BigInt));

const mostly = fc.constantFrom(true, true, true, false);

const registers = fc.record({
  mode,
  modes: fc.tuple(stageMode, stageMode, stageMode),
  roots: fc.tuple(root, root),
  /** Guest-physical roots are low addresses, which the G-stage tables spread over RAM, or RAM itself for a bare G-stage. */
  low: fc.boolean(),
  sum: fc.boolean(),
  mxr: fc.boolean(),
  vsSum: fc.boolean(),
  vsMxr: fc.boolean(),
  menvcfg: fc.record({ adue: mostly, pbmte: fc.boolean() }),
  henvcfg: fc.record({ adue: mostly, pbmte: fc.boolean() }),
  pmp: fc.oneof(
    { weight: 4, arbitrary: fc.constant<readonly PmpEntry[]>([{ cfg: Number(PMP_ALL.cfg), addr: PMP_ALL.addr }]) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.integer({ min: 0, max: PAGES - 1 }), fc.integer({ min: 0, max: 7 }), fc.boolean()).map(([page, rights, small]): readonly PmpEntry[] => [
        // A whole page, or 32 bytes of it.
        { cfg: 0x18 | ((rights & 1) === 0 ? rights & ~2 : rights), addr: (BigInt(RAM + page * 4096) >> 2n) | (small ? 3n : 0x1ffn) },
        { cfg: Number(PMP_ALL.cfg), addr: PMP_ALL.addr },
      ]),
    },
  ),
});

/** Addresses that hit all table levels, are near the ends of the canonical ranges, or are RAM (for bare stages). */
const address = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 38n) - 1n }),
  fc.bigInt({ min: -(1n << 38n), max: (1n << 38n) - 1n }).map(u64),
  fc.bigInt({ min: -(1n << 47n), max: (1n << 47n) - 1n }).map(u64),
  fc.bigInt({ min: -(1n << 56n), max: (1n << 56n) - 1n }).map(u64),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.integer({ min: 0, max: SIZE - 1 }).map((offset) => BigInt(RAM + offset)),
);

const kinds: readonly Kind[] = ['load', 'store', 'fetch', 'hlvx'];

const access = fc.record({
  va: address,
  kind: fc.constantFrom<Kind>('load', 'load', 'store', 'store', 'fetch', 'hlvx'),
  mode: fc.constantFrom<'HS' | 'U' | 'VS' | 'VU'>('HS', 'U', 'VS', 'VU', 'VS', 'VU'),
  size: fc.constantFrom(1, 2, 4, 8),
});

const b = (flag: boolean, shift: bigint): bigint => (flag ? 1n << shift : 0n);

function setRegisters(h: Harness, regs: Registers): void {
  h.set('menvcfg', b(regs.menvcfg.adue, 61n) | b(regs.menvcfg.pbmte, 62n));
  h.set('henvcfg', b(regs.henvcfg.adue, 61n) | b(regs.henvcfg.pbmte, 62n));
  h.set('mstatus', b(regs.sum, 18n) | b(regs.mxr, 19n));
  h.set('vsstatus', b(regs.vsSum, 18n) | b(regs.vsMxr, 19n));
  h.set('satp', regs.satp);
  h.set('vsatp', regs.vsatp);
  h.set('hgatp', regs.hgatp);
  regs.pmp.forEach(({ addr }, i) => {
    h.setX(5, addr);
    h.execute('csrrw', { rs1: 5, csrNumber: 0x3b0 + i });
  });
  h.set('pmpcfg0', regs.pmp.reduceRight((word, { cfg }) => (word << 8n) | BigInt(cfg), 0n));
}

/** The model's own copy of RAM. */
function copyOf(h: Harness): Ram & { readonly bytes: Uint8Array } {
  const bytes = h.ram.slice();
  const view = new DataView(bytes.buffer);
  const at = (pa: bigint): number => Number(pa) - RAM;
  return {
    bytes,
    has: (pa) => pa >= BigInt(RAM) && pa + 8n <= BigInt(RAM + SIZE),
    read64: (pa) => view.getBigUint64(at(pa), true),
    write64: (pa, value) => view.setBigUint64(at(pa), value, true),
  };
}

const causes: Readonly<Record<Kind, { access: number; page: number; guest: number }>> = {
  load: { access: 5, page: 13, guest: 21 },
  store: { access: 7, page: 15, guest: 23 },
  fetch: { access: 1, page: 12, guest: 20 },
  hlvx: { access: 5, page: 13, guest: 21 },
};

describe('translation agrees with the model', () => {
  test('random tables, both stages, all modes', () => {
    const seen: Record<string, number> = {};
    const h = new Harness({ ramSize: SIZE });
    fc.assert(
      fc.property(fc.integer({ min: 1 }), registers, fc.array(access, { minLength: 100, maxLength: 100 }), (seed, raw, accesses) => {
        const atp = (stage: 0 | 1 | 2, ppn: bigint): bigint => {
          const chosen = raw.modes[stage] ?? raw.mode;
          return chosen === 0n ? 0n : (chosen << 60n) | ppn;
        };
        const regs: Registers = {
          ...raw,
          satp: atp(0, FIRST_PPN + raw.roots[0]),
          vsatp: atp(1, (raw.low ? 0n : FIRST_PPN) + raw.roots[1]),
          hgatp: atp(2, FIRST_PPN),
        };
        h.priv.reset();
        fillTables(h, seed, Number(raw.mode) - 5);
        setRegisters(h, regs);
        const ram = copyOf(h);
        for (const { va: unaligned, kind, mode, size } of accesses) {
          const va = unaligned - (unaligned % BigInt(size));
          const { prv, v } = modes[mode];
          h.enter(mode);
          const want = translate(ram, regs, va, kind, size, prv, v);
          const got = h.priv.translate(lo(va), hi(va), kinds.indexOf(kind) as 0 | 1 | 2 | 3, size);
          const { permissions, pageSize, exception } = h.priv;
          const result = 'pa' in want ? { pa: want.pa } : want;
          const e = exception;
          const gotResult = got >= 0
            ? { pa: BigInt(got) }
            : {
                type: (['access', 'page', 'guest'] as const).find((type) => causes[kind][type] === e.cause),
                gpa: u64((BigInt(e.gpaHi) << 32n) | BigInt(e.gpaLo >>> 0)),
                tinst: e.tinst,
              };
          expect(gotResult, `${kind} ${va.toString(16)} in ${mode}`).toEqual(result);
          const label = 'pa' in want ? `ok ${v}` : `${want.type} ${want.tinst.toString(16)} ${v}`;
          seen[label] = (seen[label] ?? 0) + 1;
          if ('pa' in want) checkReport(regs, va, kind, prv, v, want, permissions, pageSize, ram);
          else expect([e.tvalLo, e.tvalHi, e.gva]).toEqual([lo(va), hi(va), v === 1]);
          h.trap(11);
          h.set('mstatus', h.get('mstatus') & 0xc_0000n);
        }
        // A and D bits: all of memory, but for an element-wise toEqual too large.
        expect(h.ram.findIndex((byte, i) => byte !== ram.bytes[i])).toBe(-1);
      }),
      { numRuns: 200 },
    );
    for (const label of ['ok 0', 'ok 1', 'page 0 0', 'page 0 1', 'guest 0 1', 'guest 3000 1', 'guest 3020 1', 'access 0 0', 'access 0 1']) {
      expect(seen[label] ?? 0, label).toBeGreaterThan(label === 'guest 3020 1' ? 0 : 50);
    }
  });
});

/** What is reported for caching must hold without another walk: no fault, no change of memory, the same place. */
function checkReport(
  regs: Registers, va: bigint, kind: Kind, prv: number, v: number, result: Extract<Result, { pa: bigint }>, permissions: number, pageSize: number, ram: Ram,
): void {
  const reported = { load: Permission.read, store: Permission.write, fetch: Permission.execute } as const;
  const readOnly: Ram = {
    ...ram,
    write64: (pa) => {
      throw new Error(`another access after ${kind} writes ${pa.toString(16)}`);
    },
  };
  for (const other of ['load', 'store', 'fetch'] as const) {
    if ((permissions & reported[other]) === 0) continue;
    expect(translate(readOnly, regs, va, other, 1, prv, v), `${other} after ${kind}`).toMatchObject({ pa: result.pa });
  }
  const whole = regs.pmp.length === 1;
  if (whole && kind !== 'hlvx' && prv !== 3) expect(permissions & reported[kind]).not.toBe(0);
  expect(BigInt(pageSize)).toBe(result.size > 1n << 48n ? 1n << 48n : result.size);
}

/** Sv39 with three tables: virtual 0 to 2 MiB is mapped by the entries of the table at `last`. */
function sv39(h: Harness, rootPa: number, middle: number, last: number, entries: Readonly<Record<number, bigint>>, u = 0n): void {
  h.write64(rootPa, (BigInt(middle) >> 2n) | 1n);
  h.write64(middle, (BigInt(last) >> 2n) | 1n);
  for (const [i, pte] of Object.entries(entries)) h.write64(last + 8 * Number(i), pte | u);
}

const leaf = (pa: number, flags: bigint): bigint => (BigInt(pa) >> 2n) | flags;

describe('MPRV', () => {
  /** Virtual page 1 is RAM page 8 for HS-level, virtual and guest physical page 1 is RAM page 9 for the guest. */
  function machine(): Harness {
    const h = new Harness({ ramSize: SIZE });
    sv39(h, RAM, RAM + 0x1000, RAM + 0x2000, { 1: leaf(RAM + 0x8000, 0xc7n), 2: leaf(RAM + 0xa000, 0xd7n) });
    sv39(h, RAM + 0x4000, RAM + 0x10000, RAM + 0x11000, { 1: leaf(RAM + 0x9000, 0xd7n) });
    h.set('satp', (8n << 60n) | FIRST_PPN);
    h.set('hgatp', (8n << 60n) | (FIRST_PPN + 4n));
    return h;
  }

  test.each([
    ['MPP=M', 3n, 0n, 0x1000], ['MPP=M, MPV=1', 3n, 1n, 0x1000], ['MPP=S', 1n, 0n, RAM + 0x8000], ['MPP=U', 0n, 0n, -1],
    ['MPP=S, MPV=1', 1n, 1n, RAM + 0x9000], ['MPP=U, MPV=1', 0n, 1n, RAM + 0x9000],
  ] as const)('%s', (_name, mpp, mpv, pa) => {
    const h = machine();
    h.set('mstatus', (1n << 17n) | (mpp << 11n) | (mpv << 39n));
    expect(h.priv.translate(0x1000, 0, 0, 8)).toBe(pa);
    expect(h.priv.translate(0x1000, 0, 2, 4)).toBe(0x1000);
  });

  test('faults of accesses as a guest set mstatus.GVA, not MPV', () => {
    const h = machine();
    h.set('mstatus', (1n << 17n) | (1n << 11n) | (1n << 39n));
    expect(h.priv.translate(0x3000, 0, 1, 8)).toBe(-1);
    h.priv.takeTrap(0x00c5_3023);
    const mstatus = h.get('mstatus');
    expect([h.get('mcause'), h.get('mtval'), h.get('mtval2'), h.get('mtinst'), (mstatus >> 38n) & 3n]).toEqual([23n, 0x3000n, 0xc00n, 0x00c0_3023n, 1n]);
  });

  test('HLV ignores MPRV and uses SPVP', () => {
    const h = machine();
    h.write64(RAM + 0x9008, 77n);
    h.set('mstatus', (1n << 17n) | (1n << 11n));
    h.setX(11, 0x1008n);
    h.execute('hlv.d', { rd: 10, rs1: 11 });
    expect(h.x(10)).toBe(77n);
  });

  test('SUM applies when MPP=S', () => {
    const h = machine();
    h.set('mstatus', (1n << 17n) | (1n << 11n));
    expect(h.priv.translate(0x2000, 0, 0, 8)).toBe(-1);
    h.set('mstatus', (1n << 17n) | (1n << 11n) | (1n << 18n));
    expect(h.priv.translate(0x2000, 0, 0, 8)).toBe(RAM + 0xa000);
    expect(h.priv.permissions).toBe(Permission.read | Permission.write);
  });
});

describe('write permission is reported only once D is set at both stages', () => {
  test.each([
    ['both clear', 0x57n, 0x57n, false], ['first stage clear', 0x57n, 0xd7n, false], ['G-stage clear', 0xd7n, 0x57n, false], ['both set', 0xd7n, 0xd7n, true],
  ] as const)('%s', (_name, first, second, ready) => {
    const h = new Harness({ ramSize: SIZE });
    h.set('menvcfg', 1n << 61n);
    h.set('henvcfg', 1n << 61n);
    // The guest's tables are at guest physical 0x1000, 0x2000, 0x3000, its page at 0x5000; all mapped one to one into RAM.
    const pages = Object.fromEntries([1, 2, 3, 4].map((i) => [i, leaf(RAM + i * 0x1000, 0xd7n)]));
    sv39(h, RAM + 0x8000, RAM + 0x10000, RAM + 0x11000, { ...pages, 5: leaf(RAM + 0x5000, second) });
    sv39({ write64: (pa: number, value: bigint) => h.write64(pa + RAM, value) } as Harness, 0x1000, 0x2000, 0x3000, { 7: leaf(0x5000, first) });
    h.set('hgatp', (8n << 60n) | (FIRST_PPN + 8n));
    h.set('vsatp', (8n << 60n) | 1n);
    h.enter('VU');
    expect(h.priv.translate(0x7000, 0, 0, 8)).toBe(RAM + 0x5000);
    expect((h.priv.permissions & Permission.write) !== 0).toBe(ready);
    expect(h.priv.translate(0x7000, 0, 1, 8)).toBe(RAM + 0x5000);
    expect(h.priv.permissions).toBe(Permission.read | Permission.write);
    expect(h.read64(RAM + 0x3038) & 0xc0n).toBe(0xc0n);
    expect(h.read64(RAM + 0x11028) & 0xc0n).toBe(0xc0n);
  });
});

describe('a changed G-stage is seen', () => {
  /** Guest page 1 is RAM page 8 before, RAM page 9 after. */
  function guest(): Harness {
    const h = new Harness({ ramSize: SIZE });
    sv39(h, RAM, RAM + 0x4000, RAM + 0x5000, { 1: leaf(RAM + 0x8000, 0xd7n) });
    h.set('hgatp', (8n << 60n) | FIRST_PPN);
    h.enter('VS');
    expect(h.priv.translate(0x1000, 0, 0, 8)).toBe(RAM + 0x8000);
    h.write64(RAM + 0x5008, leaf(RAM + 0x9000, 0xd7n));
    h.trap(11);
    return h;
  }

  const changes: readonly (readonly [string, (h: Harness) => unknown])[] = [
    ['HFENCE.GVMA', (h) => h.execute('hfence.gvma')],
    ['HINVAL.GVMA', (h) => h.execute('hinval.gvma')],
    ['another hgatp', (h) => h.set('hgatp', (8n << 60n) | (1n << 44n) | FIRST_PPN)],
    ['menvcfg', (h) => h.set('menvcfg', 1n << 61n)],
    ['PMP', (h) => h.set('pmpaddr0', PMP_ALL.addr)],
  ];
  test.each(changes)('after %s', (_name, change) => {
    const h = guest();
    change(h);
    h.enter('VS');
    expect(h.priv.translate(0x1000, 0, 0, 8)).toBe(RAM + 0x9000);
  });

  test('hosted: after hfenceGvma', () => {
    const h = new Harness({ ramSize: SIZE, hosted: true });
    sv39(h, RAM, RAM + 0x4000, RAM + 0x5000, { 1: leaf(RAM + 0x8000, 0xd7n) });
    h.priv.csrWrite(0x680, (8n << 60n) | FIRST_PPN);
    h.write64(RAM + 0x8000, 8n);
    h.write64(RAM + 0x9000, 9n);
    expect(h.priv.hlv(0x1000n, 8)).toBe(8n);
    h.write64(RAM + 0x5008, leaf(RAM + 0x9000, 0xd7n));
    h.priv.hfenceGvma();
    expect(h.priv.hlv(0x1000n, 8)).toBe(9n);
  });
});
