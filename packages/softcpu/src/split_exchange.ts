/**
 * Atomic accesses that WebAssembly's atomics do not make: operands of 16 bytes, and those that are not aligned and may cross pages. Of the
 * two words that they touch, each is exchanged in one step, under a lock against others of the kind.
 *
 * Accesses of up to 8 aligned bytes do not take that lock. None of them is lost, and none sees what an exchange that fails would have put
 * there, unless it changes the second word in the few instructions between the two. In these, who reads both words one by one sees the first
 * one changed and the second not yet: no host that runs WebAssembly offers more than 8 bytes in one step.
 */
import type { BusLock } from './interp/bus_lock.ts';
import type { Block, FunctionDefinition, Variable } from './ir/emitter.ts';
import { i32, i64, select } from './ir/expr.ts';
import type { I32, I64 } from './ir/expr.ts';
import type { HostFunction } from './engine.ts';

/**
 * `(place of the first byte, place of the last one, bytes) → 1 for a mismatch`: compares with the first 16 bytes of operands and replaces by
 * the next 16; after a mismatch the first have what was found. Smaller operands are cut to their size, and 16 bytes aligned.
 */
export const SPLIT_EXCHANGE = 'splitExchange';
const HOLD_BUS = 'holdBus';
const RELEASE_BUS = 'releaseBus';

/** The operand's part of an aligned 8-byte word. */
interface Part {
  readonly place: I32;
  readonly mask: I64;
  readonly expected: I64;
  readonly value: I64;
  /** The word as it was read. */
  readonly word: I64;
}

const combine = (word: I64, { mask }: Part, part: I64): I64 => i64.or(i64.and(word, i64.xor(mask, i64.const(-1))), part);
const isExpected = (word: I64, { mask, expected }: Part): I32 => i64.eq(i64.and(word, mask), expected);

/** Replaces the part in a word if it is as expected, whatever happens beside it. Yields whether it was. */
function exchangePart(block: Block, part: Part): I32 {
  const word = block.variable(part.word);
  const failed = block.variable(i32.const(0));
  block.loop((again) => {
    const seen = block.atomic('i64.atomic.rmw.cmpxchg', part.place, word.get, combine(word.get, part, part.value));
    block.assign(failed, i64.ne(seen, word.get));
    block.assign(word, seen);
    again(i32.and(failed.get, isExpected(seen, part)));
  });
  return i32.eqz(failed.get);
}

/** Replaces both or none. `done`: they are. */
function exchangeParts(block: Block, first: Part, second: Part, done: Variable<'i32'>): void {
  block.if(exchangePart(block, first), () => {
    block.if(exchangePart(block, second), () => block.assign(done, i32.const(1)), () => {
      const back = { ...first, expected: first.value, value: first.expected };
      const word = block.atomic('i64.atomic.load', first.place);
      block.if(isExpected(word, back), () => void exchangePart(block, { ...back, word }));
    }, true);
  }, undefined, true);
}

/** @param operands - offset of 32 bytes of the state block. */
const exchange = (operands: number) => (block: Block, first: I32, last: I32, bytes: I32): I32 => {
  const isWide = block.let(i32.eq(bytes, i32.const(16)));
  const shift = block.let(i64.extend_i32_u(i32.shl(i32.and(first, i32.const(7)), i32.const(3))));
  const rest = block.let(i64.sub(i64.const(63), shift));
  // The bits of the second word: those that the shift drops, or the upper half.
  const beyond = (low: I64, high: I64): I64 => i64.or(i64.shr_u(i64.shr_u(low, i64.const(1)), rest), select(isWide, high, i64.const(0)));
  const all = block.let(i64.shr_u(i64.const(-1), i64.sub(i64.const(64), i64.shl(i64.extend_i32_u(bytes), i64.const(3)))));
  const part = (place: I32, of: (low: I64, high: I64) => I64): Omit<Part, 'word'> => {
    const operand = (at: number): I64 => block.let(of(block.state('i64.load', operands + at), block.state('i64.load', operands + at + 8)));
    return { place: block.let(i32.and(place, i32.const(-8))), mask: block.let(of(all, i64.const(-1))), expected: operand(0), value: operand(16) };
  };
  const low = part(first, (operand) => i64.shl(operand, shift));
  const high = part(last, beyond);
  // A word that stays as it is comes second: its exchange only shows that it was still so.
  const swapped = block.let(i64.eq(low.expected, low.value));
  const done = block.variable(i32.const(0));
  const mismatch = block.variable(i32.const(0));
  block.call(HOLD_BUS, 'i32', []);
  block.loop((again) => {
    const lowWord = block.atomic('i64.atomic.load', low.place);
    const highWord = block.atomic('i64.atomic.load', high.place);
    const parts = [{ ...low, word: lowWord }, { ...high, word: highWord }] as const;
    // Both were so at the same time if the first still is.
    block.if(i64.eq(block.atomic('i64.atomic.load', low.place), lowWord), () => {
      block.if(i32.and(isExpected(lowWord, parts[0]), isExpected(highWord, parts[1])), () => {
        const choose = (yes: Part, no: Part): Part => ({
          place: block.let(select(swapped, yes.place, no.place)),
          mask: block.let(select(swapped, yes.mask, no.mask)),
          expected: block.let(select(swapped, yes.expected, no.expected)),
          value: block.let(select(swapped, yes.value, no.value)),
          word: block.let(select(swapped, yes.word, no.word)),
        });
        exchangeParts(block, choose(parts[1], parts[0]), choose(parts[0], parts[1]), done);
      }, () => {
        const found = i64.shr_u(i64.and(lowWord, low.mask), shift);
        const upper = i64.and(highWord, high.mask);
        block.setState('i64.store', operands, i64.or(found, i64.shl(i64.shl(select(isWide, i64.const(0), upper), i64.const(1)), rest)));
        block.setState('i64.store', operands + 8, upper);
        block.assign(mismatch, i32.const(1));
      });
    });
    again(i32.eqz(i32.or(done.get, mismatch.get)));
  });
  block.call(RELEASE_BUS, 'i32', []);
  return mismatch.get;
};

/** The function {@link SPLIT_EXCHANGE} and what it needs, for an ISA. @param operands - offset of 32 bytes of the state block. */
export const splitFunctions = (operands: number): Readonly<Record<string, FunctionDefinition>> => ({
  [HOLD_BUS]: { params: [], result: 'i32', everywhere: true },
  [RELEASE_BUS]: { params: [], result: 'i32', everywhere: true },
  [SPLIT_EXCHANGE]: { params: ['i32', 'i32', 'i32'], result: 'i32', body: exchange(operands) as NonNullable<FunctionDefinition['body']> },
});

/** What of that is JavaScript. @param lock - absent: nobody else uses this memory. */
export const busFunctions = (lock: BusLock | undefined): Readonly<Record<string, HostFunction>> => ({
  [HOLD_BUS]: () => lock?.hold() ?? 0,
  [RELEASE_BUS]: () => lock?.release() ?? 0,
});
