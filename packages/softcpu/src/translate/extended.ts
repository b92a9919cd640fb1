/**
 * Which locals of straight code hold 32-bit numbers, sign-extended: extending them once more, as compilers do where they cannot know, changes
 * nothing, and would be a link in the chain that the next address waits for.
 */
import { numeric } from '../wasm/opcodes.ts';
import type { Numeric } from '../wasm/opcodes.ts';
import type { Expr, I64 } from '../ir/expr.ts';

/** Loads and extensions that yield such numbers. */
const LOADS: ReadonlySet<string> = new Set(['i64.load32_s', 'i64.load16_s', 'i64.load16_u', 'i64.load8_s', 'i64.load8_u']);
const EXTENSIONS: ReadonlySet<Numeric> = new Set([numeric['i64.extend_i32_s'], numeric['i64.extend8_s'], numeric['i64.extend16_s'], numeric['i64.extend32_s']]);
/** What yields one of two. */
const BITWISE: ReadonlySet<Numeric> = new Set([numeric['i64.and'], numeric['i64.or'], numeric['i64.xor']]);

export class SignExtended {
  readonly #locals = new Set<number>();

  /** Nothing is known any more. */
  clear(): void {
    this.#locals.clear();
  }

  /** A local was set to something unknown. */
  forget(index: number): void {
    this.#locals.delete(index);
  }

  /** A local was set to a value. */
  note(index: number, value: Expr): void {
    if (this.#has(value)) this.#locals.add(index);
    else this.#locals.delete(index);
  }

  #has(e: Expr): boolean {
    switch (e.kind) {
      case 'const':
        return e.type === 'i64' && BigInt.asIntN(32, e.value as bigint) === e.value;
      case 'local':
        return this.#locals.has(e.index);
      case 'read':
        return LOADS.has(e.op);
      case 'unary':
        return EXTENSIONS.has(e.op);
      case 'binary':
        return BITWISE.has(e.op) && this.#has(e.a) && this.#has(e.b);
      default:
        return false;
    }
  }

  /** The same value, without an extension that changes nothing. */
  simplify(value: I64): I64 {
    if (value.kind !== 'unary' || value.op !== numeric['i64.extend_i32_s']) return value;
    const { a } = value;
    return a.kind === 'unary' && a.op === numeric['i32.wrap_i64'] && this.#has(a.a) ? (a.a as I64) : value;
  }
}
