/**
 * How far values of locals are from one another, where that is known: those that were made of one value by adding constants. Sums of 32 bits are
 * a family of their own, whose distances are modulo 2^32.
 */
import type { Expr } from '../ir/expr.ts';

const LOW = 0xffff_ffffn;

/** A value as a distance from another one, which nothing else is known of. */
export interface Distance {
  /** Stands for the other value. */
  readonly from: object;
  readonly bytes: bigint;
  /** Of the low 32 bits of both. */
  readonly narrow: boolean;
}

export class Distances {
  readonly #known: Map<number, Distance>;
  /** By local: what stands for the low 32 bits of its value. */
  readonly #low: Map<number, object>;

  /** @param known - what was known before. */
  constructor(known?: Distances) {
    this.#known = new Map(known === undefined ? [] : known.#known);
    this.#low = new Map(known === undefined ? [] : known.#low);
  }

  clear(): void {
    this.#known.clear();
    this.#low.clear();
  }

  /** A local was set to something unknown. */
  forget(index: number): void {
    this.#known.delete(index);
    this.#low.delete(index);
  }

  /** A local was set to a value. */
  note(index: number, value: Expr): void {
    const distance = this.of(value);
    this.forget(index);
    if (distance !== undefined) this.#known.set(index, distance);
  }

  /** Of a local that was made of another one, or of which one was made. */
  known(index: number): Distance | undefined {
    return this.#known.get(index);
  }

  of(e: Expr): Distance | undefined {
    if (e.type !== 'i64') return undefined;
    if (e.kind === 'local') return this.#ofLocal(e.index);
    if (e.kind === 'unary' && e.op.name === 'i64.extend_i32_u') {
      const sum = sumOf(e.a, 'i32');
      const { a } = sum?.value.kind === 'unary' && sum.value.op.name === 'i32.wrap_i64' ? sum.value : {};
      return sum === undefined || a?.kind !== 'local' ? undefined : this.#ofLow(a.index, sum.bytes);
    }
    if (e.kind !== 'binary') return undefined;
    if (e.op.name === 'i64.and') return e.a.kind === 'local' && e.b.kind === 'const' && e.b.value === LOW ? this.#ofLow(e.a.index, 0n) : undefined;
    const sum = sumOf(e, 'i64');
    if (sum?.value.kind !== 'local') return undefined;
    const { from, bytes, narrow } = this.#ofLocal(sum.value.index);
    return narrow ? undefined : { from, bytes: bytes + sum.bytes, narrow };
  }

  #ofLocal(index: number): Distance {
    let distance = this.#known.get(index);
    if (distance === undefined) this.#known.set(index, (distance = { from: {}, bytes: 0n, narrow: false }));
    return distance;
  }

  #ofLow(index: number, bytes: bigint): Distance {
    const known = this.#known.get(index);
    if (known?.narrow === true) return { ...known, bytes: BigInt.asIntN(32, known.bytes + bytes) };
    let from = this.#low.get(index);
    if (from === undefined) this.#low.set(index, (from = {}));
    return { from, bytes: BigInt.asIntN(32, bytes), narrow: true };
  }
}

/** A sum or difference with a constant. */
function sumOf(e: Expr, type: 'i32' | 'i64'): { readonly value: Expr; readonly bytes: bigint } | undefined {
  if (e.kind !== 'binary' || e.b.kind !== 'const') return undefined;
  const bytes = BigInt(e.b.value);
  if (e.op.name === `${type}.add`) return { value: e.a, bytes };
  return e.op.name === `${type}.sub` ? { value: e.a, bytes: -bytes } : undefined;
}
