import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Ept } from '../../src/priv/ept.ts';
import { NestedPaging } from '../../src/priv/nested.ts';
import { highWord, lowWord } from '../../src/priv/registers.ts';
import { Harness, RAM } from './harness.ts';
import { Model, type Mode, type Outcome } from './paging_model.ts';

const PHYSICAL_BITS = 39;
const PAGES = RAM / 4096;

/** xorshift, for memory that is cheap to fill. */
function randomWords(seed: number): () => number {
  let x = seed | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

/** Fills RAM with tables: most entries are present and lead to RAM, some have odd bits. */
function fill(view: DataView, seed: number, narrow: boolean): void {
  const next = randomWords(seed);
  for (let at = 0; at < RAM; at += narrow ? 4 : 8) {
    const choice = next();
    const page = next() % PAGES;
    const flags = (choice & 0xf7f) | ((choice >>> 12) % 3 === 0 ? 0x80 : 0) | ((choice >>> 16) % 8 === 0 ? 0 : 7);
    // Large leaves want an aligned address to be legal.
    const large = (flags & 0x80) !== 0;
    const address = large && (choice >>> 20) % 4 !== 0 ? (((choice >>> 24) % 4 === 0 ? page : 0) << 21) >>> 0 : page << 12;
    if (narrow) view.setUint32(at, (large ? address & 0xffc0_0000 : address) | flags, true);
    else {
      view.setUint32(at, address | flags, true);
      const odd = (choice >>> 25) % 32;
      view.setUint32(at + 4, odd === 0 ? 1 << (next() % 32) : odd < 6 ? 0x8000_0000 : 0, true);
    }
  }
}

const bits = (...numbers: readonly number[]): fc.Arbitrary<bigint> => fc.subarray([...numbers]).map((chosen) => chosen.reduce((value, n) => value | (1n << BigInt(n)), 0n));

const modeArbitrary = fc.record({
  kind: fc.constantFrom('none', '32', 'pae', '4', '5'),
  cr0: bits(16),
  cr4: bits(4, 20, 21),
  nxe: fc.boolean(),
  root: fc.nat(PAGES - 1),
  cpl: fc.constantFrom(0, 3),
  ac: fc.boolean(),
});

const linearArbitrary = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.tuple(fc.bigInt({ min: 0n, max: (1n << 57n) - 1n }), fc.constantFrom(48, 57)).map(([value, width]) => BigInt.asUintN(64, BigInt.asIntN(width, value))),
  fc.bigInt({ min: 0n, max: 0xffff_ffffn }),
);

function prepare(h: Harness, choice: { kind: string; cr0: bigint; cr4: bigint; nxe: boolean; root: number; cpl: number; ac: boolean }, eptp?: bigint): { mode: Mode; pdptes: bigint[] } {
  const long = choice.kind === '4' || choice.kind === '5';
  const mode: Mode = {
    cr0: choice.cr0 | 1n | (choice.kind === 'none' ? 0n : 1n << 31n),
    cr3: BigInt(choice.root * 4096),
    cr4: choice.cr4 | (long || choice.kind === 'pae' ? 0x20n : 0n) | (choice.kind === '5' ? 0x1000n : 0n),
    efer: (choice.nxe ? 0x800n : 0n) | (long ? 0x500n : 0n),
    cpl: choice.cpl,
    ac: choice.ac,
    ...(eptp === undefined ? {} : { eptp }),
  };
  for (const name of ['cr0', 'cr3', 'cr4', 'efer'] as const) h.set(name, mode[name]);
  // PDPTEs that a load of CR3 would accept: present, with nothing reserved.
  const pdptes = [0, 1, 2, 3].map((i) => (i === 2 ? 0n : BigInt(((choice.root + i) % PAGES) * 4096) | 1n));
  pdptes.forEach((value, i) => h.set(`pdpte${i}` as 'pdpte0', value));
  h.regs.setSegment(1, 8, 0, 0, 0xffff_ffff, (long ? 0xa09b : 0xc09b) | (choice.cpl << 5));
  h.regs.cpl = choice.cpl;
  h.regs.systemFlags = choice.ac ? 1 << 18 : 0;
  h.regs.translations.flush();
  h.regs.modeChanged();
  return { mode, pdptes };
}

const accesses = ['read', 'write', 'fetch'] as const;

test('translations, faults and flags agree with a model of one stage', () => {
  const h = new Harness({ physicalBits: PHYSICAL_BITS });
  const copy = new Uint8Array(RAM);
  const model = new Model(new DataView(copy.buffer), RAM, PHYSICAL_BITS);
  const seen = { mapped: 0, faults: 0 };
  fc.assert(
    fc.property(fc.integer(), modeArbitrary, fc.array(fc.tuple(linearArbitrary, fc.constantFrom(0, 1, 2)), { minLength: 40, maxLength: 40 }), (seed, choice, list) => {
      fill(h.view, seed, choice.kind === '32');
      copy.set(h.bytes.subarray(0, RAM));
      const { mode, pdptes } = prepare(h, choice);
      const long = choice.kind === '4' || choice.kind === '5';
      for (const [any, access] of list) {
        const linear = long ? any : any & 0xffff_ffffn;
        const expected = model.translate(linear, accesses[access] as 'read', mode, pdptes);
        const actual = h.translate(linear, access as 0);
        expect('pa' in actual ? { pa: BigInt(actual.pa) } : actual).toEqual(expected);
        if ('pa' in actual) seen.mapped++;
        else seen.faults++;
        if ('vector' in actual && actual.vector === 14) {
          const { lo, hi } = h.regs.fault;
          expect((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)).toBe(linear);
        }
      }
      expect(Buffer.compare(h.bytes.subarray(0, RAM), copy)).toBe(0);
    }),
    { numRuns: 120 },
  );
  // Not all of one kind.
  expect(seen.mapped).toBeGreaterThan(200);
  expect(seen.faults).toBeGreaterThan(200);
});

/** Second-stage tables in pages 0 to 3, which the guest cannot reach: what is cached of them stays true. Some entries are odd. `type`: more bits of leaves. */
function second(h: Harness, seed: number, type: bigint): void {
  const next = randomWords(seed);
  h.write64(0, 0x1007n);
  for (let i = 0; i < 512; i++) h.write64(0x1000 + 8 * i, i === 0 || next() % 2 === 0 ? 0x2007n : BigInt(next() & 0xfff) | 0x2000n);
  for (let i = 0; i < 512; i++) h.write64(0x2000 + 8 * i, next() % 4 === 0 ? BigInt(next() & 0xfff) | (BigInt((next() % PAGES) + 1) << 21n) : 0x3007n);
  for (let i = 0; i < 512; i++) {
    const rights = next() % 6 === 0 ? next() & 7 : 7;
    const odd = next() % 40 === 0 ? BigInt(next() & 0xff8) : type;
    h.write64(0x3000 + 8 * i, (BigInt((i % (PAGES - 4)) + 4) << 12n) | BigInt(rights) | odd);
  }
}

test('two stages agree with the model, exit qualifications too', () => {
  const h = new Harness({ physicalBits: PHYSICAL_BITS });
  const copy = new Uint8Array(RAM);
  const model = new Model(new DataView(copy.buffer), RAM, PHYSICAL_BITS);
  const { lp } = h;
  const parts = lp as unknown as { paging: { secondStage: unknown; user: boolean; writable: boolean; noExecute: boolean } };
  const ept = new Ept(h.regs, lp.memory, PHYSICAL_BITS);
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.integer(), modeArbitrary, fc.boolean(), fc.array(fc.tuple(linearArbitrary, fc.constantFrom(0, 1, 2)), { minLength: 40, maxLength: 40 }), (seed, choice, dirty, list) => {
      fill(h.view, seed, choice.kind === '32');
      second(h, seed ^ 0x5555, 0x30n);
      copy.set(h.bytes.subarray(0, RAM));
      const eptp = dirty ? 0x5en : 0x1en;
      const { mode, pdptes } = prepare(h, choice, eptp);
      ept.load(lowWord(eptp), highWord(eptp));
      ept.flush();
      parts.paging.secondStage = ept;
      const long = choice.kind === '4' || choice.kind === '5';
      for (const [any, access] of list) {
        const linear = long ? any : any & 0xffff_ffffn;
        const expected = model.translate(linear, accesses[access] as 'read', mode, pdptes);
        const pa = lp.translate(lowWord(linear), highWord(linear), access as 0, 1, 1);
        const { fault } = h.regs;
        let actual: Outcome;
        if (pa >= 0) actual = { pa: BigInt(pa) };
        else if (fault.kind === 1) actual = { vector: fault.vector, error: fault.errorCode };
        else if (fault.misconfigured) actual = { ept: 'misconfiguration', gpa: BigInt(fault.gpa) };
        else {
          const { user, writable, noExecute } = parts.paging;
          const rights = fault.tableWalk ? 0 : 0x100 | (user ? 0x200 : 0) | (writable ? 0x400 : 0) | (noExecute ? 0x800 : 0);
          actual = { ept: 'violation', gpa: BigInt(fault.gpa), qualification: fault.qualification | 0x80 | rights };
        }
        expect(actual).toEqual(expected);
        const kind = 'pa' in actual ? 'pa' : 'ept' in actual ? actual.ept : 'fault';
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
      }
      expect(Buffer.compare(h.bytes.subarray(0, RAM), copy)).toBe(0);
    }),
    { numRuns: 120 },
  );
  for (const kind of ['pa', 'violation', 'misconfiguration', 'fault']) expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(50);
});

test('nested paging agrees with the model, error codes too', () => {
  const h = new Harness({ physicalBits: PHYSICAL_BITS });
  const copy = new Uint8Array(RAM);
  const model = new Model(new DataView(copy.buffer), RAM, PHYSICAL_BITS);
  const { lp } = h;
  const { paging } = lp as unknown as { paging: { secondStage: unknown } };
  const nested = new NestedPaging(h.regs, lp.memory, PHYSICAL_BITS);
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.integer(), modeArbitrary, fc.array(fc.tuple(linearArbitrary, fc.constantFrom(0, 1, 2)), { minLength: 40, maxLength: 40 }), (seed, choice, list) => {
      fill(h.view, seed, choice.kind === '32');
      second(h, seed ^ 0x5555, 0n);
      // No-execute, and what is reserved, in some.
      const next = randomWords(seed ^ 0x1234);
      for (let i = 0; i < 512; i++) if (next() % 8 === 0) h.write32(0x3004 + 8 * i, next() % 4 === 0 ? 1 << (next() % 32) : 0x8000_0000);
      copy.set(h.bytes.subarray(0, RAM));
      const { mode, pdptes } = prepare(h, choice);
      nested.load(0, 0, true);
      nested.flush();
      paging.secondStage = nested;
      const long = choice.kind === '4' || choice.kind === '5';
      for (const [any, access] of list) {
        const linear = long ? any : any & 0xffff_ffffn;
        const expected = model.translate(linear, accesses[access] as 'read', { ...mode, nCr3: 0n }, pdptes);
        const pa = lp.translate(lowWord(linear), highWord(linear), access as 0, 1, 1);
        const { fault } = h.regs;
        let actual: Outcome;
        if (pa >= 0) actual = { pa: BigInt(pa) };
        else if (fault.kind === 1) actual = { vector: fault.vector, error: fault.errorCode };
        else actual = { npf: BigInt(fault.gpa), error: fault.qualification, walk: fault.tableWalk };
        expect(actual).toEqual(expected);
        const kind = 'pa' in actual ? 'pa' : 'npf' in actual ? 'nested' : 'fault';
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
      }
      expect(Buffer.compare(h.bytes.subarray(0, RAM), copy)).toBe(0);
    }),
    { numRuns: 120 },
  );
  for (const kind of ['pa', 'nested', 'fault']) expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(50);
});
