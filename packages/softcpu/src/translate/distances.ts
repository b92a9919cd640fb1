/**
 * How far values of locals are from one another, where that is known: those that were made of one value by adding constants. Sums of 32 bits are
 * a family of their own, whose distances are modulo 2^32.
 */
import { numeric } from '../wasm/opcodes.ts';
import type { Numeric } from '../wasm/opcodes.ts';
import type { Expr } from '../ir/expr.ts';

const LOW = 0xffff_ffffn;

const EXTEND = numeric['i64.extend_i32_u'];
const WRAP = numeric['i32.wrap_i64'];
const AND = numeric['i64.and'];
const ADD = numeric['i64.add'];
const SUB = numeric['i64.sub'];
const ADD32 = numeric['i32.add'];
const SUB32 = numeric['i32.sub'];

/** A value as a distance from another one, which nothing else is known of. */
export interface Distance {
  /** Stands for the other value. */
  readonly from: object;
  readonly bytes: number;
  /** Of the low 32 bits of both. */
  readonly narrow: boolean;
}

export class Distances {
  #known: (Distance | undefined)[];
  /** By local: what stands for the low 32 bits of its value. */
  #low: (object | undefined)[];
  /** A copy has the same arrays, which are copied before either writes to them. */
  #isShared: boolean;

  /** @param known - what was known before. */
  constructor(known?: Distances) {
    this.#known = known === undefined ? [] : known.#known;
    this.#low = known === undefined ? [] : known.#low;
    this.#isShared = known !== undefined;
    if (known !== undefined) known.#isShared = true;
  }

  clear(): void {
    this.#known = [];
    this.#low = [];
    this.#isShared = false;
  }

  /** A local was set to something unknown. */
  forget(index: number): void {
    if (this.#known[index] !== undefined) this.#setKnown(index, undefined);
    if (this.#low[index] !== undefined) this.#setLow(index, undefined);
  }

  /** A local was set to a value. */
  note(index: number, value: Expr): void {
    const distance = this.of(value);
    this.forget(index);
    if (distance !== undefined) this.#setKnown(index, distance);
  }

  /** Of a local that was made of another one, or of which one was made. */
  known(index: number): Distance | undefined {
    return this.#known[index];
  }

  of(e: Expr): Distance | undefined {
    if (e.type !== 'i64') return undefined;
    if (e.kind === 'local') return this.#ofLocal(e.index);
    if (e.kind === 'unary') {
      if (e.op !== EXTEND) return undefined;
      const bytes = added(e.a, ADD32, SUB32);
      if (bytes === undefined) return undefined;
      const { a } = e.a as Sum;
      return a.kind === 'unary' && a.op === WRAP && a.a.kind === 'local' ? this.#ofLow(a.a.index, bytes) : undefined;
    }
    if (e.kind !== 'binary' || e.a.kind !== 'local') return undefined;
    if (e.op === AND) return e.b.kind === 'const' && e.b.value === LOW ? this.#ofLow(e.a.index, 0) : undefined;
    const more = added(e, ADD, SUB);
    if (more === undefined) return undefined;
    const { from, bytes, narrow } = this.#ofLocal(e.a.index);
    return narrow ? undefined : { from, bytes: bytes + more, narrow };
  }

  #ofLocal(index: number): Distance {
    let distance = this.#known[index];
    if (distance === undefined) this.#setKnown(index, (distance = { from: {}, bytes: 0, narrow: false }));
    return distance;
  }

  #ofLow(index: number, bytes: number): Distance {
    const known = this.#known[index];
    if (known?.narrow === true) return { from: known.from, bytes: (known.bytes + bytes) | 0, narrow: true };
    let from = this.#low[index];
    if (from === undefined) this.#setLow(index, (from = {}));
    return { from, bytes: bytes | 0, narrow: true };
  }

  #setKnown(index: number, distance: Distance | undefined): void {
    this.#own();
    while (this.#known.length < index) this.#known.push(undefined);
    this.#known[index] = distance;
  }

  #setLow(index: number, low: object | undefined): void {
    this.#own();
    while (this.#low.length < index) this.#low.push(undefined);
    this.#low[index] = low;
  }

  #own(): void {
    if (!this.#isShared) return;
    this.#known = this.#known.slice();
    this.#low = this.#low.slice();
    this.#isShared = false;
  }
}

type Sum = Expr & { readonly kind: 'binary' };

/** What is added to the left operand, by one of two instructions; undefined where that is no constant of 32 bits: what is further away is not near. */
function added(e: Expr, add: Numeric, sub: Numeric): number | undefined {
  if (e.kind !== 'binary' || e.b.kind !== 'const') return undefined;
  const { small } = e.b;
  if (small === undefined) return undefined;
  return e.op === add ? small : e.op === sub ? -small : undefined;
}
