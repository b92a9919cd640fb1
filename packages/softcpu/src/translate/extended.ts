/**
 * What is known of the values of locals: which hold 32-bit numbers, sign-extended, how many bits others have, zero-extended, and which lie in one
 * page. Extending them once more, as compilers and definitions do where they cannot know, changes nothing, and would be a link in the chain that the
 * next address waits for; so would looking for the translation of a page that is known.
 */
import { PAGE_SIZE } from '../interp/layout.ts';
import { Distances } from './distances.ts';
import type { Distance } from './distances.ts';
import { numeric } from '../wasm/opcodes.ts';
import type { MemoryOp } from '../wasm/opcodes.ts';
import type { Expr } from '../ir/expr.ts';

/** Loads that yield sign-extended numbers. */
const SIGNED_LOADS: ReadonlySet<string> = new Set(['i64.load32_s', 'i64.load16_s', 'i64.load16_u', 'i64.load8_s', 'i64.load8_u']);
/** Bits of what loads yield. */
const LOADED: ReadonlyMap<MemoryOp, number> = new Map([
  ['i32.load8_u', 8], ['i32.load16_u', 16], ['i64.load8_u', 8], ['i64.load16_u', 16], ['i64.load32_u', 32],
]);

/** How the bits of a result follow from those of the operands: as the fewer or the more of both have them, shifted, one more of a sum. */
const Rule = { none: 0, compare: 1, least: 2, most: 3, right: 4, left: 5, sum: 6 } as const;

const ruleOf = (suffix: string): number => {
  if (/^(?:eqz|(?:eq|ne|[lg][te])(?:_[su])?)$/.test(suffix)) return Rule.compare;
  const rules: Readonly<Record<string, number>> = { and: Rule.least, or: Rule.most, xor: Rule.most, shr_u: Rule.right, shl: Rule.left, add: Rule.sum };
  return rules[suffix] ?? Rule.none;
};

/** By opcode. */
const RULES = new Uint8Array(256);
for (const { name, code, sub } of Object.values(numeric)) if (sub < 0) RULES[code] = ruleOf(name.slice(4));

const AND = numeric['i64.and'];
const SHL = numeric['i64.shl'];
const ADD = numeric['i64.add'];
const ADD32 = numeric['i32.add'];
const WRAP = numeric['i32.wrap_i64'];
const EXTEND = numeric['i64.extend_i32_u'];
const EXTEND_SIGNED = numeric['i64.extend_i32_s'];
const EXTEND8 = numeric['i64.extend8_s'];
const EXTEND16 = numeric['i64.extend16_s'];
const EXTEND32 = numeric['i64.extend32_s'];
/** What yields one of two. */
const OR = numeric['i64.or'];
const XOR = numeric['i64.xor'];

const WHOLE = 64;
/** Added to the bits of a local that holds a 32-bit number, sign-extended. */
const SIGNED = 128;
const UNKNOWN = WHOLE;

/** Bits of a number that is not negative. */
function bitsOf(value: bigint, small: number | undefined): number {
  if (small !== undefined) return small < 0 ? WHOLE : Math.max(1, 32 - Math.clz32(small));
  if (value < 0n) return WHOLE;
  return 64 - Math.clz32(Number(value >> 32n)); // 2^31 at least
}

/** Bits of a mask of low bits; 0 of others. */
function maskBits(value: bigint, small: number | undefined): number {
  if (small !== undefined) return small > 0 && (small & (small + 1)) === 0 ? bitsOf(value, small) : 0;
  return value > 0n && (value & (value + 1n)) === 0n ? bitsOf(value, small) : 0;
}

const PAGE = BigInt(PAGE_SIZE);
/** Numbers of so many bits are less than a page apart. */
const PAGE_BITS = Math.log2(PAGE_SIZE);

/** The least and the greatest value. */
type Range = readonly [least: bigint, greatest: bigint];

const RANGES: readonly Range[] = Array.from({ length: PAGE_BITS + 1 }, (_, bits) => [0n, (1n << BigInt(bits)) - 1n]);

export class Extensions {
  /** By local: its bits, and whether it is {@link SIGNED}. */
  #bits: number[];
  /** Of locals whose values are less than a page apart. */
  #ranges: (Range | undefined)[];
  /** A copy has the same arrays, which are copied before either writes to them. */
  #isShared: boolean;
  readonly #distances: Distances;

  /** @param known - what was known before. */
  constructor(known?: Extensions) {
    this.#bits = known === undefined ? [] : known.#bits;
    this.#ranges = known === undefined ? [] : known.#ranges;
    this.#isShared = known !== undefined;
    if (known !== undefined) known.#isShared = true;
    this.#distances = new Distances(known === undefined ? undefined : known.#distances);
  }

  /** Nothing is known any more. */
  clear(): void {
    this.#bits = [];
    this.#ranges = [];
    this.#isShared = false;
    this.#distances.clear();
  }

  #set(index: number, bits: number, range: Range | undefined): void {
    const length = this.#bits.length;
    if (index >= length ? bits === UNKNOWN && range === undefined : this.#bits[index] === bits && this.#ranges[index] === range) return;
    if (this.#isShared) {
      this.#bits = this.#bits.slice();
      this.#ranges = this.#ranges.slice();
      this.#isShared = false;
    }
    for (let i = length; i < index; i++) {
      this.#bits.push(UNKNOWN);
      this.#ranges.push(undefined);
    }
    this.#bits[index] = bits;
    this.#ranges[index] = range;
  }

  /** A local was set to something unknown. */
  forget(index: number): void {
    this.#set(index, UNKNOWN, undefined);
    this.#distances.forget(index);
  }

  /** How far the value of a local is from another one, if it was made of that. */
  distanceOf(index: number): Distance | undefined {
    return this.#distances.known(index);
  }

  /** A local was set to a value. */
  note(index: number, value: Expr): void {
    const range = this.#range(value);
    this.#set(index, this.#width(value) | (this.#isSigned(value) ? SIGNED : 0), range !== undefined && range[1] - range[0] < PAGE ? range : undefined);
    this.#distances.note(index, value);
  }

  /** Number of the page in which an address lies whatever it is, as a signed number; undefined where that is not known. */
  pageOf(address: Expr): bigint | undefined {
    const range = this.#range(address);
    if (range === undefined) return undefined;
    const [least, greatest] = range;
    const page = least / PAGE - (least % PAGE < 0n ? 1n : 0n);
    return greatest < (page + 1n) * PAGE ? page : undefined;
  }

  /** Undefined also where values are a page apart, or more. */
  #range(e: Expr): Range | undefined {
    if (e.type !== 'i32' && e.type !== 'i64') return undefined;
    if (e.kind === 'const') {
      const value = e.type === 'i32' ? BigInt((e.value as number) >>> 0) : (e.value as bigint);
      return [value, value];
    }
    const own = e.kind === 'local' ? this.#ranges[e.index] : undefined;
    if (own !== undefined) return own;
    if (e.kind === 'unary' && e.op === EXTEND) return this.#range(e.a);
    if (e.kind === 'binary') {
      if (e.op === ADD || e.op === ADD32) {
        const a = this.#range(e.a);
        const b = a === undefined ? undefined : this.#range(e.b);
        if (a === undefined || b === undefined) return undefined;
        // What overflows goes on in another page.
        return e.type === 'i32' && a[1] + b[1] >> 32n !== 0n ? undefined : [a[0] + b[0], a[1] + b[1]];
      }
      if (e.op === SHL && e.b.kind === 'const' && this.#width(e) < WHOLE) {
        const count = e.b.value as bigint;
        const range = this.#range(e.a);
        return range === undefined ? undefined : [range[0] << count, range[1] << count];
      }
    }
    return RANGES[this.#width(e)];
  }

  #isSigned(e: Expr): boolean {
    switch (e.kind) {
      case 'const':
        return e.type === 'i64' && e.small !== undefined;
      case 'local':
        return ((this.#bits[e.index] ?? UNKNOWN) & SIGNED) !== 0;
      case 'read':
        return SIGNED_LOADS.has(e.op);
      case 'unary':
        return e.op === EXTEND_SIGNED || e.op === EXTEND32 || e.op === EXTEND16 || e.op === EXTEND8;
      case 'binary':
        return (e.op === AND || e.op === OR || e.op === XOR) && this.#isSigned(e.a) && this.#isSigned(e.b);
      default:
        return false;
    }
  }

  /** How many of the low bits may be set; of 32-bit values as if they were zero-extended. */
  #width(e: Expr): number {
    if (e.type === 'i64') return Math.min(WHOLE, this.#bitsSet(e));
    return e.type === 'i32' ? Math.min(32, this.#bitsSet(e)) : WHOLE;
  }

  #bitsSet(e: Expr): number {
    switch (e.kind) {
      case 'const':
        return bitsOf(e.value as bigint, e.small);
      case 'local':
        return (this.#bits[e.index] ?? UNKNOWN) & ~SIGNED;
      case 'read':
        return LOADED.get(e.op) ?? WHOLE;
      case 'select':
        return Math.max(this.#width(e.a), this.#width(e.b));
      case 'unary':
        if (e.op === EXTEND || e.op === WRAP) return this.#width(e.a);
        return RULES[e.op.code] === Rule.compare ? 1 : WHOLE;
      case 'binary':
        return this.#bitsOfBinary(RULES[e.op.code] as number, e.a, e.b);
      default:
        return WHOLE;
    }
  }

  #bitsOfBinary(rule: number, a: Expr, b: Expr): number {
    switch (rule) {
      case Rule.compare:
        return 1;
      case Rule.least:
        return Math.min(this.#width(a), this.#width(b));
      case Rule.most:
        return Math.max(this.#width(a), this.#width(b));
      case Rule.right:
        return Math.max(0, this.#width(a) - (countOf(b) ?? 0));
      case Rule.left: {
        const count = countOf(b);
        return count === undefined ? WHOLE : this.#width(a) + count;
      }
      case Rule.sum:
        return Math.max(this.#width(a), this.#width(b)) + 1;
      default:
        return WHOLE;
    }
  }

  /** The same value, without an extension that changes nothing. */
  simplify<T extends Expr>(value: T): T;
  simplify(value: Expr): Expr {
    if (value.kind === 'unary' && value.op === EXTEND_SIGNED) {
      const { a } = value;
      return a.kind === 'unary' && a.op === WRAP && this.#isSigned(a.a) ? a.a : value;
    }
    if (value.kind === 'binary' && value.op === AND && value.b.kind === 'const') {
      const width = this.#width(value.a);
      // Only masks of low bits leave all that is there.
      if (width < WHOLE && width <= maskBits(value.b.value as bigint, value.b.small)) return value.a;
    }
    return value;
  }
}

/** By how many bits is shifted, if that is known. */
function countOf({ kind, type, small }: Expr & { readonly small?: number | undefined }): number | undefined {
  return kind === 'const' && small !== undefined && small >= 0 && small < (type === 'i32' ? 32 : WHOLE) ? small : undefined;
}
