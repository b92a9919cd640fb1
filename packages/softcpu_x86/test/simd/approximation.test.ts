/**
 * RCPPS and RSQRTPS, whose last bits are the processor's choice: results are off by 1.5 * 2^-12 of the exact value at most, and special values are those
 * of this machine's own processor (SDM vol. 2, RCPPS, RSQRTPS).
 */
import { describe, expect, it } from 'vitest';
import { CODE, MXCSR, YMM } from '../../src/state.ts';
import { FlatProcessor } from '../../src/testing/flat.ts';
import { ask, CODE_REGION, DATA_REGION, haveNative } from '../native/oracle.ts';
import { random } from './encode.ts';

const BOUND = 1.5 * 2 ** -12;
const ENCODINGS = { rcpps: 0x53, rsqrtps: 0x52 } as const;
type Name = keyof typeof ENCODINGS;
/** XMM0 from XMM1. */
const codeOf = (name: Name): Uint8Array => Uint8Array.of(0x0f, ENCODINGS[name], 0xc1);

const scratch = new DataView(new ArrayBuffer(4));
const toFloat = (bits: number): number => (scratch.setUint32(0, bits), scratch.getFloat32(0));

/** Zeros, denormals, the smallest and largest numbers, infinities, NaNs; and what has tiny or huge results. */
const SPECIAL = [
  0, 1, 0x7fffff, 0x800000, 0x800001, 0x7f7f_ffff, 0x7f80_0000, 0x7f80_0001, 0x7fc0_0000, 0x7fff_ffff, 0x7e80_0000, 0x7e7f_f400, 0x7f00_0c00, 0x3f80_0000, 0x3f7f_ffff, 0x3f80_0001,
].flatMap((bits) => [bits, (bits | 0x8000_0000) >>> 0]);

function results(p: FlatProcessor, name: Name, inputs: readonly number[]): number[] {
  p.load(CODE_REGION.base, codeOf(name));
  const list: number[] = [];
  for (let i = 0; i < inputs.length; i += 4) {
    const lane = (k: number): bigint => BigInt(inputs[i + k] ?? 0);
    p.put(YMM + 32, lane(0) | (lane(1) << 32n));
    p.put(YMM + 40, lane(2) | (lane(3) << 32n));
    p.run(CODE_REGION.base, 1);
    const [low, high] = [p.get(YMM), p.get(YMM + 8)];
    list.push(...[low, low >> 32n, high, high >> 32n].map((bits) => Number(BigInt.asUintN(32, bits))).slice(0, inputs.length - i));
  }
  return list;
}

const processor = (): FlatProcessor => {
  const p = new FlatProcessor([CODE_REGION, DATA_REGION], 'interpreter', CODE.code64);
  p.word(MXCSR, 0x1f80);
  return p;
};
const isSpecial = (bits: number): boolean => ((bits >>> 23) & 255) === 0 || ((bits >>> 23) & 255) === 255;
const exact = { rcpps: (x: number) => 1 / x, rsqrtps: (x: number) => 1 / Math.sqrt(x) } as const;

describe.each(['rcpps', 'rsqrtps'] as const)('%s', (name) => {
  it('is as exact as the manual says', () => {
    const p = processor();
    const inputs = Array.from({ length: 8000 }, () => random() >>> 0).filter((bits) => !isSpecial(bits) && (name === 'rcpps' || bits < 0x8000_0000));
    const outputs = results(p, name, inputs);
    expect(p.get(MXCSR) & 0xffffn).toBe(0x1f80n);
    const errors = inputs.map((bits, i) => {
      const value = exact[name](toFloat(bits));
      // Tiny results are zero.
      return Math.abs(value) < 2 ** -126 ? Math.abs(toFloat(outputs[i] as number)) : Math.abs(toFloat(outputs[i] as number) / value - 1);
    });
    expect(Math.max(...errors)).toBeLessThanOrEqual(BOUND);
  });

  it.runIf(haveNative)('has the special values of this processor', () => {
    const wanted = SPECIAL.filter((bits) => isSpecial(bits) || (name === 'rsqrtps' && bits >= 0x8000_0000));
    const outputs = results(processor(), name, wanted);
    const cases = wanted.map((bits) => {
      const xmm = new BigUint64Array(32);
      xmm[2] = BigInt(bits);
      return { mode: 64 as const, rip: CODE_REGION.base + 0x100, code: codeOf(name), gpr: new BigUint64Array(16).fill(BigInt(DATA_REGION.base + 0x800)), flags: 2, mxcsr: 0x1f80, xmm, ymm: new BigUint64Array(32) };
    });
    const native = ask(cases).map(({ xmm }) => Number(BigInt.asUintN(32, xmm[0] ?? 0n)));
    expect(outputs.map((bits, i) => `${wanted[i]?.toString(16)}: ${bits.toString(16)}`)).toEqual(native.map((bits, i) => `${wanted[i]?.toString(16)}: ${bits.toString(16)}`));
  });
});
