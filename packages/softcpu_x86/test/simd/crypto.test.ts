/** AES, SHA-1 and SHA-256 by their instructions, and carry-less products, against other implementations of the same standards. */
import { createCipheriv, createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../src/isa/asm.ts';
import { FlatProcessor } from '../../src/testing/flat.ts';

const CODE = { base: 0x1_0000, size: 0x4000 };
const DATA = { base: 0x3_0000, size: 0x2000 };
const [INPUT, OUTPUT, WORK, TABLE] = [0, 0x200, 0x400, 0x1000];

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);
const lines = (count: number, line: (i: number) => string): string => range(count).map(line).join('\n');

const p = new FlatProcessor([CODE, DATA]);

/** Runs a program with rsi at {@link INPUT}, rdi at {@link WORK}, rbx at {@link TABLE}. @returns 64 bytes at {@link OUTPUT} */
function run(source: string, input: Uint8Array, table: Uint8Array = new Uint8Array()): Uint8Array {
  const place = (at: number): number => DATA.base + at;
  p.load(place(INPUT), input);
  p.load(place(TABLE), table);
  p.load(CODE.base, assemble(`mov esi, ${place(INPUT)}\nmov edi, ${place(WORK)}\nmov ebx, ${place(TABLE)}\n${source}\nhlt`, { base: BigInt(CODE.base) }).bytes);
  p.run(CODE.base, 10_000);
  expect(p.stopped).toBe('system');
  return p.memory(place(OUTPUT), 64).slice();
}

const AES = `
movdqu xmm1, [rsi]
movdqa [rdi], xmm1
${lines(10, (i) => `
aeskeygenassist xmm2, xmm1, ${[1, 2, 4, 8, 16, 32, 64, 128, 27, 54][i] as number}
pshufd xmm2, xmm2, 0xff
movdqa xmm3, xmm1
pslldq xmm3, 4
pxor xmm1, xmm3
pslldq xmm3, 4
pxor xmm1, xmm3
pslldq xmm3, 4
pxor xmm1, xmm3
pxor xmm1, xmm2
movdqa [rdi + ${16 * i + 16}], xmm1`)}
movdqu xmm4, [rsi + 16]
pxor xmm4, [rdi]
${lines(9, (i) => `aesenc xmm4, [rdi + ${16 * i + 16}]`)}
aesenclast xmm4, [rdi + 160]
movdqu [rsi + ${OUTPUT}], xmm4
pxor xmm4, [rdi + 160]
${lines(9, (i) => `aesimc xmm5, [rdi + ${144 - 16 * i}]\naesdec xmm4, xmm5`)}
aesdeclast xmm4, [rdi]
movdqu [rsi + ${OUTPUT + 16}], xmm4`;

/** Words W0 … of a schedule: the first 16 from memory, the others made; each four to xmm0 before `use`. */
const schedule = (groups: number, next: (i: number) => string, use: (i: number) => string): string =>
  lines(groups, (i) => `${i < 4 ? `movdqu xmm7, [rsi + ${16 * i}]` : next(i)}\nmovdqa [rdi + ${16 * i}], xmm7\nmovdqa xmm0, xmm7\n${use(i)}`);
const at = (i: number): string => `[rdi + ${16 * i}]`;

const SHA256 = `
movdqa xmm1, [rbx + 0x800]
movdqa xmm2, [rbx + 0x810]
${schedule(16, (i) => `
movdqa xmm7, ${at(i - 4)}
sha256msg1 xmm7, ${at(i - 3)}
movdqa xmm9, ${at(i - 1)}
palignr xmm9, ${at(i - 2)}, 4
paddd xmm7, xmm9
sha256msg2 xmm7, ${at(i - 1)}`, (i) => `
paddd xmm0, [rbx + ${16 * i}]
sha256rnds2 xmm2, xmm1, xmm0
pshufd xmm0, xmm0, 0x0e
sha256rnds2 xmm1, xmm2, xmm0`)}
paddd xmm1, [rbx + 0x800]
paddd xmm2, [rbx + 0x810]
movdqu [rsi + ${OUTPUT}], xmm1
movdqu [rsi + ${OUTPUT + 16}], xmm2`;

const SHA1 = `
movdqa xmm1, [rbx]
${schedule(20, (i) => `
movdqa xmm7, ${at(i - 4)}
sha1msg1 xmm7, ${at(i - 3)}
pxor xmm7, ${at(i - 2)}
sha1msg2 xmm7, ${at(i - 1)}`, (i) => `
${i === 0 ? 'paddd xmm0, [rbx + 16]' : 'sha1nexte xmm3, xmm0\nmovdqa xmm0, xmm3'}
movdqa xmm3, xmm1
sha1rnds4 xmm1, xmm0, ${Math.floor(i / 5)}`)}
sha1nexte xmm3, [rbx + 16]
paddd xmm1, [rbx]
movdqu [rsi + ${OUTPUT}], xmm1
movdqu [rsi + ${OUTPUT + 16}], xmm3`;

/** Fractional parts of roots of the first primes, 32 bits. */
function fractions(count: number, root: 2 | 3): number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((p) => n % p !== 0)) primes.push(n);
  return primes.map((p) => {
    // The root of p 2^(32 root), rounded down.
    const target = BigInt(p) << BigInt(32 * root);
    let value = 0n;
    for (let bit = 1n << 36n; bit > 0n; bit >>= 1n) if ((value + bit) ** BigInt(root) <= target) value += bit;
    return Number(value & 0xffff_ffffn);
  });
}
const wordsToBytes = (words: readonly number[]): Uint8Array => {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  words.forEach((word, i) => view.setUint32(4 * i, word, true));
  return new Uint8Array(view.buffer);
};
const bytesToWords = (bytes: Uint8Array, count: number): number[] => range(count).map((i) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(4 * i, true));
/** The only block of a short message, as big-endian words. */
function block(text: string): number[] {
  const bytes = new Uint8Array(64);
  bytes.set(new TextEncoder().encode(text));
  bytes[text.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setUint32(60, 8 * text.length);
  return range(16).map((i) => view.getUint32(4 * i));
}
const hex = (words: readonly number[]): string => words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
/** Groups of four from the highest lane down. */
const reversed = (words: readonly number[]): number[] => range(words.length).map((i) => words[i ^ 3] as number);

describe('instructions for cryptography', () => {
  it('encrypt and decrypt as AES does', () => {
    for (let n = 0; n < 8; n++) {
      const bytes = Uint8Array.from(range(32), (i) => (i * 37 + n * 91) ^ (n * i));
      const cipher = createCipheriv('aes-128-ecb', bytes.subarray(0, 16), null).setAutoPadding(false);
      const output = run(AES, bytes);
      expect([...output.subarray(0, 16)]).toEqual([...cipher.update(bytes.subarray(16, 32))]);
      expect([...output.subarray(16, 32)]).toEqual([...bytes.subarray(16, 32)]);
    }
  });

  it.each(['', 'abc', 'The quick brown fox jumps over the lazy dog'])('hash %j as SHA-256 does', (text) => {
    const [a, b, c, d, e, f, g, h] = fractions(8, 2) as [number, number, number, number, number, number, number, number];
    const table = new Uint8Array(0x820);
    table.set(wordsToBytes(fractions(64, 3)));
    table.set(wordsToBytes([f, e, b, a, h, g, d, c]), 0x800);
    const out = bytesToWords(run(SHA256, wordsToBytes(block(text)), table), 8) as [number, number, number, number, number, number, number, number];
    expect(hex([out[3], out[2], out[7], out[6], out[1], out[0], out[5], out[4]])).toBe(createHash('sha256').update(text).digest('hex'));
  });

  it.each(['', 'abc', 'The quick brown fox jumps over the lazy dog'])('hash %j as SHA-1 does', (text) => {
    const table = wordsToBytes([...reversed([0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476]), 0, 0, 0, 0xc3d2_e1f0]);
    const out = bytesToWords(run(SHA1, wordsToBytes(reversed(block(text))), table), 8);
    expect(hex([...reversed(out.slice(0, 4)), out[7] as number])).toBe(createHash('sha1').update(text).digest('hex'));
  });

  it('multiply without carries', () => {
    const words = [0xffff_ffff_ffff_ffffn, 0x0123_4567_89ab_cdefn, 0x8000_0000_0000_0001n, 0xdead_beef_5555_aaaan];
    const product = (a: bigint, b: bigint): bigint => range(64).reduce((sum, i) => ((b >> BigInt(i)) & 1n) === 0n ? sum : sum ^ (a << BigInt(i)), 0n);
    for (const imm of [0, 1, 16, 17]) {
      const output = run(`movdqu xmm1, [rsi]\npclmulqdq xmm1, [rsi + 16], ${imm}\nmovdqu [rsi + ${OUTPUT}], xmm1`, new Uint8Array(BigUint64Array.from(words).buffer));
      const [low, high] = new BigUint64Array(output.buffer, 0, 2) as unknown as [bigint, bigint];
      expect((high << 64n) | low).toBe(product(words[imm & 1] as bigint, words[2 + (imm >> 4)] as bigint));
    }
  });
});
