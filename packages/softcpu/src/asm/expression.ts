/** Expressions of assembly source: 64-bit integers, with the operators and the precedence of GNU as (its manual, "Infix Operators"). */
import { AssemblyError } from './error.ts';
import { characterCode } from './source.ts';

/** What an expression refers to, at the statement it stands in. Both throw where there is no value. */
export interface Scope {
  /** Address of what is assembled next. */
  readonly pc: bigint;
  symbol(name: string): bigint;
  /** The address of the nearest numeric label before (b) or after (f) the statement. */
  local(label: string, direction: 'b' | 'f'): bigint;
}

/** An expression that was read: what it is worth where it stands, modulo 2^64 as a signed number. */
export type Expression = (scope: Scope) => bigint;

/**
 * Relocation functions of an instruction set by their spelling: `%name` is called with parentheses, `:name:` stands before
 * an expression. They get the value, signed 64-bit, and the address of the instruction.
 */
export type Functions = Readonly<Record<string, (value: bigint, pc: bigint) => bigint>>;

const NUMBER = /\s*(0[xX][\da-fA-F]+|0[bB][01]+|0[0-7]*|[1-9]\d*)(?![\w.$])/y;
const LOCAL = /\s*(\d+[bf])(?![\w.$])/y;
const SYMBOL = /\s*([A-Za-z_.$][\w.$]*)/y;
const CHARACTER = /\s*('\\?[^]')/y;
const FUNCTION = /\s*(%\w+|:\w+:)/y;
const OPERATOR = /\s*(<<|>>|[-+*/%&|^~()])/y;

const MAX_DEPTH = 100;

const wrap = (value: bigint): bigint => BigInt.asIntN(64, value);

function shift(value: bigint, by: bigint, left: boolean): bigint {
  if (by < 0n || by > 63n) throw new AssemblyError(`shift by ${by} in an expression`);
  return left ? value << by : BigInt.asUintN(64, value) >> by;
}

function divisor(value: bigint): bigint {
  if (value === 0n) throw new AssemblyError('division by zero in an expression');
  return value;
}

const infix: Readonly<Record<string, readonly [rank: number, apply: (a: bigint, b: bigint) => bigint]>> = {
  '+': [1, (a, b) => a + b],
  '-': [1, (a, b) => a - b],
  '|': [2, (a, b) => a | b],
  '&': [2, (a, b) => a & b],
  '^': [2, (a, b) => a ^ b],
  '*': [3, (a, b) => a * b],
  '/': [3, (a, b) => a / divisor(b)],
  '%': [3, (a, b) => a % divisor(b)],
  '<<': [3, (a, b) => shift(a, b, true)],
  '>>': [3, (a, b) => shift(a, b, false)],
};

const prefix: Readonly<Record<string, (a: bigint) => bigint>> = { '+': (a) => a, '-': (a) => -a, '~': (a) => ~a };

/** Reads by recursive descent. */
class Parser {
  readonly #text: string;
  readonly #functions: Functions;
  #at = 0;
  #depth = 0;

  constructor(text: string, functions: Functions) {
    this.#text = text;
    this.#functions = functions;
  }

  all(): Expression {
    const value = this.#sum(1);
    if (this.#rest !== '') throw new AssemblyError(`cannot read "${this.#rest}" in an expression`);
    return value;
  }

  get #rest(): string {
    return this.#text.slice(this.#at).trim();
  }

  /** What a pattern finds here, which is then behind. */
  #accept(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[1];
    if (found !== undefined) this.#at = pattern.lastIndex;
    return found;
  }

  #expect(text: string): void {
    if (this.#accept(OPERATOR) !== text) throw new AssemblyError(`"${text}" expected in "${this.#text.trim()}"`);
  }

  #sum(lowest: number): Expression {
    const first = this.#primary();
    const steps: { readonly apply: (a: bigint, b: bigint) => bigint; readonly right: Expression }[] = [];
    for (;;) {
      const before = this.#at;
      const [rank, apply] = infix[this.#accept(OPERATOR) ?? ''] ?? [0];
      if (apply === undefined || rank < lowest) {
        this.#at = before;
        return steps.length === 0 ? first : (scope) => steps.reduce((left, step) => wrap(step.apply(left, step.right(scope))), first(scope));
      }
      steps.push({ apply, right: this.#sum(rank + 1) });
    }
  }

  #primary(): Expression {
    if (++this.#depth > MAX_DEPTH) throw new AssemblyError('an expression is nested too deeply');
    const value = this.#operand();
    this.#depth--;
    return value;
  }

  #operand(): Expression {
    const number = this.#accept(NUMBER);
    if (number !== undefined) {
      const value = wrap(BigInt(/^0\d/.test(number) ? `0o${number}` : number));
      return () => value;
    }
    const local = this.#accept(LOCAL);
    if (local !== undefined) return (scope) => wrap(scope.local(local.slice(0, -1), local.endsWith('b') ? 'b' : 'f'));
    const symbol = this.#accept(SYMBOL);
    if (symbol !== undefined) return (scope) => wrap(symbol === '.' ? scope.pc : scope.symbol(symbol));
    const character = this.#accept(CHARACTER);
    if (character !== undefined) return () => characterCode(character);
    const name = this.#accept(FUNCTION);
    return name === undefined ? this.#prefixed() : this.#call(name);
  }

  #prefixed(): Expression {
    const rest = this.#rest;
    const operator = this.#accept(OPERATOR);
    if (operator === '(') return this.#parenthesised();
    if (operator === undefined && rest !== '') throw new AssemblyError(`cannot read "${rest}" in an expression`);
    const apply = prefix[operator ?? ''];
    if (apply === undefined) throw new AssemblyError(`operand expected in "${this.#text.trim()}"`);
    const operand = this.#primary();
    return (scope) => wrap(apply(operand(scope)));
  }

  /** What stands behind an opening parenthesis. */
  #parenthesised(): Expression {
    const value = this.#sum(1);
    this.#expect(')');
    return value;
  }

  #call(name: string): Expression {
    const apply = this.#functions[name];
    if (apply === undefined) throw new AssemblyError(`unknown function ${name}`);
    if (!name.endsWith(':')) this.#expect('(');
    const operand = name.endsWith(':') ? this.#sum(1) : this.#parenthesised();
    return (scope) => wrap(apply(operand(scope), scope.pc));
  }
}

/** Reads an expression. @throws {AssemblyError} the text is none */
export function parseExpression(text: string, functions: Functions): Expression {
  return new Parser(text, functions).all();
}
