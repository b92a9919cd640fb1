/** Walks in generated code, beside those of JavaScript: two harts under a hypervisor that differ only in whether RAM lies where the former take it. */
import { CoreExit, PageWrites, wasm } from '@axvisor/softcpu';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Hart, planHart } from '../../src/hart.ts';
import { assemble, csrNumbers } from '../../src/isa/asm.ts';
import { x } from './harness.ts';

const MIB = 1 << 20;
const RAM_BASE = 0x8000_0000;
const RAM_SIZE = 8 * MIB;
/** Of the first 2 MiB: code, and tables of both stages. Behind them lies data, of the guest's second and of all further blocks. */
const at = (offset: number): number => RAM_BASE + offset;
const CODE = 0x1000;
const [ROOT57, ROOT48, ROOT, LEVEL1, LEVEL0, CODE_LEVEL1] = [0x10_0000, 0x10_1000, 0x10_2000, 0x10_3000, 0x10_4000, 0x10_5000];
const [STAGE2, STAGE2_LEVEL1, STAGE2_LEVEL0] = [0x11_0000, 0x11_4000, 0x11_5000];
const DATA = 2 * MIB;
/** Where the code is for supervisors, and behind it for users. */
const TEXT = 0x4000_0000;

const ACCESSES = ['ld a0, 0(a1)', 'lbu a0, 0(a1)', 'sd a2, 0(a1)', 'sb a2, 0(a1)', 'amoadd.d a0, a2, (a1)', 'lr.d a0, (a1)', 'cbo.zero (a1)'] as const;
const FENCES = ['sfence.vma', 'sfence.vma a1', 'sfence.vma x0, a2'] as const;
const INSTRUCTIONS = [...ACCESSES, ...FENCES] as const;
const program = assemble(INSTRUCTIONS.join('\n'), { base: BigInt(TEXT) }).bytes;
const csr = (name: string): number => csrNumbers.get(name) as number;

const V = 1n;
/** A pointer to a table, and a leaf, by their physical addresses. */
const pointer = (to: number): bigint => (BigInt(to) >> 2n) | V;
const leaf = (to: number, bits: bigint): bigint => (BigInt(to) >> 2n) | bits;
const [R, W, X, U, G, A, D] = [2n, 4n, 8n, 16n, 32n, 64n, 128n];
const S2_RAM = V | R | W | X | U | A | D;

class Guest {
  readonly hart: Hart;
  readonly ram: Uint8Array;
  readonly #view: DataView;

  /** @param alignment - of RAM in linear memory. */
  constructor(alignment: number, writes?: PageWrites) {
    const bytes = 32 * MIB;
    const limits = { min: bytes >> 16, max: bytes >> 16, shared: true };
    const memory = new wasm.Memory({ initial: limits.min, maximum: limits.max, shared: true });
    const plan = planHart(0x1000, bytes, 16);
    const offset = Math.ceil(plan.end / (2 * MIB)) * 2 * MIB + (alignment % (2 * MIB));
    const ram = [{ pa: RAM_BASE, size: RAM_SIZE, offset }];
    this.hart = new Hart({ memory, memoryLimits: limits, plan, ram, now: () => 0n, hosted: true, ...(writes === undefined ? {} : { shared: writes, poll: () => this.hart.engine.closeIfAsked() }) });
    this.ram = new Uint8Array(memory.buffer, offset, RAM_SIZE);
    this.#view = new DataView(memory.buffer, offset, RAM_SIZE);
  }

  csr(name: string): bigint {
    return this.hart.priv.csrRead(csr(name));
  }

  set(name: string, value: bigint): void {
    this.hart.priv.csrWrite(csr(name), value);
  }

  /** Sets entry `i` of a table. */
  entry(table: number, i: number, value: bigint): void {
    this.#view.setBigUint64(table + 8 * i, BigInt.asUintN(64, value), true);
  }

  /** Both stages, with first tables for any number of levels. */
  start(levels: number, adue: boolean): void {
    this.ram.fill(0);
    this.ram.set(program, CODE);
    this.hart.clear();
    this.entry(STAGE2, 2, pointer(at(STAGE2_LEVEL1)));
    // All the RAM of the guest beyond the first block is one, by all the ways of the second stage: as it is, read-only, clean, in pages.
    this.entry(STAGE2_LEVEL1, 0, leaf(at(0), S2_RAM));
    [S2_RAM, S2_RAM & ~W, S2_RAM & ~(A | D)].forEach((bits, i) => this.entry(STAGE2_LEVEL1, 1 + i, leaf(at(DATA), bits)));
    this.entry(STAGE2_LEVEL1, 4, pointer(at(STAGE2_LEVEL0)));
    for (let i = 0; i < 4; i++) this.entry(STAGE2_LEVEL0, i, leaf(at(DATA + 4096 * i), S2_RAM));
    // The same at both ends of the addresses.
    for (const i of [0, 256]) {
      this.entry(ROOT57, i, pointer(at(ROOT48)));
      this.entry(ROOT48, i, pointer(at(ROOT)));
      this.entry(ROOT, i, pointer(at(LEVEL1)));
    }
    this.entry(ROOT, 1, pointer(at(CODE_LEVEL1)));
    this.entry(CODE_LEVEL1, 0, leaf(at(0), V | R | X | A));
    this.entry(CODE_LEVEL1, 1, leaf(at(0), V | R | X | A | U));
    this.set('hgatp', (8n << 60n) | BigInt(at(STAGE2) >>> 12));
    this.root(levels, 1n);
    this.set('henvcfg', (adue ? 1n << 61n : 0n) | 0xf0n);
    this.set('senvcfg', 0xf0n);
    this.set('hedeleg', 0n);
  }

  root(levels: number, asid: bigint): void {
    const root = levels === 3 ? ROOT : levels === 4 ? ROOT48 : ROOT57;
    this.set('vsatp', (BigInt(levels + 5) << 60n) | (asid << 44n) | BigInt(at(root) >>> 12));
  }

  /** Executes one instruction. */
  step(instruction: number, { user, status, va, value }: { user: boolean; status: bigint; va: bigint; value: bigint }): readonly unknown[] {
    const { hart } = this;
    hart.setReg(x.a1, BigInt.asUintN(64, va));
    hart.setReg(x.a2, value);
    this.set('vsstatus', status);
    this.set('sepc', BigInt(TEXT + (user ? 2 * MIB : 0) + CODE + 4 * instruction));
    this.set('hstatus', 1n << 7n);
    this.set('sstatus', user ? 0n : 1n << 8n);
    hart.priv.enterGuest();
    const exit = hart.run(1);
    const outcome = [exit, hart.pc, hart.reg(x.a0), ...['scause', 'stval', 'htval', 'htinst', 'sepc'].map((name) => this.csr(name))];
    if (exit !== CoreExit.exited) this.leave();
    return outcome;
  }

  /** Makes the guest leave: there is nothing at address 0. */
  leave(): void {
    this.hart.pc = 1n << 37n;
    this.hart.run(1);
  }
}

const oneOf = (...values: bigint[]): fc.Arbitrary<bigint> => fc.constantFrom(...values);
/** Mostly the first. */
const mostly = (usual: bigint, ...others: bigint[]): fc.Arbitrary<bigint> => fc.oneof({ weight: 14, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: oneOf(...others) });
const blocks = fc.constantFrom(1, 1, 1, 1, 1, 1, 2, 3, 4, 5);
const bits = fc
  .tuple(mostly(V | R, V, V | X, 0n, R, V | R | X), mostly(W, 0n), oneOf(0n, U), oneOf(0n, G), mostly(A, 0n), mostly(D, 0n), mostly(0n, 1n << 54n, 1n << 61n, 1n << 62n, 1n << 63n, 1n << 30n, 1n << 53n))
  .map((all) => all.reduce((sum, some) => sum | some));
const pageEntry = fc.tuple(blocks, fc.nat({ max: 3 }), bits).map(([block, i, more]) => leaf(at(block * 2 * MIB + 4096 * i), more));
const megapage = fc.tuple(blocks, bits, mostly(0n, 1n << 12n)).map(([block, more, misaligned]) => leaf(at(block * 2 * MIB), more) | misaligned);
const table = mostly(pointer(at(LEVEL0)), pointer(at(LEVEL0)) | A, pointer(at(LEVEL0)) | G, pointer(at(LEVEL0)) | (1n << 54n), leaf(at(LEVEL0), V | U));
const gigapage = bits.map((more) => leaf(RAM_BASE, more));
const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ table: fc.constant(LEVEL0), i: fc.nat({ max: 3 }), value: pageEntry }) },
  { weight: 3, arbitrary: fc.record({ table: fc.constant(LEVEL1), i: fc.nat({ max: 2 }), value: fc.oneof(table, megapage) }) },
  { weight: 1, arbitrary: fc.record({ table: fc.constant(ROOT), i: fc.constant(2), value: gigapage }) },
);
const virtual = fc.oneof(
  fc.tuple(fc.constantFrom(0, 0, 0, 1, 2), fc.nat({ max: 3 })).map(([megabytes, i]) => BigInt(megabytes * 2 * MIB + 4096 * i)),
  fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 3 })).map(([block, i]) => BigInt(at(block * 2 * MIB + 4096 * i))),
);
const address = fc.tuple(virtual, fc.constantFrom(0, 8, 0x10, 0x123, 0xff8, 0xffd), mostly(0n, 1n << 38n, 1n << 47n, 1n << 56n, 1n << 63n, -1n << 38n, -1n << 47n, -1n << 56n)).map(([va, offset, more]) => va + BigInt(offset) + more);
const [SUM, MXR] = [1n << 18n, 1n << 19n];
const step = fc.oneof(
  { weight: 20, arbitrary: fc.record({ instruction: fc.nat({ max: ACCESSES.length - 1 }), va: address, user: fc.boolean(), status: oneOf(0n, 0n, SUM, SUM, SUM | MXR) }) },
  { weight: 3, arbitrary: fc.record({ change, within: fc.nat({ max: 3 }) }) },
  { weight: 1, arbitrary: fc.constant({ instruction: INSTRUCTIONS.indexOf('sfence.vma'), va: 0n, user: false, status: 0n }) },
  { weight: 1, arbitrary: fc.record({ asid: oneOf(1n, 2n) }) },
  { weight: 1, arbitrary: fc.record({ swap: fc.nat({ max: 1 }) }) },
);

test('what generated code finds in page tables is what is there', () => {
  const walking = new Guest(0);
  const asking = new Guest(0x1_0000);
  const both = [walking, asking] as const;
  const refills = { walking: 0, asking: 0 };
  fc.assert(
    fc.property(fc.constantFrom(3, 4, 5), fc.boolean(), fc.array(pageEntry, { minLength: 4, maxLength: 4 }), table, fc.tuple(megapage, megapage, gigapage), fc.array(step, { minLength: 60, maxLength: 120 }), (levels, adue, pages, first, large, steps) => {
      const before = both.map(({ hart }) => hart.engine.counters.tlb_refills);
      for (const guest of both) {
        guest.start(levels, adue);
        pages.forEach((value, i) => guest.entry(LEVEL0, i, value));
        [first, large[0], large[1]].forEach((value, i) => guest.entry(LEVEL1, i, value));
        guest.entry(ROOT, 2, large[2]);
      }
      const execute = (instruction: number, va: bigint, user: boolean, status: bigint, value: bigint): void => {
        const [found, wanted] = both.map((guest) => guest.step(instruction, { user, status, va, value }));
        expect(found).toEqual(wanted);
      };
      steps.forEach((s, n) => {
        if ('instruction' in s) return execute(s.instruction, s.va, s.user, s.status, BigInt(n) * 0x0101_0101n);
        if ('asid' in s) return both.forEach((guest) => guest.root(levels, s.asid));
        if ('swap' in s) {
          // The data is other memory from now on.
          for (const guest of both) {
            guest.entry(STAGE2_LEVEL1, 1, leaf(at(DATA + 2 * MIB * s.swap), S2_RAM));
            guest.hart.priv.hfenceGvma();
          }
          return;
        }
        const { table: changed, i, value } = s.change;
        for (const guest of both) guest.entry(changed, i, value);
        // By any address of the page.
        const va = changed === ROOT ? BigInt(at(4096 * s.within)) : changed === LEVEL1 ? BigInt(2 * MIB * i + 4096 * s.within) : BigInt(4096 * i);
        execute(INSTRUCTIONS.indexOf(changed === LEVEL1 && i === 0 ? 'sfence.vma' : 'sfence.vma a1'), va, false, 0n, 0n);
      });
      expect(Buffer.compare(walking.ram, asking.ram)).toBe(0);
      refills.walking += walking.hart.engine.counters.tlb_refills - (before[0] as number);
      refills.asking += asking.hart.engine.counters.tlb_refills - (before[1] as number);
    }),
    { numRuns: 150 },
  );
  // JavaScript was asked where there is a reason to.
  expect(refills.walking).toBeLessThan(0.9 * refills.asking);
});

/** What a load of supervisors finds, undefined where it faults. */
function load(guest: Guest, va: number): bigint | undefined {
  const [exit, , found] = guest.step(INSTRUCTIONS.indexOf('ld a0, 0(a1)'), { user: false, status: 0n, va: BigInt(va), value: 0n });
  return exit === CoreExit.exited ? undefined : (found as bigint);
}

/** Data by pages and by superpages, each with its number in it. */
function numbered(): Guest {
  const guest = new Guest(0);
  guest.start(3, true);
  for (let i = 0; i < 8; i++) guest.entry(DATA + 4096 * i, 0, BigInt(i));
  guest.entry(LEVEL1, 0, pointer(at(LEVEL0)));
  guest.entry(LEVEL1, 1, leaf(at(DATA), V | R | A));
  guest.entry(ROOT, 2, leaf(RAM_BASE, V | R | A));
  for (let i = 0; i < 8; i++) guest.entry(LEVEL0, i, leaf(at(DATA + 4096 * i), V | R | A | (i < 4 ? G : 0n)));
  return guest;
}
const page = (i: number): number => 4096 * i;

test('pieces of a superpage go with any address of it', () => {
  const guest = numbered();
  for (const [table, i, base] of [[LEVEL1, 1, 2 * MIB], [ROOT, 2, RAM_BASE + DATA]] as const) {
    const before = guest.hart.engine.counters.tlb_refills;
    expect([0, 1, 2].map((n) => load(guest, base + page(n)))).toEqual([0n, 1n, 2n]);
    // JavaScript finds the second stage at most.
    expect(guest.hart.engine.counters.tlb_refills - before).toBeLessThan(2);
    guest.entry(table, i, 0n);
    guest.step(INSTRUCTIONS.indexOf('sfence.vma a1'), { user: false, status: 0n, va: BigInt(base + page(5)), value: 0n });
    expect([0, 1, 2].map((n) => load(guest, base + page(n)))).toEqual([undefined, undefined, undefined]);
  }
});

test('what is global stays with its address space, nothing else does', () => {
  const guest = numbered();
  expect([1, 2, 5, 6].map((n) => load(guest, page(n)))).toEqual([1n, 2n, 5n, 6n]);
  guest.entry(LEVEL1, 0, 0n);
  guest.root(3, 2n);
  expect([1, 5].map((n) => load(guest, page(n)))).toEqual([1n, undefined]);
  guest.root(3, 1n);
  expect([2, 6].map((n) => load(guest, page(n)))).toEqual([2n, 6n]);
  guest.step(INSTRUCTIONS.indexOf('sfence.vma x0, a2'), { user: false, status: 0n, va: 0n, value: 1n });
  expect([2, 6].map((n) => load(guest, page(n)))).toEqual([2n, undefined]);
});

test('who shares memory says once that it is able to write to a page', () => {
  const writes = new PageWrites(new SharedArrayBuffer(PageWrites.bytes(32 * MIB)));
  const guest = new Guest(0, writes);
  guest.start(3, true);
  guest.entry(LEVEL1, 0, pointer(at(LEVEL0)));
  for (let i = 0; i < 4; i++) guest.entry(LEVEL0, i, leaf(at(DATA + 4096 * i), V | R | W | A | D));
  const refills = (instruction: (typeof INSTRUCTIONS)[number], page: number): number => {
    const { counters } = guest.hart.engine;
    const before = counters.tlb_refills;
    guest.step(INSTRUCTIONS.indexOf(instruction), { user: false, status: 0n, va: BigInt(4096 * page), value: 0n });
    return counters.tlb_refills - before;
  };
  const writer = (page: number): number => {
    const number = (guest.ram.byteOffset + DATA + 4096 * page) >>> 12;
    return writes.byOthers(number, 1);
  };
  // JavaScript finds the second stage.
  refills('ld a0, 0(a1)', 0);
  expect([refills('ld a0, 0(a1)', 1), writer(1)]).toEqual([0, 0]);
  expect([refills('sd a2, 0(a1)', 1), writer(1)]).toEqual([1, 1]);
  refills('sfence.vma', 0);
  expect([refills('sd a2, 0(a1)', 1), writer(1)]).toEqual([0, 1]);
  writes.askToClose(1);
  expect([refills('ld a0, 0(a1)', 1), writer(1)]).toEqual([0, 0]);
  expect([refills('sd a2, 0(a1)', 1), writer(1)]).toEqual([1, 1]);
});
