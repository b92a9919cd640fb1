/** Places of vector registers: byte offsets in the state block that follow from fields of the record, found for each record anew. */
import { local } from '../ir/expr.ts';
import type { Expr, I32 } from '../ir/expr.ts';
import { folds } from '../ir/fold.ts';

/** The place, by the record's fields. */
export type Place = (field: (name: string) => number) => number;

/** Stand-ins for fields while a definition is inspected. */
export class Fields {
  readonly #names: string[] = [];

  field(name: string): I32 {
    const known = this.#names.indexOf(name);
    // Other locals do not stand for fields: they have number 0.
    return local('i32', -1 - (known < 0 ? this.#names.push(name) - 1 : known));
  }

  /** What tells places apart. */
  key(place: I32, more: number): string {
    return `${this.#text(place)}+${more}`;
  }

  /** @throws {RangeError} the place follows from something else. */
  place(expression: I32, more: number): Place {
    return (field) => this.#value(expression, field) + more;
  }

  #name(index: number): string {
    const name = this.#names[-1 - index];
    if (name === undefined) throw new RangeError('a vector register is at a place that does not follow from fields');
    return name;
  }

  #text(e: Expr): string {
    switch (e.kind) {
      case 'const':
        return `${e.value}`;
      case 'local':
        return this.#name(e.index);
      case 'unary':
        return `${e.op.name}(${this.#text(e.a)})`;
      case 'binary':
        return `${e.op.name}(${this.#text(e.a)},${this.#text(e.b)})`;
      default:
        throw new RangeError('a vector register is at a place that is not computed from fields alone');
    }
  }

  #value(e: Expr, field: (name: string) => number): number {
    switch (e.kind) {
      case 'const':
        return e.value as number;
      case 'local':
        return field(this.#name(e.index));
      case 'unary':
        return folds.get(e.op.name)?.(this.#value(e.a, field)) as number;
      case 'binary':
        return folds.get(e.op.name)?.(this.#value(e.a, field), this.#value(e.b, field)) as number;
      default:
        return 0; // none has a key
    }
  }
}
