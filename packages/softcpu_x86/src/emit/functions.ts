/** WebAssembly functions that definitions call: what is too long to be repeated in every handler. */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Block, Expr, FunctionDefinition, I32, I64 } from '@axvisor/softcpu';
import { READ_HIGH, READ_LOW, WRITE_HIGH, WRITE_LOW } from '../state.ts';
import { flagFunctions } from './flag_functions.ts';
import { multiplyHigh } from './multiply.ts';

/** Whether bytes of a segment may be accessed: `(segment, offset, bytes - 1, write)`. */
export const SEGMENT_OK = 'segmentOk';
/** Upper half of an unsigned product. */
export const MULTIPLY_HIGH = 'multiplyHigh';
/** Quotient of an unsigned 128-bit dividend `(high, low, divisor)` with `high < divisor`. */
export const DIVIDE_128 = 'divide128';

function segmentOk(block: Block, segment: I32, offset: I32, more: I32, write: I32): I32 {
  const at = i32.shl(segment, i32.const(2));
  const bound = (reading: number, writing: number): I32 => {
    // Reading a word of the state block by number: the place of its first one plus that.
    const first = block.state('i32.load', reading);
    const base = first.kind === 'read' ? first.offset : 0;
    return block.read('i32.load', i32.add(at, i32.mul(write, i32.const(writing - reading))), base);
  };
  const last = block.let(i32.add(offset, more));
  const inside = i32.and(i32.ge_u(offset, bound(READ_LOW, WRITE_LOW)), i32.le_u(last, bound(READ_HIGH, WRITE_HIGH)));
  return i32.and(inside, i32.ge_u(last, offset));
}

/** Bit by bit; the remainder may need a 65th bit for a moment. */
function divide128(block: Block, high: I64, low: I64, divisor: I64): I64 {
  const remainder = block.variable(high);
  const rest = block.variable(low);
  const count = block.variable(i32.const(64));
  block.loop((again) => {
    const carry = block.let(i64.lt_s(remainder.get, i64.const(0)));
    const shifted = block.let(i64.or(i64.shl(remainder.get, i64.const(1)), i64.shr_u(rest.get, i64.const(63))));
    const fits = block.let(i32.or(carry, i64.ge_u(shifted, divisor)));
    block.assign(remainder, select(fits, i64.sub(shifted, divisor), shifted));
    // The quotient comes in where the dividend leaves.
    block.assign(rest, i64.or(i64.shl(rest.get, i64.const(1)), i64.extend_i32_u(fits)));
    block.assign(count, i32.sub(count.get, i32.const(1)));
    again(count.get);
  });
  return rest.get;
}

const define = (params: FunctionDefinition['params'], result: FunctionDefinition['result'], body: (block: Block, ...params: never[]) => Expr): FunctionDefinition => ({ params, result, body: body as NonNullable<FunctionDefinition['body']> });

export const functions: Readonly<Record<string, FunctionDefinition>> = {
  ...flagFunctions,
  [SEGMENT_OK]: define(['i32', 'i32', 'i32', 'i32'], 'i32', segmentOk),
  [MULTIPLY_HIGH]: define(['i64', 'i64'], 'i64', multiplyHigh),
  [DIVIDE_128]: define(['i64', 'i64', 'i64'], 'i64', divide128),
};
