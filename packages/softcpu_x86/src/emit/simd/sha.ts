/** SHA extensions: rounds and message schedules of SHA-1 and SHA-256 (SDM vol. 2; FIPS 180-4). Words are named from the highest lane down. */
import { i32, i32x4, v128 } from '@axvisor/softcpu';
import type { Emitter, I32, V128 } from '@axvisor/softcpu';
import type { Definition, Definitions } from '../define.ts';
import { simd } from './define.ts';
import type { SimdOperands } from './operands.ts';

type Words = readonly [I32, I32, I32, I32];

/** Lanes 3 to 0. */
const words = (e: Emitter, value: V128): Words => [3, 2, 1, 0].map((n) => e.let(i32x4.extract_lane(value, n))) as unknown as Words;
const vector = ([a, b, c, d]: Words): V128 => [d, c, b, a].reduce((all, word, n) => i32x4.replace_lane(all, n, word), v128.const(0n));

const rotateLeft = (value: I32, by: number): I32 => i32.rotl(value, i32.const(by));
const sum = (...values: readonly I32[]): I32 => values.reduce((a, b) => i32.add(a, b));
const xor = (...values: readonly I32[]): I32 => values.reduce((a, b) => i32.xor(a, b));
const choose = (x: I32, y: I32, z: I32): I32 => i32.xor(z, i32.and(x, i32.xor(y, z)));
const majority = (x: I32, y: I32, z: I32): I32 => i32.or(i32.and(x, y), i32.and(z, i32.or(x, y)));
/** Σ: three rotations to the right. */
const rotations = (x: I32, ...by: readonly number[]): I32 => xor(...by.map((n) => i32.rotr(x, i32.const(n))));
/** σ: two rotations and a shift. */
const spread = (x: I32, first: number, second: number, shift: number): I32 => xor(rotations(x, first, second), i32.shr_u(x, i32.const(shift)));

const FUNCTIONS: readonly ((b: I32, c: I32, d: I32) => I32)[] = [choose, xor, majority, xor];
const CONSTANTS = [0x5a82_7999, 0x6ed9_eba1, 0x8f1b_bcdc, 0xca62_c1d6] as const;

/** Four rounds, of the function that the immediate names. */
function fourRounds(o: SimdOperands): void {
  const { e } = o;
  const message = words(e, o.get(1));
  const before = words(e, o.get(0));
  const after = before.map((word) => e.variable(word));
  const which = e.let(i32.and(o.imm, i32.const(3)));
  FUNCTIONS.forEach((f, n) => {
    e.if(i32.eq(which, i32.const(n)), () => {
      let [a, b, c, d] = before;
      // The first word of the message has the fifth variable in it already.
      let last = i32.const(0);
      for (const word of message) {
        const next = e.let(sum(f(b, c, d), rotateLeft(a, 5), word, last, i32.const(CONSTANTS[n] as number)));
        last = d;
        d = c;
        c = e.let(rotateLeft(b, 30));
        b = a;
        a = next;
      }
      [a, b, c, d].forEach((word, i) => e.assign(after[i] as (typeof after)[number], word));
    });
  });
  o.set(0, vector(after.map(({ get }) => get) as unknown as Words));
}

/** Two rounds: the first operand has C D G H, the second A B E F, XMM0 the message with its constants added. */
function twoRounds(o: SimdOperands): void {
  const { e } = o;
  let [a, b, x, f] = words(e, o.get(1));
  let [c, d, g, h] = words(e, o.get(0));
  const [, , second, first] = words(e, o.get(2));
  for (const word of [first, second]) {
    const chosen = e.let(sum(choose(x, f, g), rotations(x, 6, 11, 25), word, h));
    const next = e.let(sum(chosen, majority(a, b, c), rotations(a, 2, 13, 22)));
    [h, g, f, x] = [g, f, x, e.let(i32.add(chosen, d))];
    [d, c, b, a] = [c, b, a, next];
  }
  o.set(0, vector([a, b, x, f]));
}

/** Words from those of both operands. */
const schedule = (f: (first: Words, second: Words, e: Emitter) => Words): Definition =>
  simd((o) => {
    const second = words(o.e, o.get(1));
    o.set(0, vector(f(words(o.e, o.get(0)), second, o.e)));
  });

export const sha: Definitions = {
  sha1rnds4: simd(fourRounds),
  sha1nexte: schedule(([e], [a, b, c, d]) => [i32.add(a, rotateLeft(e, 30)), b, c, d]),
  sha1msg1: schedule(([w0, w1, w2, w3], [w4, w5]) => [i32.xor(w2, w0), i32.xor(w3, w1), i32.xor(w4, w2), i32.xor(w5, w3)]),
  sha1msg2: schedule(([m0, m1, m2, m3], [, w13, w14, w15], e) => {
    const w16 = e.let(rotateLeft(i32.xor(m0, w13), 1));
    return [w16, rotateLeft(i32.xor(m1, w14), 1), rotateLeft(i32.xor(m2, w15), 1), rotateLeft(i32.xor(m3, w16), 1)];
  }),
  sha256rnds2: simd(twoRounds),
  sha256msg1: schedule(([w3, w2, w1, w0], [, , , w4]) => {
    const next = (word: I32, later: I32): I32 => i32.add(word, spread(later, 7, 18, 3));
    return [next(w3, w4), next(w2, w3), next(w1, w2), next(w0, w1)];
  }),
  sha256msg2: schedule(([m3, m2, m1, m0], [w15, w14], e) => {
    const next = (word: I32, earlier: I32): I32 => e.let(i32.add(word, spread(earlier, 17, 19, 10)));
    const w16 = next(m0, w14);
    const w17 = next(m1, w15);
    return [next(m3, w17), next(m2, w16), w17, w16];
  }),
};
