/**
 * Atomic accesses that WebAssembly's atomics do not make: operands of 16 bytes, and those that are not aligned and may cross pages. Of two
 * words that they touch, each is exchanged in one step, under a lock against others of the kind.
 */
import type { BusLock } from './interp/bus_lock.ts';
import { PAGE_SIZE } from './interp/layout.ts';
import type { WasmMemory } from './wasm/api.ts';

/**
 * `(place of the first byte, place of the last one, bytes) → 1 for a mismatch`: compares with the first 16 bytes of operands and replaces by
 * the next 16; after a mismatch the first have what was found.
 */
export const SPLIT_EXCHANGE = 'splitExchange';
export type SplitExchange = (first: number, last: number, bytes: number) => number;

/** What is exchanged of an aligned 8-byte word. */
interface Word {
  /** Index in memory as 64-bit words. */
  readonly index: number;
  /** The bits that belong to the operand. */
  readonly mask: bigint;
  readonly expected: bigint;
  readonly value: bigint;
}

const ALL = 0xffff_ffff_ffff_ffffn;

/** Replaces the operand's part of a word if it is what is expected. */
function exchangeWord(longs: BigUint64Array, { index, mask, expected, value }: Word): boolean {
  let old = Atomics.load(longs, index);
  while ((old & mask) === expected) {
    const seen = Atomics.compareExchange(longs, index, old, (old & ~mask) | value);
    if (seen === old) return true;
    old = seen;
  }
  return false;
}

/** All words or none. */
function exchangeAll(longs: BigUint64Array, words: readonly Word[]): boolean {
  const done: Word[] = [];
  for (const word of words) {
    if (!exchangeWord(longs, word)) {
      for (const { index, mask, expected, value } of done) exchangeWord(longs, { index, mask, expected: value, value: expected });
      return false;
    }
    done.push(word);
  }
  return true;
}

/** @param old - place of the operands, a multiple of 8. @param lock - absent: nobody else uses this memory. */
export function createSplitExchange(memory: WasmMemory, old: number, lock: BusLock | undefined): SplitExchange {
  let bytesOf = new Uint8Array(memory.buffer);
  let longs = new BigUint64Array(memory.buffer);
  const next = old + 16;

  /** Where byte `i` lies: in the page of the first byte or in that of the last. */
  const placeOf = (first: number, last: number, size: number, i: number): number =>
    (first & (PAGE_SIZE - 1)) + i < PAGE_SIZE ? first + i : last - (size - 1 - i);

  function words(first: number, last: number, size: number): Word[] {
    if (((first | size) & 7) === 0) {
      return Array.from({ length: size / 8 }, (_, i) => ({ index: first / 8 + i, mask: ALL, expected: longs[old / 8 + i] as bigint, value: longs[next / 8 + i] as bigint }));
    }
    const found = new Map<number, Word>();
    for (let i = 0; i < size; i++) {
      const place = placeOf(first, last, size, i);
      const shift = BigInt(8 * (place & 7));
      const { mask = 0n, expected = 0n, value = 0n } = found.get(place >>> 3) ?? {};
      found.set(place >>> 3, {
        index: place >>> 3,
        mask: mask | (0xffn << shift),
        expected: expected | (BigInt(bytesOf[old + i] as number) << shift),
        value: value | (BigInt(bytesOf[next + i] as number) << shift),
      });
    }
    return [...found.values()];
  }

  function exchange(first: number, last: number, size: number): number {
    if (exchangeAll(longs, words(first, last, size))) return 0;
    for (let i = 0; i < size; i++) bytesOf[old + i] = bytesOf[placeOf(first, last, size, i)] as number;
    return 1;
  }

  return (first, last, size) => {
    if (bytesOf.buffer !== memory.buffer) {
      bytesOf = new Uint8Array(memory.buffer);
      longs = new BigUint64Array(memory.buffer);
    }
    return lock === undefined ? exchange(first, last, size) : lock.hold(() => exchange(first, last, size));
  };
}
