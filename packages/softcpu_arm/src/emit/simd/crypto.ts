/** AES, SHA1 and SHA256 (Arm ARM, C7.2 and shared/functions/crypto; FIPS 197 and 180-4). */
import { i32, i32x4, i8x16, v128 } from '@axvisor/softcpu';
import type { Block, Emitter, Expr, FunctionDefinition, I32, V128 } from '@axvisor/softcpu';
import { vector } from '../define.ts';
import type { Definition, Definitions, RecordLayout } from '../define.ts';
import { inverseSbox, sbox } from '../aes.ts';
import { guarded } from './lanes.ts';
import { ZERO, read, write } from './vector.ts';

// ── AES ──

/** Where each byte comes from in ShiftRows: column c, row r from column c + r. */
const SHIFT_ROWS = Array.from({ length: 16 }, (_, i) => (i + 4 * (i & 3)) & 15);
const INVERSE_SHIFT_ROWS = Array.from({ length: 16 }, (_, i) => (i - 4 * (i & 3)) & 15);

const bytes = (values: Uint8Array): V128 => v128.const(values.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n));
const all = (byte: number): V128 => i8x16.splat(i32.const(byte));
/** Bytes moved up by n in their column. */
const rotated = (x: V128, n: number): V128 => i8x16.shuffle(x, x, Array.from({ length: 16 }, (_, i) => (i & 12) | ((i + n) & 3)));

/** Sixteen bytes replaced by a box: sixteen of its entries at a time, for bytes that are among them; others give 0. */
function substituted(b: Block, state: V128, box: Uint8Array): V128 {
  let result: V128 = ZERO;
  for (let from = 0; from < 256; from += 16) result = b.let(v128.or(result, i8x16.swizzle(bytes(box.subarray(from, from + 16)), i8x16.sub(state, all(from)))));
  return result;
}
const round =
  (box: Uint8Array, rows: readonly number[]): Body =>
  (b, d, n) => {
    const state = b.let(v128.xor(d, n));
    return substituted(b, b.let(i8x16.shuffle(state, state, rows)), box);
  };

/** Products with x in GF(2^8). */
function doubled(b: Block, x: V128): V128 {
  const bound = b.let(x);
  return b.let(v128.xor(i8x16.shl(bound, i32.const(1)), v128.and(i8x16.shr_s(bound, i32.const(7)), all(0x1b))));
}
/** Each byte times 2, its neighbours in the column times 3, 1 and 1. */
function mixed(b: Block, s: V128): V128 {
  const next = b.let(rotated(s, 1));
  return v128.xor(doubled(b, v128.xor(s, next)), v128.xor(next, v128.xor(rotated(s, 2), rotated(s, 3))));
}
/** 14, 11, 13 and 9: what is mixed as above has five times each byte and four times the opposite one. */
const unmixed: Body = (b, _, n) => {
  const opposite = b.let(v128.xor(n, rotated(n, 2)));
  return mixed(b, b.let(v128.xor(n, doubled(b, doubled(b, opposite)))));
};

// ── SHA ──

type Four = readonly [I32, I32, I32, I32];
const words = (b: Block, x: V128): Four => [0, 1, 2, 3].map((i) => b.let(i32x4.extract_lane(x, i))) as unknown as Four;
const joined = (values: readonly I32[]): V128 => values.reduce((sum, value, i) => i32x4.replace_lane(sum, i, value), ZERO);
const rotateLeft = (x: I32, n: number): I32 => i32.rotl(x, i32.const(n));
const rotateRight = (x: I32, n: number): I32 => rotateLeft(x, 32 - n);
const xor = (first: I32, ...others: readonly I32[]): I32 => others.reduce((a, b) => i32.xor(a, b), first);
const add = (first: I32, ...others: readonly I32[]): I32 => others.reduce((a, b) => i32.add(a, b), first);

type Mix = (x: I32, y: I32, z: I32) => I32;
const choose: Mix = (x, y, z) => i32.xor(i32.and(i32.xor(y, z), x), z);
const parity: Mix = (x, y, z) => xor(x, y, z);
const majority: Mix = (x, y, z) => i32.or(i32.and(x, y), i32.and(i32.or(x, y), z));

/** Four rounds of SHA1: d is the state but E, n's lowest word is E. */
const sha1 =
  (f: Mix): Body =>
  (b, d, n, m) => {
    const message = words(b, m);
    let [x0, x1, x2, x3] = words(b, d) as [I32, I32, I32, I32];
    let y = b.let(i32x4.extract_lane(n, 0));
    for (const word of message) {
      const sum = b.let(add(y, rotateLeft(x0, 5), f(x1, x2, x3), word));
      const turned = b.let(rotateLeft(x1, 30));
      // <Y, X> rotated left by 32 bits.
      [y, x3, x2, x1, x0] = [x3, x2, turned, x0, sum];
    }
    return joined([x0, x1, x2, x3]);
  };

/** Four rounds of SHA256 on both halves of the state; yields the first or the second. */
function sha256(block: Block, x: V128, y: V128, w: V128, first: boolean): V128 {
  let [a, b, c, d] = words(block, x) as [I32, I32, I32, I32];
  let [e, f, g, h] = words(block, y) as [I32, I32, I32, I32];
  for (const word of words(block, w)) {
    const t = block.let(add(h, xor(rotateRight(e, 6), rotateRight(e, 11), rotateRight(e, 25)), choose(e, f, g), word));
    const s0 = xor(rotateRight(a, 2), rotateRight(a, 13), rotateRight(a, 22));
    [h, g, f, e, d, c, b, a] = [g, f, e, block.let(i32.add(d, t)), c, b, a, block.let(add(t, s0, majority(a, b, c)))];
  }
  return joined(first ? [a, b, c, d] : [e, f, g, h]);
}

const bodies = {
  aese: round(sbox, SHIFT_ROWS),
  aesd: round(inverseSbox, INVERSE_SHIFT_ROWS),
  aesmc: (b, _, n) => mixed(b, n),
  aesimc: unmixed,
  sha1c: sha1(choose),
  sha1p: sha1(parity),
  sha1m: sha1(majority),
  sha1h: (_b, _d, n) => i32x4.replace_lane(ZERO, 0, rotateLeft(i32x4.extract_lane(n, 0), 30)),
  sha1su0: (b, d, n, m) => {
    const [d0, d1, d2, d3] = words(b, d);
    const [n0, n1] = words(b, n);
    const [m0, m1, m2, m3] = words(b, m);
    return joined([xor(d2, d0, m0), xor(d3, d1, m1), xor(n0, d2, m2), xor(n1, d3, m3)]);
  },
  sha1su1: (b, d, n) => {
    const [d0, d1, d2, d3] = words(b, d);
    const [, n1, n2, n3] = words(b, n);
    const first = b.let(xor(d0, n1));
    return joined([rotateLeft(first, 1), rotateLeft(xor(d1, n2), 1), rotateLeft(xor(d2, n3), 1), xor(rotateLeft(d3, 1), rotateLeft(first, 2))]);
  },
  sha256h: (b, d, n, m) => sha256(b, d, n, m, true),
  // The operands are exchanged: the destination is the second half of the state.
  sha256h2: (b, d, n, m) => sha256(b, n, d, m, false),
  sha256su0: (b, d, n) => {
    const own = words(b, d);
    const next = [...own.slice(1), b.let(i32x4.extract_lane(n, 0))];
    return joined(next.map((word, i) => i32.add(own[i] as I32, xor(rotateRight(word, 7), rotateRight(word, 18), i32.shr_u(word, i32.const(3))))));
  },
  sha256su1: (b, d, n, m) => {
    const own = words(b, d);
    const message = words(b, m);
    const t = [...words(b, n).slice(1), message[0]];
    const sigma = (word: I32): I32 => xor(rotateRight(word, 17), rotateRight(word, 19), i32.shr_u(word, i32.const(10)));
    const sum = (word: I32, i: number): I32 => b.let(add(sigma(word), own[i] as I32, t[i] as I32));
    const first = [message[2], message[3]].map((word, i) => sum(word, i));
    return joined([...first, ...first.map((word, i) => sum(word, i + 2))]);
  },
} as const satisfies Readonly<Record<string, Body>>;

type Body = (b: Block, d: V128, n: V128, m: V128) => V128;
type Name = keyof typeof bodies;
const names = Object.keys(bodies) as Name[];
/** How many of n and m each has. */
const WITH_M: ReadonlySet<string> = new Set(['sha1c', 'sha1p', 'sha1m', 'sha1su0', 'sha256h', 'sha256h2', 'sha256su1']);

/** Functions that the definitions call: `(d, n, m)`. */
export const cryptoFunctions: Readonly<Record<string, FunctionDefinition>> = Object.fromEntries(
  names.map((name) => [name, { params: ['v128', 'v128', 'v128'], result: 'v128', body: (b, x, y, z) => bodies[name](b, x as V128, y as V128, z as V128) } satisfies FunctionDefinition]),
);

function definition(name: Name): Definition {
  const record: RecordLayout = { d: vector('Rd'), n: vector('Rn'), ...(WITH_M.has(name) ? { m: vector('Rm') } : {}) };
  const operands = (e: Emitter): Expr[] => [read(e, 'd'), read(e, 'n'), WITH_M.has(name) ? read(e, 'm') : ZERO];
  return { record, variants: [guarded((e) => write(e, e.call(name, 'v128', operands(e)), 1))] };
}

export const cryptography: Definitions = Object.fromEntries(names.map((name) => [name, definition(name)]));
