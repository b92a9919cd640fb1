/** Walks in generated code, beside those of JavaScript: two machines that differ only in whether RAM lies where the former take it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { BareMachine, RAM_BASE } from '../../src/testing/index.ts';
import { key } from '../priv/harness.ts';

const MIB = 1 << 20;
const walking = new BareMachine({ alignment: 2 * MIB });
const asking = new BareMachine({ alignment: 2 * MIB + 0x1_0000 });
const both = [walking, asking] as const;

/** The first 2 MiB of RAM: code, and tables of both stages; behind them data. */
const at = (offset: number): number => RAM_BASE + offset;
const CODE = 0x1000;
const VECTORS = 0x2000;
const [ROOT, LEVEL2, LEVEL3, STAGE2, STAGE2_LEVEL2, STAGE2_LEVEL3] = [0x10_0000, 0x10_1000, 0x10_2000, 0x11_0000, 0x11_1000, 0x11_2000];
const DATA = 0x20_0000;

/** TTBR1 maps the first 2 MiB for code and nothing else of this test is there. */
const KERNEL = 0xffff_ffff_8000_0000n;
const KERNEL_ROOT = 0x12_0000;

/** What is executed, one at a time, on x1 and x2. */
const INSTRUCTIONS = [
  'ldr x0, [x1]', 'ldrb w0, [x1]', 'str x2, [x1]', 'strb w2, [x1]', 'ldtr x0, [x1]', 'sttr x2, [x1]', 'ldp x3, x4, [x1]', 'stp x1, x2, [x1]', 'ldr q0, [x1]', 'str q0, [x1]',
  'ldadd x2, x0, [x1]', 'ldaxr x0, [x1]', 'dc zva, x1', 'dc cvac, x1', 'msr pan, #0', 'msr pan, #1', 'msr uao, #1', 'msr uao, #0', 'tlbi vmalle1', 'isb',
] as const;
/** TLBI by VA takes the number of the page in x5. */
const TLBI = 'tlbi vaae1, x5';
const program = assemble([...INSTRUCTIONS, TLBI, 'msr ttbr0_el1, x5', 'eret'].join('\n'), { base: BigInt(at(CODE)) }).bytes;
const place = (instruction: number): bigint => KERNEL + BigInt(CODE + 4 * instruction);

const write = (machine: BareMachine, offset: number, value: bigint): void => new DataView(machine.ram.buffer, machine.ram.byteOffset).setBigUint64(offset, BigInt.asUintN(64, value), true);
const entry = (table: number, index: number): number => table + 8 * index;
const PAGE = 0x703n;
const BLOCK = 0x701n;
const S2_RAM = 0x7fdn;

/** The registers of both stages, at EL1 with stage 1 on. */
function start(machine: BareMachine, tcr: bigint): void {
  machine.load(program, CODE);
  const { priv } = machine.pe;
  const set = (name: Parameters<typeof key>[0], value: bigint): void => priv.sysRegWrite(key(name), value);
  // Stage 2: 4 GiB from level 1, of which the second is at 0x4000_0000.
  write(machine, entry(STAGE2, 1), BigInt(at(STAGE2_LEVEL2)) | 3n);
  write(machine, entry(STAGE2_LEVEL2, 0), BigInt(at(0)) | S2_RAM);
  write(machine, entry(STAGE2_LEVEL2, 1), BigInt(at(DATA)) | S2_RAM);
  // The same memory again: read-only, Device, without the Access flag, and by pages.
  write(machine, entry(STAGE2_LEVEL2, 2), BigInt(at(DATA)) | (S2_RAM & ~0x80n));
  write(machine, entry(STAGE2_LEVEL2, 3), BigInt(at(DATA)) | (S2_RAM & ~0x3cn));
  write(machine, entry(STAGE2_LEVEL2, 4), BigInt(at(DATA)) | (S2_RAM & ~0x400n));
  write(machine, entry(STAGE2_LEVEL2, 5), BigInt(at(STAGE2_LEVEL3)) | 3n);
  for (let i = 0; i < 4; i++) write(machine, entry(STAGE2_LEVEL3, i), BigInt(at(DATA + 4096 * i)) | S2_RAM | 2n);
  set('VTTBR_EL2', BigInt(at(STAGE2)));
  set('VTCR_EL2', 0x8001_3560n);
  set('HCR_EL2', 0x8000_0001n);
  write(machine, entry(KERNEL_ROOT, 510), BigInt(at(KERNEL_ROOT + 4096)) | 3n);
  write(machine, entry(KERNEL_ROOT + 4096, 0), BigInt(at(0)) | BLOCK);
  write(machine, entry(ROOT, 0), BigInt(at(LEVEL2)) | 3n);
  set('TTBR0_EL1', BigInt(at(ROOT)));
  set('TTBR1_EL1', BigInt(at(KERNEL_ROOT)));
  set('TCR_EL1', tcr);
  // Normal, Device, Normal Non-cacheable
  set('MAIR_EL1', 0x4400ffn);
  set('SCTLR_EL1', 0x30d0_0981n);
  set('CPACR_EL1', 3n << 20n);
  set('VBAR_EL1', KERNEL + BigInt(VECTORS));
  set('SPSR_EL2', 0x3c5n);
  set('ELR_EL2', place(0));
  machine.pe.pc = BigInt(at(CODE + 4 * (INSTRUCTIONS.length + 2)));
  machine.pe.run(1);
}

/** What a step leaves. */
const outcome = (machine: BareMachine): readonly unknown[] => {
  const { pe } = machine;
  return [pe.pc, pe.priv.pstate, ...[0, 1, 2, 3, 4].map((i) => pe.x(i)), pe.v(0), ...(['ESR_EL1', 'FAR_EL1', 'ESR_EL2', 'FAR_EL2', 'HPFAR_EL2'] as const).map((name) => pe.priv.peek(key(name)))];
};

const oneOf = (...values: bigint[]): fc.Arbitrary<bigint> => fc.constantFrom(...values);
/** Mostly the first. */
const mostly = (usual: bigint, ...others: bigint[]): fc.Arbitrary<bigint> => fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: oneOf(...others) });
/** Guest physical addresses of data, by all the ways of stage 2, and of nothing. */
const address = fc.tuple(fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6), fc.nat({ max: 3 })).map(([block, page]) => BigInt(at(block * 2 * MIB + 4096 * page)));
const attributes = fc
  .tuple(mostly(3n, 0n, 1n), mostly(0x400n, 0n), oneOf(0n, 0x40n, 0x80n, 0xc0n), oneOf(0n, 0x800n), mostly(0n, 4n, 8n), mostly(0n, 1n << 51n, 1n << 53n, 1n << 54n, 1n << 40n, 1n << 52n))
  .map((bits) => bits.reduce((all, some) => all | some));
const page = fc.tuple(address, attributes).map(([to, bits]) => to | bits);
const block = fc.tuple(address, attributes).map(([to, bits]) => (to & ~0x1f_ffffn) | (bits & ~2n));
const table = oneOf(0n, 0n, 0n, 0n, 1n << 61n, 1n << 62n, 1n << 60n, 1n << 35n).map((bits) => BigInt(at(LEVEL3)) | 3n | bits);
const change = fc.oneof(
  { weight: 2, arbitrary: fc.record({ table: fc.constant(LEVEL3), i: fc.nat({ max: 3 }), value: page, within: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ table: fc.constant(LEVEL2), i: fc.nat({ max: 2 }), value: fc.oneof(table, block), within: fc.nat({ max: 3 }) }) },
);
const virtual = fc
  .tuple(fc.constantFrom(0, 0, 0, 0, 1, 1, 2), fc.nat({ max: 3 }), fc.constantFrom(0, 8, 0x10, 0x123, 0xff8, 0xffd), mostly(0n, 1n << 56n, 1n << 39n, 1n << 30n))
  .map(([level2, level3, offset, more]) => BigInt(level2 * 2 * MIB + 4096 * level3 + offset) | more);
const step = fc.oneof(
  { weight: 16, arbitrary: fc.record({ instruction: fc.nat({ max: INSTRUCTIONS.length - 1 }), va: virtual }) },
  { weight: 2, arbitrary: fc.record({ change, flush: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ asid: fc.constantFrom(1n, 2n) }) },
);

/** T0SZ = T1SZ = 25, 4 KiB, Inner Shareable; hardware Access flag and dirty state; TBI0; ASIDs of 16 bits. */
const TCR = 0x19n | (0x19n << 16n) | (2n << 30n) | (1n << 36n);
const [HA, HD, TBI0] = [1n << 39n, 1n << 40n, 1n << 37n];

test('what generated code finds in page tables is what is there', () => {
  let refills = { walking: 0, asking: 0 };
  fc.assert(
    fc.property(fc.array(page, { minLength: 4, maxLength: 4 }), table, fc.tuple(block, block), fc.array(step, { minLength: 20, maxLength: 60 }), oneOf(0n, HA, HA | HD, TBI0), (pages, first, large, steps, more) => {
      const before = both.map(({ pe }) => pe.engine.counters.tlb_refills);
      for (const machine of both) {
        start(machine, TCR | more);
        write(machine, entry(LEVEL2, 0), first);
        pages.forEach((value, i) => write(machine, entry(LEVEL3, i), value));
        large.forEach((value, i) => write(machine, entry(LEVEL2, 1 + i), value));
      }
      const execute = (instruction: number, registers: Readonly<Record<number, bigint>>): void => {
        for (const machine of both) {
          const { pe } = machine;
          if (pe.priv.el === 2) {
            // It was left for a fault of stage 2: back to EL1.
            pe.pc = BigInt(at(CODE + 4 * (INSTRUCTIONS.length + 2)));
            pe.run(1);
          }
          for (const [i, value] of Object.entries(registers)) pe.setX(Number(i), value);
          pe.pc = place(instruction);
          pe.run(1);
        }
        expect(outcome(walking)).toEqual(outcome(asking));
      };
      steps.forEach((s, n) => {
        if ('instruction' in s) return execute(s.instruction, { 1: s.va, 2: BigInt(n) * 0x0101_0101n });
        if ('asid' in s) return execute(INSTRUCTIONS.length + 1, { 5: BigInt(at(ROOT)) | (s.asid << 48n) });
        const { table: changed, i: index, value, within } = s.change;
        for (const machine of both) write(machine, entry(changed, index), value);
        // By any address of the block.
        if (s.flush) execute(INSTRUCTIONS.length, { 5: BigInt(changed === LEVEL3 ? index : 512 * index + within) });
        else execute(INSTRUCTIONS.indexOf('tlbi vmalle1'), {});
      });
      expect(Buffer.compare(walking.ram, asking.ram)).toBe(0);
      refills = { walking: refills.walking + walking.pe.engine.counters.tlb_refills - (before[0] as number), asking: refills.asking + asking.pe.engine.counters.tlb_refills - (before[1] as number) };
    }),
    { numRuns: 200 },
  );
  // JavaScript was asked where there is a reason to.
  expect(refills.walking).toBeLessThan(0.8 * refills.asking);
});

test('pieces of a block go with any address of it', () => {
  const execute = (instruction: string, registers: Readonly<Record<number, bigint>>): bigint => {
    const { pe } = walking;
    for (const [i, value] of Object.entries(registers)) pe.setX(Number(i), value);
    pe.pc = place(instruction === TLBI ? INSTRUCTIONS.length : INSTRUCTIONS.indexOf(instruction as (typeof INSTRUCTIONS)[number]));
    pe.run(1);
    return pe.x(0);
  };
  start(walking, TCR);
  write(walking, entry(LEVEL2, 0), BigInt(at(LEVEL3)) | 3n);
  write(walking, entry(LEVEL3, 0), BigInt(at(DATA)) | PAGE);
  write(walking, entry(LEVEL2, 1), BigInt(at(DATA)) | BLOCK);
  write(walking, DATA, 5n);
  write(walking, DATA + 4096, 7n);
  const page = (n: number): bigint => BigInt(2 * MIB + 4096 * n);
  // From here on generated code may find more; but not the first piece of a block.
  expect([execute('ldr x0, [x1]', { 1: 0n }), execute('ldr x0, [x1]', { 1: page(0) }), execute('ldr x0, [x1]', { 1: page(1) })]).toEqual([5n, 5n, 7n]);
  write(walking, entry(LEVEL2, 1), 0n);
  execute(TLBI, { 5: page(3) >> 12n });
  for (const n of [0, 1]) {
    execute('ldr x0, [x1]', { 0: 0n, 1: page(n) });
    expect(walking.pe.priv.peek(key('FAR_EL1'))).toBe(page(n));
  }
});
