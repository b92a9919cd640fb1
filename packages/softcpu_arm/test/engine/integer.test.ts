import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { disassemble, fieldValue, insns, isAllocated } from '../../src/isa/index.ts';
import type { Insn } from '../../src/isa/index.ts';
import { PC, SP, X } from '../../src/state.ts';
import { FlatPe } from './flat.ts';
import type { Machine } from './reference.ts';
import { execute } from './reference.ts';

const CODE = { base: 0x2000_0000, size: 0x1000 };
const AT = 0x2000_0020;
const machines = { interpreter: new FlatPe([CODE]), translator: new FlatPe([CODE], 'translator') };

const isDataProcessing = ({ class: name }: Insn): boolean =>
  /^(PC-rel|Add\/subtract|Logical|Move wide|Bitfield|Extract|Data-processing|Conditional (compare|select))/.test(name);
const list = insns.filter(isDataProcessing);

const interesting = [0n, 1n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffffffffffffn];
const register = fc.oneof(fc.constantFrom(...interesting), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const state = fc.record({
  x: fc.array(register, { minLength: 32, maxLength: 32 }),
  flags: fc.record({ n: fc.nat(1), z: fc.nat(1), c: fc.nat(1), v: fc.nat(1) }),
});

function put(pe: FlatPe, offset: number, value: bigint): void {
  pe.word(offset, Number(BigInt.asIntN(32, value)));
  pe.word(offset + 4, Number(BigInt.asIntN(32, value >> 32n)));
}
const get = (pe: FlatPe, offset: number): bigint => (BigInt(pe.read(offset + 4) >>> 0) << 32n) | BigInt(pe.read(offset) >>> 0);

function run(pe: FlatPe, word: number, { x, flags }: Pick<Machine, 'x' | 'flags'>): Machine {
  x.forEach((value, i) => put(pe, i === 31 ? SP : X + i * 8, value));
  pe.nzcv = (flags.n << 3) | (flags.z << 2) | (flags.c << 1) | flags.v;
  pe.load(AT, new Uint8Array(Int32Array.of(word).buffer));
  pe.run(AT, 1);
  expect(pe.stopped).toBe('');
  expect(pe.read(PC)).toBe(AT + 4);
  return {
    x: x.map((_, i) => get(pe, i === 31 ? SP : X + i * 8)),
    flags: { n: pe.nzcv >> 3, z: (pe.nzcv >> 2) & 1, c: (pe.nzcv >> 1) & 1, v: pe.nzcv & 1 },
    pc: BigInt(AT),
  };
}

describe('data processing', () => {
  it.each(['interpreter', 'translator'] as const)('does in the %s what the pseudocode says', (execution) => {
    const pe = machines[execution];
    fc.assert(
      fc.property(fc.constantFrom(...list), fc.integer(), state, (insn, noise, { x, flags }) => {
        const word = insn.match | (noise & ~insn.mask);
        fc.pre(isAllocated(insn, word));
        const model: Machine = { x: [...x], flags: { ...flags }, pc: BigInt(AT) };
        expect(execute(model, insn, (name) => (insn.fields[name] === undefined ? 0 : fieldValue(word, insn.fields[name])))).toBe(true);
        expect(run(pe, word, { x, flags }), disassemble(word, BigInt(AT))).toEqual(model);
      }),
      { numRuns: execution === 'interpreter' ? 6000 : 600 },
    );
  });

  it('has a model for every instruction', () => {
    for (const insn of list) expect(execute({ x: Array<bigint>(32).fill(0n), flags: { n: 0, z: 0, c: 0, v: 0 }, pc: 0n }, insn, () => 1), insn.name).toBe(true);
  });
});
