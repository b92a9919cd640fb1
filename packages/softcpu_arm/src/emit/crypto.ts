/** AES, SHA1 and SHA256 instructions, executed from JavaScript on the state block (Arm ARM, C7.2 and shared/functions/crypto). */
import { fieldValue, insns } from '../isa/table.ts';
import { V } from '../state.ts';
import type { FpExec } from '../fp/exec.ts';
import type { FpMemory } from '../fp/machine.ts';
import { inverseSbox, product, sbox } from './aes.ts';

const rotateLeft = (x: number, n: number): number => (x << n) | (x >>> (32 - n));
const rotateRight = (x: number, n: number): number => rotateLeft(x, 32 - n);
const choose = (x: number, y: number, z: number): number => ((y ^ z) & x) ^ z;
const parity = (x: number, y: number, z: number): number => x ^ y ^ z;
const majority = (x: number, y: number, z: number): number => (x & y) | ((x | y) & z);

/** Where each byte comes from in ShiftRows: column c, row r from column c + r. */
const SHIFT_ROWS = Array.from({ length: 16 }, (_, i) => (i + 4 * (i & 3)) & 15);
const INVERSE_SHIFT_ROWS = Array.from({ length: 16 }, (_, i) => (i - 4 * (i & 3)) & 15);
const MIX = [2, 3, 1, 1];
const INVERSE_MIX = [14, 11, 13, 9];

/** Registers as four words; d is read and written. */
type Words = Int32Array;
type Operation = (d: Words, n: Words, m: Words) => void;

const bytesOf = (words: Words): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, 16);

const substituteRound = (box: Uint8Array, rows: readonly number[]): Operation => (d, n) => {
  const state = bytesOf(d).map((byte, i) => byte ^ (bytesOf(n)[i] as number));
  bytesOf(d).set(rows.map((from) => box[state[from] as number] as number));
};
const mixColumns = (coefficients: readonly number[]): Operation => (d, n) => {
  const state = bytesOf(n).slice();
  const mixed = Array.from(state, (_, i) => [0, 1, 2, 3].reduce((sum, k) => sum ^ product(coefficients[(k - (i & 3)) & 3] as number, state[(i & 12) | k] as number), 0));
  bytesOf(d).set(mixed);
};

/** Four rounds of SHA1: d is the state but E, n's lowest word is E. */
const sha1 = (f: (x: number, y: number, z: number) => number): Operation => (d, n, m) => {
  let y = n[0] as number;
  const x = d;
  for (let i = 0; i < 4; i++) {
    y = (y + rotateLeft(x[0] as number, 5) + f(x[1] as number, x[2] as number, x[3] as number) + (m[i] as number)) | 0;
    x[1] = rotateLeft(x[1] as number, 30);
    // <Y, X> rotated left by 32 bits.
    [y, x[3], x[2], x[1], x[0]] = [x[3] as number, x[2] as number, x[1], x[0] as number, y];
  }
};

/** Four rounds of SHA256 on both halves of the state; yields the first or the second. */
function sha256(x: Words, y: Words, w: Words, first: boolean): readonly number[] {
  let [a, b, c, d] = x as unknown as [number, number, number, number];
  let [e, f, g, h] = y as unknown as [number, number, number, number];
  for (let i = 0; i < 4; i++) {
    const s1 = rotateRight(e, 6) ^ rotateRight(e, 11) ^ rotateRight(e, 25);
    const t = (h + s1 + choose(e, f, g) + (w[i] as number)) | 0;
    const s0 = rotateRight(a, 2) ^ rotateRight(a, 13) ^ rotateRight(a, 22);
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t) | 0, c, b, a, (t + s0 + majority(a, b, c)) | 0];
  }
  return first ? [a, b, c, d] : [e, f, g, h];
}

const operations: Readonly<Record<string, Operation>> = {
  aese: substituteRound(sbox, SHIFT_ROWS),
  aesd: substituteRound(inverseSbox, INVERSE_SHIFT_ROWS),
  aesmc: mixColumns(MIX),
  aesimc: mixColumns(INVERSE_MIX),
  sha1c: sha1(choose),
  sha1p: sha1(parity),
  sha1m: sha1(majority),
  sha1h: (d, n) => d.set([rotateLeft(n[0] as number, 30), 0, 0, 0]),
  sha1su0: (d, n, m) => d.set([d[2]! ^ d[0]! ^ m[0]!, d[3]! ^ d[1]! ^ m[1]!, n[0]! ^ d[2]! ^ m[2]!, n[1]! ^ d[3]! ^ m[3]!]),
  sha1su1: (d, n) => {
    const t = [d[0]! ^ n[1]!, d[1]! ^ n[2]!, d[2]! ^ n[3]!, d[3]!] as const;
    d.set([rotateLeft(t[0], 1), rotateLeft(t[1], 1), rotateLeft(t[2], 1), rotateLeft(t[3], 1) ^ rotateLeft(t[0], 2)]);
  },
  sha256h: (d, n, m) => d.set(sha256(d, n, m, true)),
  // The operands are exchanged: the destination is the second half of the state.
  sha256h2: (d, n, m) => d.set(sha256(n, d, m, false)),
  sha256su0: (d, n) => {
    const next = [d[1]!, d[2]!, d[3]!, n[0]!];
    d.set(next.map((word, i) => (d[i]! + (rotateRight(word, 7) ^ rotateRight(word, 18) ^ (word >>> 3))) | 0));
  },
  sha256su1: (d, n, m) => {
    const t = [n[1]!, n[2]!, n[3]!, m[0]!];
    const sigma = (word: number): number => rotateRight(word, 17) ^ rotateRight(word, 19) ^ (word >>> 10);
    const first = [m[2]!, m[3]!].map((word, i) => (sigma(word) + d[i]! + t[i]!) | 0);
    const second = first.map((word, i) => (sigma(word) + d[i + 2]! + t[i + 2]!) | 0);
    d.set([...first, ...second]);
  },
};

/** Names of the instructions executed here. */
export const cryptographic: readonly string[] = Object.keys(operations);

/** Makes the executor for the processing element whose state block lies at `stateBase` of `memory`. */
export function createCryptoExec(memory: FpMemory, stateBase: number): FpExec {
  const copies = [new Int32Array(4), new Int32Array(4), new Int32Array(4)] as const;
  let words: Int32Array = new Int32Array(0);
  return (op, word) => {
    if (words.length === 0) words = new Int32Array(memory.buffer);
    const { name, fields } = insns[op] as (typeof insns)[number];
    const place = (field: string): number => (stateBase + V + (fields[field] === undefined ? 0 : fieldValue(word, fields[field]) * 16)) >>> 2;
    (['Rd', 'Rn', 'Rm'] as const).forEach((field, i) => (copies[i] as Int32Array).set(words.subarray(place(field), place(field) + 4)));
    const operation = operations[name];
    if (operation === undefined) throw new RangeError(`op ${op} is not a cryptographic instruction`);
    operation(copies[0], copies[1], copies[2]);
    words.set(copies[0], place('Rd'));
    return 0;
  };
}
