/** The pieces of code in tier 0's loop, and the numbers of handlers that lead to each. */
import type { Code, Label } from '../wasm/code.ts';
import type { Slot } from './handlers.ts';
import { FIRST_HANDLER } from './layout.ts';

/** Numbers that lead to one piece of code: one, or those by which an instruction of any length is entered. */
export type Case = readonly number[];

/** All of them, in the order of the code. @param slots - from the first instruction's number on */
export function casesOf(slots: readonly Slot[]): readonly Case[] {
  const cases = new Map<string, number[]>();
  for (let number = 0; number < FIRST_HANDLER; number++) cases.set(`${number}`, [number]);
  for (const [i, { instruction, variant }] of slots.entries()) {
    const key = `${instruction},${variant.length},${String(variant.near)},${String(variant.back)}`;
    const known = cases.get(key);
    if (known === undefined) cases.set(key, [FIRST_HANDLER + i]);
    else known.push(FIRST_HANDLER + i);
  }
  return [...cases.values()];
}

/** Where the cases lie. */
export interface Places {
  /** By number. */
  readonly labels: readonly Label[];
  /** By case: what comes behind the entries, where there are several. */
  readonly bodies: readonly (Label | undefined)[];
}

/** Opens blocks that end in the order of the cases: of several entries one for each, then one for what they lead to. */
export function openCases(code: Code, cases: readonly Case[]): Places {
  const labels: Label[] = [];
  const bodies: (Label | undefined)[] = [];
  for (let i = cases.length - 1; i >= 0; i--) {
    const numbers = cases[i] as Case;
    if (numbers.length > 1) bodies[i] = code.block();
    for (const number of numbers.toReversed()) labels[number] = code.block();
  }
  return { labels, bodies };
}
