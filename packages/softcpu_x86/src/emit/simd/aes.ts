/** AES-NI: rounds of FIPS 197 on whole vectors (SDM vol. 2, AESENC and its relatives). Byte `row + 4 column` is the state's. */
import { i32, i32x4, i8x16, v128 } from '@axvisor/softcpu';
import type { Block, Expr, FunctionDefinition, V128 } from '@axvisor/softcpu';
import type { Definition, Definitions } from '../define.ts';
import { simd } from './define.ts';
import { ZERO } from './operands.ts';

/** WebAssembly functions `(state) → state`, forwards and backwards. */
const SUBSTITUTE = ['aesSubstitute', 'aesSubstituteInverse'] as const;
const MIX = ['aesMix', 'aesMixInverse'] as const;

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

/** The substitution (FIPS 197, 5.1.1) and its inverse: inverses in GF(2^8), from the powers of 3, then an affine map. */
function substitutions(): readonly [readonly number[], readonly number[]] {
  const powers: number[] = [1];
  for (let i = 1; i < 255; i++) {
    const last = powers[i - 1] as number;
    powers.push(last ^ (last << 1) ^ (last & 0x80 ? 0x11b : 0));
  }
  const forwards = Array<number>(256).fill(0x63);
  powers.forEach((x, i) => {
    const inverse = powers[(255 - i) % 255] as number;
    forwards[x] = [0, 1, 2, 3, 4].reduce((sum, k) => sum ^ (((inverse << k) | (inverse >> (8 - k))) & 0xff), 0x63);
  });
  const backwards = Array<number>(256).fill(0);
  forwards.forEach((value, x) => (backwards[value] = x));
  return [forwards, backwards];
}

const vector = (bytes: readonly number[]): V128 => v128.const(bytes.reduceRight((all, byte) => (all << 8n) | BigInt(byte), 0n));

/** Sixteen bytes of the table at a time: a shuffle by numbers beyond 15 gives zeroes. */
const substitute = (table: readonly number[]): FunctionDefinition => ({
  params: ['v128'],
  result: 'v128',
  body: (_, state) => range(16)
    .map((i) => i8x16.swizzle(vector(table.slice(16 * i, 16 * i + 16)), v128.xor(state as V128, vector(Array<number>(16).fill(16 * i)))))
    .reduce((all, part) => v128.or(all, part)),
});

/** Bytes times 2 in GF(2^8). */
const doubled = (a: V128): V128 => v128.xor(i8x16.shl(a, i32.const(1)), v128.and(i8x16.shr_s(a, i32.const(7)), vector(Array<number>(16).fill(0x1b))));
/** Columns turned by some rows. */
const turned = (a: V128, rows: number): V128 => i8x16.shuffle(a, a, range(16).map((i) => (i & 12) | ((i + rows) & 3)));

/** MixColumns (5.1.3). Its inverse is the same behind a multiplication by 4x² + 5. */
const mix = (inverse: boolean): FunctionDefinition => ({
  params: ['v128'],
  result: 'v128',
  body: (b: Block, state: Expr) => {
    let a = state as V128;
    if (inverse) a = b.let(v128.xor(a, doubled(b.let(doubled(b.let(v128.xor(a, turned(a, 2))))))));
    const pair = b.let(v128.xor(a, turned(a, 1)));
    // 2 a₀ + 3 a₁ + a₂ + a₃ = 2 (a₀ + a₁) + a₁ + a₂ + a₃
    return v128.xor(doubled(pair), v128.xor(turned(a, 1), turned(pair, 2)));
  },
});

const [forwards, backwards] = substitutions();
/** What the rounds call. */
export const aesFunctions: Readonly<Record<string, FunctionDefinition>> = {
  [SUBSTITUTE[0]]: substitute(forwards), [SUBSTITUTE[1]]: substitute(backwards), [MIX[0]]: mix(false), [MIX[1]]: mix(true),
};

/** ShiftRows (5.1.2): row r comes from r columns further on, or further back. */
const shiftRows = (a: V128, inverse: 0 | 1): V128 =>
  i8x16.shuffle(a, a, range(16).map((i) => (i & 3) | ((i + 4 * (inverse === 1 ? 4 - (i & 3) : i & 3)) & 12)));

const round = (inverse: 0 | 1, last: boolean): Definition =>
  simd((o) => {
    const { e } = o;
    const key = o.get(1);
    const state = e.call(SUBSTITUTE[inverse], 'v128', [shiftRows(o.get(0), inverse)]);
    o.set(0, v128.xor(last ? state : e.call(MIX[inverse], 'v128', [state]), key));
  });

/** Words 1 and 3 substituted, as they are and turned by a byte with the round constant. */
const assistKey: Definition = simd((o) => {
  const state = o.e.call(SUBSTITUTE[0], 'v128', [o.get(1)]);
  const words = i8x16.shuffle(state, state, [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12]);
  o.set(0, v128.xor(words, i32x4.replace_lane(i32x4.replace_lane(ZERO, 1, o.imm), 3, o.imm)));
});

export const aes: Definitions = {
  aesenc: round(0, false), aesenclast: round(0, true), aesdec: round(1, false), aesdeclast: round(1, true),
  aesimc: simd((o) => o.set(0, o.e.call(MIX[1], 'v128', [o.get(1)]))),
  aeskeygenassist: assistKey,
};
