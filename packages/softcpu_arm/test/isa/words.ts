/** Samples of instruction words: a repeatable stream of random ones, drawn class by class. */
import { insns } from '../../src/isa/index.ts';

/** A repeatable generator of int32. */
export function randomWords(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
}

/** For each instruction `count` words with random operands, a quarter as many with one or two bits flipped, and as many from nowhere. */
export function sampleWords(count: number, seed: number): number[] {
  const next = randomWords(seed);
  const words: number[] = [];
  for (const { match, mask } of insns) {
    for (let i = 0; i < count; i++) words.push(match | (next() & ~mask));
    for (let i = 0; i < count; i += 4) words.push((match | (next() & ~mask)) ^ (1 << (next() & 31)) ^ (1 << (next() & 31)), next());
  }
  return words;
}

/** How many words per instruction the sampled tests take: with AXVISOR_NIGHTLY about a million in all. */
export const SAMPLE: number = process.env['AXVISOR_NIGHTLY'] === '1' ? 800 : 12;
