/** A two-pass assembler for RV64GC with the extensions of the table: one section, no compression of its own, no relaxation, the syntax of GNU as. */

import type { Scope } from './asm_expression.ts';
import { AssemblyError, evaluate } from './asm_expression.ts';
import { assembleInstruction, isInstruction } from './asm_instructions.ts';
import { expandMacro } from './asm_macros.ts';
import type { Statement } from './asm_source.ts';
import { parseSource, stringBytes } from './asm_source.ts';

export { AssemblyError } from './asm_expression.ts';
export { csrNames, csrNumbers } from './csr_names.ts';

/** Where and with what to assemble. */
export interface AssembleOptions {
  /** Address of the first byte, 64-bit; 0 by default. */
  readonly base?: bigint;
  /** Symbols with absolute values, defined from outside. */
  readonly symbols?: Readonly<Record<string, bigint>>;
}

/** The result: the section's bytes and the values of labels, `.equ` symbols and the symbols given, unsigned 64-bit. */
export interface Assembled {
  readonly bytes: Uint8Array;
  readonly symbols: Map<string, bigint>;
}

const dataSizes: Readonly<Record<string, number>> = {
  '.byte': 1, '.half': 2, '.short': 2, '.2byte': 2, '.word': 4, '.int': 4, '.long': 4, '.4byte': 4, '.dword': 8, '.quad': 8, '.8byte': 8,
};
const stringTerminators: Readonly<Record<string, readonly number[]>> = { '.ascii': [], '.asciz': [0], '.string': [0] };
/** Directives without effect here: there is one section, every symbol is returned, nothing is relaxed or compressed. */
const ignored = new Set(['.text', '.globl', '.global', '.option', '.type', '.size', '.local']);
const MAX_BYTES = 1 << 28;
const NOP = 0x13;

/** One pass over the statements. In the first pass symbols may be undefined where only a value, not a size, depends on them. */
class Pass implements Scope {
  pc: bigint;
  readonly bytes: number[] = [];
  readonly labels: Map<string, bigint>;
  readonly #equates: Map<string, bigint>;
  readonly #locals: Map<string, bigint[]>;
  readonly #localsSeen = new Map<string, number>();
  readonly #pcrelHi = new Map<bigint, bigint>();
  readonly #previous: Pass | undefined;
  #sizing = false;
  guessed = false;

  constructor(base: bigint, symbols: ReadonlyMap<string, bigint>, previous?: Pass) {
    this.pc = base;
    this.#previous = previous;
    this.labels = new Map(previous?.labels);
    this.#locals = previous === undefined ? new Map() : previous.#locals;
    this.#equates = new Map(symbols);
  }

  get symbols(): Map<string, bigint> {
    return new Map([...this.#equates, ...this.labels].map(([name, value]) => [name, BigInt.asUintN(64, value)]));
  }

  lookup(name: string): bigint | undefined {
    const value = this.#equates.get(name) ?? this.labels.get(name);
    // Sizes must come out the same in both passes, so they may not depend on what only the second knows.
    if (value !== undefined || this.#previous === undefined || this.#sizing) return value;
    return this.#previous.#equates.get(name);
  }

  local(label: string, direction: 'b' | 'f'): bigint | undefined {
    const seen = this.#localsSeen.get(label) ?? 0;
    return this.#locals.get(label)?.[direction === 'b' ? seen - 1 : seen];
  }

  undefinedSymbol(name: string): bigint {
    this.guessed = true;
    if (this.#previous !== undefined || this.#sizing) throw new AssemblyError(`${name} is not defined${this.#sizing ? ' before this line' : ''}`);
    return this.pc;
  }

  notePcrelHi(offset: bigint): void {
    this.#pcrelHi.set(this.pc, offset);
  }

  pcrelHiAt(address: bigint): bigint | undefined {
    return this.#pcrelHi.get(address);
  }

  run(statements: readonly Statement[]): this {
    for (const statement of statements) {
      try {
        for (const label of statement.labels) this.#define(label);
        this.guessed = false;
        if (statement.name !== '') this.#statement(statement.name, statement.operands);
      } catch (error) {
        throw error instanceof AssemblyError ? new AssemblyError(error.message, statement.line) : error;
      }
    }
    return this;
  }

  #define(label: string): void {
    if (/^\d/.test(label)) {
      this.#localsSeen.set(label, (this.#localsSeen.get(label) ?? 0) + 1);
      if (this.#previous === undefined) this.#locals.set(label, [...(this.#locals.get(label) ?? []), this.pc]);
      return;
    }
    if (this.#previous === undefined && this.labels.has(label) || this.#equates.has(label)) throw new AssemblyError(`${label} is already defined`);
    this.labels.set(label, this.pc);
  }

  /** Evaluates what decides how many bytes a statement has. */
  #size(text: string): bigint {
    this.#sizing = true;
    try {
      return evaluate(text, this);
    } finally {
      this.#sizing = false;
    }
  }

  #emit(value: bigint | number, size: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let i = 0; i < size; i++, rest >>= 8n) this.bytes.push(Number(rest & 0xffn));
    this.pc += BigInt(size);
  }

  #fill(byte: number, count: number): void {
    for (let i = 0; i < count; i++) this.bytes.push(byte);
    this.pc += BigInt(count);
  }

  #instruction(name: string, operands: readonly string[]): void {
    const { bits, length } = assembleInstruction(name, operands, this);
    this.#emit(bits, length);
  }

  #statement(name: string, operands: readonly string[]): void {
    if (name.startsWith('.')) {
      this.#directive(name, operands);
      return;
    }
    const expansion = expandMacro(name, operands, (text) => this.#size(text));
    if (expansion !== undefined) for (const [step, ...stepOperands] of expansion) this.#instruction(step, stepOperands);
    else if (isInstruction(name)) this.#instruction(name, operands);
    else throw new AssemblyError(`unknown instruction ${name}`);
  }

  #directive(name: string, operands: readonly string[]): void {
    const size = dataSizes[name];
    if (size !== undefined) {
      for (const operand of operands) this.#data(operand, size);
      return;
    }
    const terminator = stringTerminators[name];
    if (terminator !== undefined) {
      for (const operand of operands) for (const byte of [...stringBytes(operand), ...terminator]) this.#emit(byte, 1);
      return;
    }
    switch (name) {
      case '.align':
      case '.p2align':
      case '.balign': {
        const value = this.#size(operands[0] ?? '');
        if (value < 0n || value > (name === '.balign' ? 0x10000n : 16n)) throw new AssemblyError(`${name} ${value} is out of range`);
        const alignment = name === '.balign' ? value : 1n << value;
        this.#align(alignment, operands[1] === undefined ? undefined : evaluate(operands[1], this));
        return;
      }
      case '.zero':
      case '.skip':
      case '.space': {
        const count = this.#size(operands[0] ?? '');
        if (count < 0n || count > MAX_BYTES - this.bytes.length) throw new AssemblyError(`${name} ${count} is out of range`);
        const fill = operands[1] === undefined ? 0n : evaluate(operands[1], this);
        this.#fill(Number(fill & 0xffn), Number(count));
        return;
      }
      case '.equ':
      case '.set': {
        const [symbol, value] = operands;
        if (symbol === undefined || value === undefined) throw new AssemblyError(`${name} takes a symbol and a value`);
        if (this.labels.has(symbol)) throw new AssemblyError(`${symbol} is already defined`);
        const result = evaluate(value, this);
        if (this.guessed) this.#equates.delete(symbol);
        else this.#equates.set(symbol, result);
        return;
      }
      default:
        if (!ignored.has(name)) throw new AssemblyError(`unknown directive ${name}`);
    }
  }

  #data(operand: string, size: number): void {
    const value = evaluate(operand, this);
    const bits = size * 8;
    const fits = BigInt.asIntN(bits, value) === value || BigInt.asUintN(bits, value) === value || size === 8;
    if (!fits && !this.guessed) throw new AssemblyError(`${value} does not fit ${size} bytes`);
    this.#emit(value, size);
  }

  #align(alignment: bigint, fill: bigint | undefined): void {
    if (alignment === 0n) return;
    if ((alignment & (alignment - 1n)) !== 0n) throw new AssemblyError(`alignment ${alignment} is not a power of two`);
    let count = Number(BigInt.asUintN(64, -this.pc) % alignment);
    if (fill === undefined) {
      for (; count % 4 !== 0; count--) this.#emit(0, 1);
      for (; count > 0; count -= 4) this.#emit(NOP, 4);
    } else this.#fill(Number(fill & 0xffn), count);
  }
}

/**
 * Assembles a program into one section of bytes.
 *
 * Syntax and precedence of operators are GNU as's. Instructions: the table's, with c.* written out, the usual pseudo-instructions, numeric
 * local labels. A symbol may be used before its label; the value of an .equ that is used before it stands may not itself look ahead.
 * Directives: .align .p2align .balign .byte .half .word .dword .ascii .asciz .string .zero .skip .equ .set.
 *
 * @example
 * const { bytes } = assemble('_start: li a0, 42\n ret\n', { base: 0x8000_0000n });
 * @throws {AssemblyError} with the line of the first mistake
 */
export function assemble(source: string, options: AssembleOptions = {}): Assembled {
  const base = options.base ?? 0n;
  const given = new Map(Object.entries(options.symbols ?? {}));
  const statements = parseSource(source);
  const first = new Pass(base, given).run(statements);
  const second = new Pass(base, given, first).run(statements);
  return { bytes: Uint8Array.from(second.bytes), symbols: second.symbols };
}
