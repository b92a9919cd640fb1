/** Every integer instruction, executed by the interpreter, against the reference in bigint. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encode } from '../../src/isa/encode.ts';
import { formats } from '../../src/isa/formats.ts';
import { insns, op } from '../../src/isa/table.ts';
import type { InsnName } from '../../src/isa/table.ts';
import { BareMachine, RAM_BASE } from '../../src/testing/index.ts';
import { amoReference, branchReference, reference, s64, u64 } from './reference.ts';

const machine = new BareMachine({ ramBytes: 1 << 20, poolPages: 16 });
const { hart } = machine;
const view = new DataView(machine.ram.buffer, machine.ram.byteOffset);
const base = BigInt(RAM_BASE);

/** Values at which instructions change their behaviour. */
const edges = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 31n, -(2n ** 31n), 2n ** 31n - 1n, 2n ** 32n - 1n, 63n, 64n, 31n, 32n, 0x80n, 0x8000n];
const word = fc.oneof(fc.constantFrom(...edges), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -300n, max: 300n }));
const register = fc.integer({ min: 0, max: 31 });

/** Executes one instruction at `offset` in RAM. */
function step(bits: number, offset = 0): void {
  view.setInt32(offset, bits, true);
  hart.invalidatePhys(RAM_BASE + offset, 4);
  hart.pc = base + BigInt(offset);
  hart.run(1);
}

const names = insns.map(({ name }) => name);
const computed = names.filter((name) => reference[name] !== undefined);

test('the reference knows every integer instruction that only computes', () => {
  const others = new Set(['auipc', 'jal', 'jalr', ...Object.keys(branchReference), 'fence', 'ecall', 'ebreak']);
  const integer = insns.filter(({ ext, format }) => ['I', 'M', 'Zba', 'Zbb', 'Zbc', 'Zbs'].includes(ext) && format !== 'store' && !(format === 'load' && ext === 'I'));
  expect(integer.map(({ name }) => name).filter((name) => !others.has(name) && reference[name] === undefined)).toEqual([]);
});

describe('computation', () => {
  test.each(computed)('%s', (name) => {
    const { format } = insns[op[name]] as (typeof insns)[number];
    const { imm: layout } = formats[format];
    const operands = fc.record({ rd: register, rs1: register, rs2: register, a: word, b: word, raw: fc.integer() });
    fc.assert(
      fc.property(operands, ({ rd, rs1, rs2, a, b, raw }) => {
        const imm = layout === 'I' ? (raw << 20) >> 20 : layout === 'U' ? raw & ~0xfff : layout === 'shamt5' ? raw & 31 : raw & 63;
        hart.setReg(rs1, a);
        hart.setReg(rs2, b);
        const first = s64(hart.reg(rs1));
        const second = layout === undefined ? s64(hart.reg(rs2)) : BigInt(imm);
        const before = Array.from({ length: 32 }, (_, i) => hart.reg(i));
        step(encode(op[name], { rd, rs1, rs2, imm }));
        const expected = rd === 0 ? 0n : u64((reference[name] as (a: bigint, b: bigint) => bigint)(first, second));
        expect(hart.reg(rd)).toBe(expected);
        before[rd] = expected;
        expect(Array.from({ length: 32 }, (_, i) => hart.reg(i))).toEqual(before);
        expect(hart.pc).toBe(base + 4n);
      }),
      { numRuns: 150 },
    );
  });
});

describe('control transfer', () => {
  test.each(Object.keys(branchReference) as InsnName[])('%s, near and far', (name) => {
    const operands = fc.record({ a: word, b: fc.option(word), imm: fc.integer({ min: -2048, max: 2047 }), offset: fc.nat({ max: 4090 / 2 }) });
    fc.assert(
      fc.property(operands, ({ a, b, imm, offset }) => {
        hart.setReg(5, a);
        hart.setReg(6, b ?? a);
        const at = 0x4000 + offset * 2;
        step(encode(op[name], { rs1: 5, rs2: 6, imm: imm * 2 }), at);
        const taken = (branchReference[name] as (a: bigint, b: bigint) => boolean)(s64(hart.reg(5)), s64(hart.reg(6)));
        expect(hart.pc).toBe(base + BigInt(at + (taken ? imm * 2 : 4)));
      }),
      { numRuns: 150 },
    );
  });

  test('auipc, jal and jalr', () => {
    const operands = fc.record({ rd: register, rs1: register, a: word, imm: fc.integer(), offset: fc.nat({ max: 8190 / 2 }) });
    fc.assert(
      fc.property(operands, ({ rd, rs1, a, imm, offset }) => {
        const at = 0x4000 + offset * 2;
        const pc = base + BigInt(at);
        const link = (value: bigint): void => expect(hart.reg(rd)).toBe(rd === 0 ? 0n : u64(value));
        step(encode(op.auipc, { rd, imm: imm & ~0xfff }), at);
        link(pc + BigInt(imm & ~0xfff));
        const distance = (imm << 11) >> 11 & ~1;
        step(encode(op.jal, { rd, imm: distance }), at);
        link(pc + 4n);
        expect(hart.pc).toBe(u64(pc + BigInt(distance)));
        hart.setReg(rs1, a);
        const target = u64((hart.reg(rs1) + BigInt((imm << 20) >> 20)) & -2n);
        step(encode(op.jalr, { rd, rs1, imm: (imm << 20) >> 20 }), at);
        expect(hart.pc).toBe(target);
        link(pc + 4n);
      }),
      { numRuns: 300 },
    );
  });
});

describe('memory', () => {
  const DATA = 0x8000;
  const widths: Readonly<Record<string, readonly [number, boolean]>> = {
    lb: [1, true], lbu: [1, false], lh: [2, true], lhu: [2, false], lw: [4, true], lwu: [4, false], ld: [8, true],
    sb: [1, true], sh: [2, true], sw: [4, true], sd: [8, true],
  };
  test.each(Object.entries(widths))('%s, aligned or not, within a page or across', (name, [size, signed]) => {
    const operands = fc.record({
      at: fc.oneof(fc.integer({ min: DATA + 4096 - 9, max: DATA + 4096 + 9 }), fc.integer({ min: DATA, max: DATA + 8184 })),
      imm: fc.integer({ min: -2048, max: 2047 }),
      value: word,
      memory: fc.uint8Array({ minLength: 24, maxLength: 24 }),
    });
    fc.assert(
      fc.property(operands, ({ at, imm, value, memory }) => {
        machine.ram.set(memory, at - 8);
        hart.setReg(6, base + BigInt(at - imm));
        hart.setReg(7, value);
        const bits = encode(op[name as InsnName], { rd: 5, rs1: 6, rs2: 7, imm });
        step(bits);
        const expected = Uint8Array.from(memory);
        if (name.startsWith('s')) new DataView(expected.buffer).setBigUint64(8, (view.getBigUint64(at, true) & ~((1n << BigInt(8 * size)) - 1n)) | BigInt.asUintN(8 * size, value), true);
        else {
          const raw = BigInt.asUintN(8 * size, view.getBigUint64(at, true));
          expect(hart.reg(5)).toBe(signed ? u64(BigInt.asIntN(8 * size, raw)) : raw);
        }
        expect(machine.ram.slice(at - 8, at + 16)).toEqual(expected);
        expect(hart.pc).toBe(base + 4n);
      }),
      { numRuns: 200 },
    );
  });

  test.each(names.filter((name) => name.startsWith('amo')))('%s', (name) => {
    const [kind, width] = name.split('.') as [string, 'w' | 'd'];
    const size = width === 'w' ? 32 : 64;
    fc.assert(
      fc.property(word, word, fc.nat({ max: 100 }), (old, operand, slot) => {
        const at = DATA + slot * 8;
        view.setBigInt64(at, old, true);
        hart.setReg(6, base + BigInt(at));
        hart.setReg(7, operand);
        step(encode(op[name], { rd: 5, rs1: 6, rs2: 7 }));
        expect(hart.reg(5)).toBe(u64(BigInt.asIntN(size, old)));
        const stored = (amoReference[kind] as (a: bigint, b: bigint) => bigint)(BigInt.asIntN(size, old), BigInt.asIntN(size, operand));
        expect(view.getBigUint64(at, true)).toBe(size === 64 ? u64(stored) : (u64(old) & ~0xffff_ffffn) | BigInt.asUintN(32, stored));
      }),
      { numRuns: 100 },
    );
  });

  test.each([['w', 32], ['d', 64]] as const)('lr.%s and sc', (width, size) => {
    const sc = (at: number): bigint => {
      hart.setReg(6, base + BigInt(at));
      hart.setReg(7, 0x1_2345_6789n);
      step(encode(op[`sc.${width}`], { rd: 5, rs1: 6, rs2: 7 }));
      return hart.reg(5);
    };
    const lr = (at: number): bigint => {
      hart.setReg(6, base + BigInt(at));
      step(encode(op[`lr.${width}`], { rd: 5, rs1: 6 }));
      return hart.reg(5);
    };
    view.setBigInt64(DATA, -5n, true);
    expect(lr(DATA)).toBe(u64(-5n));
    expect(sc(DATA)).toBe(0n);
    expect(view.getBigUint64(DATA, true)).toBe(size === 64 ? 0x1_2345_6789n : 0xffff_ffff_2345_6789n);
    expect(sc(DATA), 'the reservation is used up').toBe(1n);
    lr(DATA);
    expect(sc(DATA + 8), 'another address').toBe(1n);
    lr(DATA);
    view.setInt32(DATA, 77, true);
    expect(sc(DATA), 'memory has changed').toBe(1n);
    expect(view.getInt32(DATA, true)).toBe(77);
  });
});
