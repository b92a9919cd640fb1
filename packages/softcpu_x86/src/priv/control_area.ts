/** Moving registers between the processor and a control structure, a VMCS or a VMCB, as they are. */
import { storedAt } from '../state.ts';
import { slot, type Registers, type Stored } from './registers.ts';

/** A control structure: words by field, or by offset. */
export interface ControlArea {
  lo(at: number): number;
  hi(at: number): number;
  set(at: number, lo: number, hi?: number): void;
}

/** Where a register is: its index in {@link Registers.sys}, and its place in the control structure. */
export type Pair = readonly [register: number, at: number];

export const pairs = (...list: readonly (readonly [Stored, number])[]): readonly Pair[] => list.map(([name, at]) => [slot[name], at]);

export function loadRegisters({ sys }: Registers, area: ControlArea, list: readonly Pair[]): void {
  for (let i = 0; i < list.length; i++) {
    const pair = list[i]!;
    sys[pair[0]] = area.lo(pair[1]);
    sys[pair[0] + 1] = area.hi(pair[1]);
  }
}

export function saveRegisters({ sys }: Registers, area: ControlArea, list: readonly Pair[]): void {
  for (let i = 0; i < list.length; i++) {
    const pair = list[i]!;
    area.set(pair[1], sys[pair[0]]!, sys[pair[0] + 1]);
  }
}

/** What moves as it is at every entry or exit: by place, the numbers of its words in the state block and in the control structure. */
export interface Moves {
  readonly state: Int32Array;
  readonly area: Int32Array;
}

/** A register of the state block: its byte offset and its words, and the number of its first word in the control structure. */
export type Move = readonly [offset: number, words: 1 | 2, word: number];

export function movesOf(list: readonly Move[]): Moves {
  const each = (of: (move: Move, i: number) => number): Int32Array => Int32Array.from(list.flatMap((move) => Array.from({ length: move[1] }, (_, i) => of(move, i))));
  return { state: each(([offset], i) => (offset >> 2) + i), area: each(([, , word], i) => word + i) };
}

/** Registers that have names, for {@link movesOf}. */
export const named = (word: (at: number) => number, ...list: readonly (readonly [Stored, number])[]): readonly Move[] => list.map(([name, at]) => [storedAt(name), 2, word(at)]);

/** Loads registers. @param first - index in linear memory of the control structure's words. */
export function load({ words, base }: Registers, first: number, { state, area }: Moves): void {
  for (let i = 0; i < state.length; i++) words[base + state[i]!] = words[first + area[i]!]!;
}
