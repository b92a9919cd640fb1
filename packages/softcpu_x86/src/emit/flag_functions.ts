/** WebAssembly functions of lazily kept flags whose kind is not known: in the interpreter, and in translated code where ways meet. */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Block, Expr, FunctionDefinition, I32, I64, Variable } from '@axvisor/softcpu';
import { Flag, FlagKind } from '../state.ts';
import { CARRY, PARITY, carriesOf, negative, not, ofDifference, ofWords, parity, shl, shr } from './flag_words.ts';
import type { Positive, Words } from './flag_words.ts';
import { multiplyHigh } from './multiply.ts';
import { TOP, zext } from './value.ts';

/** Functions of the four words, by what they yield: the carries of kind `words`, or all flags in their places. */
export const CARRIES = 'flagCarries';
export const PACK_FLAGS = 'packFlags';
/** Of a condition; and the same where the flags are kept otherwise than as a difference. */
export const holdsName = (positive: number): string => `holds${positive}`;
const otherName = (positive: number): string => `otherHolds${positive}`;

const c = (value: number | bigint): I64 => i64.const(value);

/** Of a kind, in its low byte: whether it is one of `these`, none of which is above 31. */
const isOneOf = (kind: I64, these: readonly number[]): I32 =>
  i32.and(i32.shr_u(i32.const(these.reduce((mask, one) => mask | (1 << one), 0)), i32.wrap_i64(kind)), i32.const(1));

type Assigned = Readonly<Record<keyof Words, Variable<'i64'>>>;

/** Sums and differences, with a third word or one where there is such. `shift`: what 64 has more than the operands' bits. */
function sums(block: Block, kind: I64, shift: I64, a: I64, second: I64, third: I64, to: Assigned): void {
  const isStep = block.let(isOneOf(kind, [FlagKind.increment, FlagKind.decrement]));
  const b = block.let(select(isStep, c(1), second));
  const more = block.let(select(isOneOf(kind, [FlagKind.borrow, FlagKind.carry]), third, c(0)));
  const down = block.let(isOneOf(kind, [FlagKind.difference, FlagKind.borrow, FlagKind.decrement]));
  const result = block.let(select(down, i64.sub(i64.sub(a, b), more), i64.add(i64.add(a, b), more)));
  const chain = block.let(i64.xor(i64.xor(a, b), result));
  const mask = block.let(select(down, c(-1), c(0)));
  const first = block.let(i64.xor(a, mask));
  const wide = i64.or(i64.and(first, b), i64.and(i64.or(first, b), i64.xor(result, not(mask))));
  const carries = block.let(select(i64.eqz(shift), wide, i64.shl(chain, i64.sub(shift, c(1)))));
  block.assign(to.result, i64.shr_s(i64.shl(result, shift), shift));
  block.assign(to.adjust, i64.and(chain, c(Flag.AF)));
  block.assign(to.carries, select(isStep, carriesOf(second, i64.xor(carries, shl(carries, 1))), carries));
}

function shifts(block: Block, kind: I64, shift: I64, a: I64, count: I64, to: Assigned): void {
  const extended = block.let(i64.shr_s(i64.shl(a, shift), shift));
  const less = block.let(i64.sub(count, c(1)));
  block.assign(to.adjust, c(0));
  block.if(isOneOf(kind, [FlagKind.left]), () => {
    block.assign(to.carries, i64.shl(i64.shl(a, shift), less));
    block.assign(to.result, i64.shr_s(i64.shl(i64.shl(a, count), shift), shift));
  }, () => {
    const signed = block.let(isOneOf(kind, [FlagKind.rightSigned]));
    const carry = block.let(shl(select(signed, i64.shr_s(extended, less), i64.shr_u(a, less)), 63));
    const old = i64.and(i64.shl(i64.shr_u(a, count), shift), c(1n << 62n));
    block.assign(to.carries, i64.or(carry, i64.xor(shr(carry, 1), select(signed, c(0), old))));
    block.assign(to.result, select(signed, i64.shr_s(extended, count), i64.shr_s(i64.shl(i64.shr_u(a, count), shift), shift)));
  });
}

function products(block: Block, shift: I64, x: I64, y: I64, to: Assigned): void {
  const extended = (value: I64): I64 => block.let(i64.shr_s(i64.shl(value, shift), shift));
  const [a, b] = [extended(x), extended(y)];
  const value = block.let(i64.mul(a, b));
  const lower = extended(value);
  const sign = (x: I64, y: I64): I64 => i64.and(i64.shr_s(x, c(63)), y);
  const upper = block.let(i64.sub(i64.sub(multiplyHigh(block, a, b), sign(a, b)), sign(b, a)));
  // Of 64 bits the upper half says it, of fewer the product itself.
  const fits = i32.and(i64.eq(upper, i64.shr_s(value, c(63))), i64.eq(lower, value));
  block.assign(to.adjust, c(0));
  block.assign(to.carries, select(fits, c(0), TOP));
  block.assign(to.result, lower);
}

/** The three words of any kind and size. */
function anyWords(block: Block, kind: I64, a: I64, b: I64, third: I64): Words {
  const to: Assigned = { result: block.variable(a), carries: block.variable(b), adjust: block.variable(third) };
  const { words, left, right, rightSigned, product } = FlagKind;
  block.if(i64.eq(kind, c(words)), () => {}, () => {
    const shift = block.let(shr(kind, 8));
    const low = block.let(zext(kind, 8));
    block.if(isOneOf(low, [left, right, rightSigned]), () => shifts(block, low, shift, a, b, to), () => {
      block.if(isOneOf(low, [product]), () => products(block, shift, a, b, to), () => sums(block, low, shift, a, b, third, to), false);
    }, false);
  });
  return { result: to.result.get, carries: to.carries.get, adjust: to.adjust.get };
}

function pack({ result, carries, adjust }: Words): I32 {
  const at = (value: I32, bit: number): I32 => i32.shl(value, i32.const(bit));
  const parts = [
    at(negative(carries), 0),
    at(parity(result, adjust), 2),
    i32.and(i32.wrap_i64(adjust), i32.const(Flag.AF)),
    at(i64.eqz(result), 6),
    at(negative(i64.xor(result, adjust)), 7),
    at(negative(i64.xor(carries, shl(carries, 1))), 11),
  ];
  return parts.reduce((all, part) => i32.or(all, part));
}

const ofAll = (result: 'i32' | 'i64', body: (words: Words) => Expr): FunctionDefinition => ({
  params: ['i64', 'i64', 'i64', 'i64'],
  result,
  body: (block, ...params) => body(anyWords(block, ...(params as [I64, I64, I64, I64]))),
});

/** Conditions that are asked for often: a first operand of which, and 0 or 1 as the second, the condition says the same as of 0 or 1. */
const OFTEN: ReadonlyMap<Positive, bigint> = new Map([[1, 0n], [2, 1n], [3, 1n], [4, 0n], [6, 0n], [7, 1n]]);

const ofKind = (body: (block: Block, kind: I64, a: I64, b: I64, third: I64) => Expr, more?: Pick<FunctionDefinition, 'inPlace'>): FunctionDefinition => ({
  params: ['i64', 'i64', 'i64', 'i64'],
  result: 'i32',
  body: (block, ...params) => body(block, ...(params as [I64, I64, I64, I64])),
  ...more,
});

/** A condition of whatever is no difference. Next comes the carry that INC and DEC keep, which each of them asks for. */
const otherFunction = (positive: Positive): FunctionDefinition =>
  ofKind((block, kind, a, b, third) => {
    const result = block.variable(i32.const(0));
    const general = (): void => block.assign(result, ofWords(anyWords(block, kind, a, b, third), positive));
    const { words, increment, decrement } = FlagKind;
    if (positive === CARRY) block.if(isOneOf(block.let(zext(kind, 8)), [words, increment, decrement]), () => block.assign(result, negative(b)), general);
    else general();
    return result.get;
  });

/**
 * A condition. Most are of differences, whatever their size: put at the top, they compare as 64 bits do. What the others say is put as a
 * difference too, for one comparison to be all that a branch depends on.
 */
const holdsFunction = (positive: Positive): FunctionDefinition => {
  const first = OFTEN.get(positive);
  return ofKind((block, kind, a, b, third) => {
    const [x, y] = [block.variable(c(0)), block.variable(c(0))];
    const other = (): I64 => i64.extend_i32_u(block.call(otherName(positive), 'i32', [kind, a, b, third]));
    const isDifference = i64.eq(zext(kind, 8), c(FlagKind.difference));
    if (first === undefined) {
      block.if(isDifference, () => {
        const shift = block.let(positive === PARITY ? c(0) : shr(kind, 8));
        block.assign(x, i64.extend_i32_u(ofDifference(64, block.let(i64.shl(a, shift)), block.let(i64.shl(b, shift)), positive)));
      }, () => block.assign(x, other()));
      return i32.wrap_i64(x.get);
    }
    block.if(isDifference, () => {
      const shift = block.let(shr(kind, 8));
      block.assign(x, i64.shl(a, shift));
      block.assign(y, i64.shl(b, shift));
    }, () => {
      block.assign(x, c(first));
      block.assign(y, other());
    }, true);
    return ofDifference(64, x.get, y.get, positive);
  }, first === undefined ? undefined : { inPlace: true });
};

/** What conditions and flags of unknown kind call. */
export const flagFunctions: Readonly<Record<string, FunctionDefinition>> = {
  [CARRIES]: ofAll('i64', ({ carries }) => carries),
  [PACK_FLAGS]: ofAll('i32', pack),
  ...Object.fromEntries(([0, 1, 2, 3, 4, 5, 6, 7] as const).flatMap((positive) => [[otherName(positive), otherFunction(positive)], [holdsName(positive), holdsFunction(positive)]])),
};
