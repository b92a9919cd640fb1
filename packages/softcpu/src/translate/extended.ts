/**
 * What is known of the values of locals: which hold 32-bit numbers, sign-extended, how many bits others have, zero-extended, and which lie in one
 * page. Extending them once more, as compilers and definitions do where they cannot know, changes nothing, and would be a link in the chain that the
 * next address waits for; so would looking for the translation of a page that is known.
 */
import { PAGE_SIZE } from '../interp/layout.ts';
import { Distances } from './distances.ts';
import type { Distance } from './distances.ts';
import { numeric } from '../wasm/opcodes.ts';
import type { Numeric } from '../wasm/opcodes.ts';
import type { Expr } from '../ir/expr.ts';

/** Loads and extensions that yield sign-extended numbers. */
const SIGNED_LOADS: ReadonlySet<string> = new Set(['i64.load32_s', 'i64.load16_s', 'i64.load16_u', 'i64.load8_s', 'i64.load8_u']);
const SIGN_EXTENSIONS: ReadonlySet<Numeric> = new Set([numeric['i64.extend_i32_s'], numeric['i64.extend8_s'], numeric['i64.extend16_s'], numeric['i64.extend32_s']]);
/** What yields one of two. */
const BITWISE: ReadonlySet<Numeric> = new Set([numeric['i64.and'], numeric['i64.or'], numeric['i64.xor']]);
/** Bits of what loads yield. */
const LOADED: ReadonlyMap<string, number> = new Map([
  ['i32.load8_u', 8], ['i32.load16_u', 16], ['i64.load8_u', 8], ['i64.load16_u', 16], ['i64.load32_u', 32],
]);
const COMPARISON = /\.(?:eqz|(?:eq|ne|[lg][te])(?:_[su])?)$/;

const WHOLE = 64;

/** Bits of a number that is not negative. */
const bitsOf = (value: bigint): number => (value < 0n ? WHOLE : value.toString(2).length);

const PAGE = BigInt(PAGE_SIZE);

/** The least and the greatest value. */
type Range = readonly [least: bigint, greatest: bigint];

export class Extensions {
  readonly #signed: Set<number>;
  /** Bits of locals that have not all of them. */
  readonly #bits: Map<number, number>;
  /** Of locals whose values are less than a page apart. */
  readonly #ranges: Map<number, Range>;
  readonly #distances: Distances;

  /** @param known - what was known before. */
  constructor(known?: Extensions) {
    this.#signed = new Set(known === undefined ? [] : known.#signed);
    this.#bits = new Map(known === undefined ? [] : known.#bits);
    this.#ranges = new Map(known === undefined ? [] : known.#ranges);
    this.#distances = new Distances(known === undefined ? undefined : known.#distances);
  }

  /** Nothing is known any more. */
  clear(): void {
    this.#signed.clear();
    this.#bits.clear();
    this.#ranges.clear();
    this.#distances.clear();
  }

  /** A local was set to something unknown. */
  forget(index: number): void {
    this.#signed.delete(index);
    this.#bits.delete(index);
    this.#ranges.delete(index);
    this.#distances.forget(index);
  }

  /** How far the value of a local is from another one, if it was made of that. */
  distanceOf(index: number): Distance | undefined {
    return this.#distances.known(index);
  }

  /** A local was set to a value. */
  note(index: number, value: Expr): void {
    const bits = this.#width(value);
    const range = this.#range(value);
    if (this.#isSigned(value)) this.#signed.add(index);
    else this.#signed.delete(index);
    if (bits < WHOLE) this.#bits.set(index, bits);
    else this.#bits.delete(index);
    if (range !== undefined && range[1] - range[0] < PAGE) this.#ranges.set(index, range);
    else this.#ranges.delete(index);
    this.#distances.note(index, value);
  }

  /** Number of the page in which an address lies whatever it is, as a signed number; undefined where that is not known. */
  pageOf(address: Expr): bigint | undefined {
    const [least, greatest] = this.#range(address) ?? [0n, PAGE];
    const page = least / PAGE - (least % PAGE < 0n ? 1n : 0n);
    return greatest < (page + 1n) * PAGE ? page : undefined;
  }

  #range(e: Expr): Range | undefined {
    if (e.type !== 'i32' && e.type !== 'i64') return undefined;
    if (e.kind === 'const') {
      const value = e.type === 'i32' ? BigInt((e.value as number) >>> 0) : (e.value as bigint);
      return [value, value];
    }
    const own = e.kind === 'local' ? this.#ranges.get(e.index) : undefined;
    if (own !== undefined) return own;
    if (e.kind === 'unary' && e.op === numeric['i64.extend_i32_u']) return this.#range(e.a);
    if (e.kind === 'binary' && (e.op === numeric['i64.add'] || e.op === numeric['i32.add'])) {
      const [a, b] = [this.#range(e.a), this.#range(e.b)];
      if (a === undefined || b === undefined) return undefined;
      // What overflows goes on in another page.
      return e.type === 'i32' && a[1] + b[1] >> 32n !== 0n ? undefined : [a[0] + b[0], a[1] + b[1]];
    }
    if (e.kind === 'binary' && e.op === numeric['i64.shl'] && e.b.kind === 'const' && this.#width(e) < WHOLE) {
      const count = e.b.value as bigint;
      const [least, greatest] = this.#range(e.a) as Range;
      return [least << count, greatest << count];
    }
    const bits = this.#width(e);
    return bits < WHOLE ? [0n, (1n << BigInt(bits)) - 1n] : undefined;
  }

  #isSigned(e: Expr): boolean {
    switch (e.kind) {
      case 'const':
        return e.type === 'i64' && BigInt.asIntN(32, e.value as bigint) === e.value;
      case 'local':
        return this.#signed.has(e.index);
      case 'read':
        return SIGNED_LOADS.has(e.op);
      case 'unary':
        return SIGN_EXTENSIONS.has(e.op);
      case 'binary':
        return BITWISE.has(e.op) && this.#isSigned(e.a) && this.#isSigned(e.b);
      default:
        return false;
    }
  }

  /** How many of the low bits may be set; of 32-bit values as if they were zero-extended. */
  #width(e: Expr): number {
    if (e.type !== 'i32' && e.type !== 'i64') return WHOLE;
    const most = e.type === 'i32' ? 32 : WHOLE;
    return Math.min(most, this.#bitsSet(e));
  }

  #bitsSet(e: Expr): number {
    switch (e.kind) {
      case 'const':
        return bitsOf(BigInt(e.value));
      case 'local':
        return this.#bits.get(e.index) ?? WHOLE;
      case 'read':
        return LOADED.get(e.op) ?? WHOLE;
      case 'select':
        return Math.max(this.#width(e.a), this.#width(e.b));
      case 'unary':
        if (e.op === numeric['i64.extend_i32_u'] || e.op === numeric['i32.wrap_i64']) return this.#width(e.a);
        return COMPARISON.test(e.op.name) ? 1 : WHOLE;
      case 'binary':
        return this.#bitsOfBinary(e.op.name, e.a, e.b);
      default:
        return WHOLE;
    }
  }

  #bitsOfBinary(name: string, a: Expr, b: Expr): number {
    const whole = name.startsWith('i32') ? 32 : WHOLE;
    const count = b.kind === 'const' && b.value >= 0 && b.value < whole ? Number(b.value) : undefined;
    switch (name.slice(4)) {
      case 'and':
        return Math.min(this.#width(a), this.#width(b));
      case 'or':
      case 'xor':
        return Math.max(this.#width(a), this.#width(b));
      case 'shr_u':
        return count === undefined ? this.#width(a) : Math.max(0, this.#width(a) - count);
      case 'shl':
        return count === undefined ? WHOLE : this.#width(a) + count;
      case 'add':
        return Math.max(this.#width(a), this.#width(b)) + 1;
      default:
        return COMPARISON.test(name) ? 1 : WHOLE;
    }
  }

  /** The same value, without an extension that changes nothing. */
  simplify<T extends Expr>(value: T): T;
  simplify(value: Expr): Expr {
    if (value.kind === 'unary' && value.op === numeric['i64.extend_i32_s']) {
      const { a } = value;
      return a.kind === 'unary' && a.op === numeric['i32.wrap_i64'] && this.#isSigned(a.a) ? a.a : value;
    }
    if (value.kind === 'binary' && value.op === numeric['i64.and'] && value.b.kind === 'const') {
      const mask = value.b.value as bigint;
      // Only masks of low bits leave all that is there.
      if (mask > 0n && (mask & (mask + 1n)) === 0n && this.#width(value.a) <= bitsOf(mask)) return value.a;
    }
    return value;
  }
}
