/** Numbers of the interpreter's handlers: every instruction has one for each of its variants. */
import type { Isa } from '../isa.ts';
import type { Variant } from './emitter.ts';
import { FIRST_HANDLER } from './layout.ts';

/** Handler numbers: what the decoder writes into the first two bytes of a record. */
export interface HandlerTable {
  /** Whether instruction `index` has a handler for this length and reach. */
  has(index: number, length: number, near: boolean): boolean;
  /** Number of the handler of instruction `index` with this length and reach; `back`: near, and the target is not behind it. */
  handler(index: number, length: number, near: boolean, back?: boolean): number;
  /** What a handler is for, undefined for those that are no instructions. */
  slot(number: number): Slot | undefined;
  readonly count: number;
}

/** One instruction in one of its variants. */
export interface Slot {
  /** Index in the ISA's table. */
  readonly instruction: number;
  readonly variant: Variant;
}

/** Stands for the length of what occurs with any, see {@link Variant}. */
const ANY_LENGTH = 0;

/** All handlers of an ISA. */
export interface Handlers {
  /** Those of instructions, in the order of their numbers, from {@link FIRST_HANDLER} on. */
  readonly slots: readonly Slot[];
  readonly table: HandlerTable;
}

/** Numbers the handlers: every instruction with each of its lengths, direct jumps also by reach and direction. */
export function numberHandlers(isa: Isa): Handlers {
  const slots: Slot[] = [];
  const numbers = new Map<number, number>();
  const key = (index: number, length: number, near: boolean, back: boolean): number => (index * 32 + length) * 4 + (near ? 2 : 0) + (back ? 1 : 0);
  const lengthOf = (index: number, length: number): number => (isa.instructions[index]?.lengths === 'any' ? ANY_LENGTH : length);
  const plain = { near: false, back: false };
  const reaches = [plain, { near: true, back: false }, { near: true, back: true }];
  isa.instructions.forEach(({ lengths, direct }, instruction) => {
    for (const length of lengths === 'any' ? [ANY_LENGTH] : lengths) {
      for (const { near, back } of direct === true ? reaches : [plain]) {
        numbers.set(key(instruction, length, near, back), FIRST_HANDLER + slots.length);
        slots.push({ instruction, variant: { length, near, back } });
      }
    }
  });
  const table: HandlerTable = {
    count: FIRST_HANDLER + slots.length,
    has: (index, length, near) => numbers.has(key(index, lengthOf(index, length), near, false)),
    handler: (index, length, near, back = false) => {
      const number = numbers.get(key(index, lengthOf(index, length), near, back));
      if (number === undefined) throw new RangeError(`${isa.instructions[index]?.name ?? `instruction ${index}`} has no handler of length ${length}`);
      return number;
    },
    slot: (number) => slots[number - FIRST_HANDLER],
  };
  return { slots, table };
}

