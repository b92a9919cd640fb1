/**
 * The section in one pass over the source: its bytes, the symbols defined so far, and what the pass before knows of those that follow.
 *
 * The first pass, the layout, has nothing before it: what comes later is taken for the current address. The following passes take it from
 * the one before, until nothing changes.
 */
import type { Dialect } from './dialect.ts';
import { AssemblyError } from './error.ts';
import type { Expression, Scope } from './expression.ts';
import { parseExpression } from './expression.ts';

const MAX_BYTES = 1 << 28;
const NAME = /^(?!\.$)[A-Za-z_.$][\w.$]*$/;

export class Section implements Scope {
  readonly dialect: Dialect;
  readonly symbols: Map<string, bigint>;
  readonly #base: bigint;
  readonly #previous: Section | undefined;
  readonly #labels = new Set<string>();
  readonly #locals = new Map<string, bigint[]>();
  /** Symbols whose values rest on something that comes later. */
  readonly #ahead = new Set<string>();
  readonly #expressions: Map<string, Expression | AssemblyError>;
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;
  /** What is evaluated decides on sizes, so that it may not rest on what comes later. */
  #sizing = false;
  #looksAhead = false;

  constructor(dialect: Dialect, base: bigint, symbols: Readonly<Record<string, bigint>>, previous?: Section) {
    this.dialect = dialect;
    this.#base = base;
    this.symbols = new Map(Object.entries(symbols));
    this.#previous = previous;
    this.#expressions = previous === undefined ? new Map<string, Expression | AssemblyError>() : previous.#expressions;
    this.#buffer = previous === undefined ? new Uint8Array(4096) : previous.#buffer;
  }

  /** Whether this is the layout pass, in which values are not right yet. */
  get layout(): boolean {
    return this.#previous === undefined;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  get pc(): bigint {
    return this.#base + BigInt(this.#length);
  }

  /** What was emitted. A later pass reuses its memory. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#length);
  }

  /** Whether the pass before had the same symbols, so that what was emitted is right. */
  get settled(): boolean {
    const previous = this.#previous;
    if (previous === undefined || previous.#length !== this.#length || previous.symbols.size !== this.symbols.size) return false;
    return (
      [...this.symbols].every(([name, value]) => previous.symbols.get(name) === value) &&
      [...this.#locals].every(([label, addresses]) => addresses.every((address, i) => previous.#locals.get(label)?.[i] === address))
    );
  }

  /** Whether a name is a symbol's, defined before or after. */
  isSymbol(name: string): boolean {
    return this.symbols.has(name) || (this.#previous !== undefined && this.#previous.symbols.has(name));
  }

  symbol(name: string): bigint {
    if (name === this.dialect.here) return this.pc;
    const ahead = this.#ahead.has(name);
    const value = this.symbols.get(name);
    if (value === undefined || (ahead && this.#sizing)) return this.#later(name, this.#previous?.symbols.get(name));
    this.#looksAhead ||= ahead;
    return value;
  }

  local(label: string, direction: 'b' | 'f'): bigint {
    const seen = this.#locals.get(label) ?? [];
    if (direction === 'b' && seen.length > 0) return seen.at(-1) as bigint;
    const all = direction === 'b' || this.#previous === undefined ? undefined : this.#previous.#locals.get(label);
    return this.#later(label + direction, all?.[seen.length]);
  }

  #later(name: string, value: bigint | undefined): bigint {
    if (this.#sizing) throw new AssemblyError(`${name} is not defined before this line`);
    this.#looksAhead = true;
    if (value !== undefined) return value;
    if (this.layout) return this.pc;
    throw new AssemblyError(`${name} is not defined`);
  }

  /** @throws {AssemblyError} a name that is taken */
  defineLabel(label: string): void {
    if (/^\d/.test(label)) {
      const addresses = this.#locals.get(label);
      if (addresses === undefined) this.#locals.set(label, [this.pc]);
      else addresses.push(this.pc);
      return;
    }
    if (this.symbols.has(label)) throw new AssemblyError(`${label} is already defined`);
    this.#labels.add(label);
    this.symbols.set(label, this.pc);
  }

  /** Gives a symbol the value of an expression; what is no label may be set again. @throws {AssemblyError} */
  set(name: string, text: string): void {
    if (!NAME.test(name)) throw new AssemblyError(`${name} is no name of a symbol`);
    if (this.#labels.has(name)) throw new AssemblyError(`${name} is already defined`);
    this.#looksAhead = false;
    this.symbols.set(name, this.evaluate(text));
    if (this.#looksAhead) this.#ahead.add(name);
    else this.#ahead.delete(name);
  }

  /** The expression a text is, or what is wrong with it. */
  #parse(text: string): Expression | AssemblyError {
    let expression = this.#expressions.get(text);
    if (expression !== undefined) return expression;
    try {
      expression = parseExpression(text, this.dialect.functions ?? {});
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      expression = error;
    }
    this.#expressions.set(text, expression);
    return expression;
  }

  /** The value of an expression, signed 64-bit. @throws {AssemblyError} syntax, division by zero, symbols without a value */
  evaluate(text: string): bigint {
    const expression = this.#parse(text);
    if (expression instanceof AssemblyError) throw expression;
    return expression(this);
  }

  /** As {@link evaluate}, but undefined where the text is no expression. */
  tryEvaluate(text: string): bigint | undefined {
    const expression = this.#parse(text);
    return expression instanceof AssemblyError ? undefined : expression(this);
  }

  /** Evaluates what decides how many bytes a statement has: it must be known where it stands. @throws {AssemblyError} */
  size(text: string): bigint {
    this.#sizing = true;
    try {
      return this.evaluate(text);
    } finally {
      this.#sizing = false;
    }
  }

  /** Emits the low bytes of a value, the lowest first. */
  emit(value: bigint | number, size: number): void {
    const at = this.#reserve(size);
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let i = 0; i < size; i++, rest >>= 8n) this.#buffer[at + i] = Number(rest & 0xffn);
  }

  /** Emits bytes as they are. */
  write(bytes: ArrayLike<number>): void {
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** Emits a value of so many bytes many times. @throws {AssemblyError} `count` is negative or beyond what a section may have */
  fill(count: bigint, directive: string, value: bigint = 0n, size: number = 1): void {
    if (count < 0n || count * BigInt(size) > MAX_BYTES - this.#length) throw new AssemblyError(`${directive} ${count} is out of range`);
    if (count === 0n) return;
    const total = Number(count) * size;
    const at = this.#length;
    this.emit(value, size);
    this.#reserve(total - size);
    for (let done = size; done < total; done *= 2) this.#buffer.copyWithin(at + done, at, at + Math.min(done, total - done));
  }

  /** Takes room at the end. @returns where it begins */
  #reserve(size: number): number {
    const at = this.#length;
    if (size > MAX_BYTES - at) throw new AssemblyError('the program is too long');
    this.#length += size;
    if (this.#length > this.#buffer.length) {
      const bytes = new Uint8Array(Math.max(this.#length, 2 * this.#buffer.length));
      bytes.set(this.#buffer);
      this.#buffer = bytes;
    }
    return at;
  }
}
