/**
 * What the manual says of accesses that abort, where emulators differ. Arm ARM DDI 0487: B2 "Alignment of data accesses" (without FEAT_LSE2);
 * J1 "AArch64.ExclusiveMonitorsPass"; D1 "Definition of a precise exception", by which the destinations of a load of several registers that aborts are
 * UNKNOWN, but the base register and everything else are as they were.
 */
import { describe, expect, it } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { EXCL_VALID, PC, V, X } from '../../src/state.ts';
import { FlatPe } from './flat.ts';

const CODE = { base: 0x2000_0000, size: 0x1000 };
/** Behind it is nothing. */
const DATA = { base: 0x1000_0000, size: 0x1000 };
const END = DATA.base + DATA.size;

/** Instructions that are ordered or exclusive, of each size, on [x1]. */
const ALIGNED: readonly (readonly [instruction: string, size: number])[] = [
  ...['ldar', 'ldapr', 'stlr', 'ldxr', 'ldaxr', 'swp w2,', 'cas w2,'].flatMap((name): [string, number][] => {
    const [mnemonic, first = ''] = name.split(' ');
    const of = (suffix: string, wide: boolean): string => (wide ? `${mnemonic} ${first.replace('w', 'x')} x3, [x1]` : `${mnemonic}${suffix} ${first} w3, [x1]`);
    return [[of('b', false), 1], [of('h', false), 2], [of('', false), 4], [of('', true), 8]];
  }),
  ['stxrb w6, w3, [x1]', 1], ['stlxrh w6, w3, [x1]', 2], ['stxr w6, w3, [x1]', 4], ['stlxr w6, x3, [x1]', 8], ['ldxp w2, w3, [x1]', 8], ['stxp w6, w2, w3, [x1]', 8], ['ldadd x2, x3, [x1]', 8],
];

const LOADS = [
  'ldp x2, x3, [x1], #16', 'ldp q0, q1, [x1], #32', 'ldp d0, d1, [x1, #8]!', 'ldnp x2, x3, [x1]', 'ldr q0, [x1], #16', 'ld1 {v0.16b, v1.16b}, [x1], #32',
  'ld1 {v0.2d, v1.2d, v2.2d, v3.2d}, [x1], #64', 'ld2 {v0.4s, v1.4s}, [x1], #32', 'ld3 {v0.8b, v1.8b, v2.8b}, [x1], #24', 'ld4 {v0.8h, v1.8h, v2.8h, v3.8h}, [x1], #64', 'ld4 {v0.s, v1.s, v2.s, v3.s}[1], [x1], #16',
  'ld2r {v0.2d, v1.2d}, [x1], #16',
] as const;

describe.each(['interpreter', 'translator'] as const)('the %s', (execution) => {
  const pe = new FlatPe([DATA, CODE], execution);
  const execute = (instruction: string, address: number): string => {
    pe.load(CODE.base, assemble(instruction, { base: BigInt(CODE.base) }).bytes);
    pe.word(X + 8, address);
    pe.word(X + 12, 0);
    pe.run(CODE.base, 1);
    return pe.stopped;
  };

  it.each(ALIGNED)('%s is of %d bytes at such an address', (instruction, size) => {
    for (let offset = 0; offset < 16; offset++) expect([offset, execute(instruction, DATA.base + offset)]).toEqual([offset, offset % size === 0 ? '' : 'misaligned']);
  });

  it.each([['stxr w6, w3, [x1]', 4], ['stlxr w6, x3, [x1]', 8], ['stxp w6, x2, x3, [x1]', 16]] as const)('%s that fails checks its alignment first, and takes the abort that it would take', (instruction, size) => {
    pe.word(X + 8 * 6, 7);
    pe.word(EXCL_VALID, 0);
    expect([execute(instruction, DATA.base + 1), pe.read(X + 8 * 6)]).toEqual(['misaligned', 7]);
    expect([execute(instruction, END), pe.read(X + 8 * 6)]).toEqual(['fault', 7]);
    const before = pe.bytes.slice(pe.placeOf(DATA.base), pe.placeOf(DATA.base) + size);
    expect([execute(instruction, DATA.base), pe.read(X + 8 * 6)]).toEqual(['', 1]);
    expect(pe.bytes.slice(pe.placeOf(DATA.base), pe.placeOf(DATA.base) + size)).toEqual(before);
  });

  it.each(LOADS)('%s that aborts leaves all as it was that it does not load', (instruction) => {
    const place = pe.placeOf(END - 8);
    pe.bytes.fill(0x5a, place, place + 8);
    for (let word = 0; word < 32; word++) pe.word(V + 4 * word, 0x1111_0000 + word);
    const base = END - 8 - (instruction.endsWith('!') ? 8 : 0);
    expect([execute(instruction, base), pe.faulting]).toEqual(['fault', [END, 0]]);
    expect([pe.read(X + 8), pe.read(PC)]).toEqual([base, CODE.base]);
    // v4 to v7
    for (let word = 16; word < 32; word++) expect(pe.read(V + 4 * word)).toBe(0x1111_0000 + word);
  });
});
