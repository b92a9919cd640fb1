/** A two-pass assembler for the instructions of the table: one section, the syntax of GNU as. */
import { AssemblyError, escaped, evaluate } from './asm_expression.ts';
import type { Scope } from './asm_expression.ts';
import { assembleInstruction, isInstruction } from './asm_instructions.ts';

export { AssemblyError } from './asm_expression.ts';

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

interface Line {
  readonly number: number;
  readonly labels: readonly string[];
  readonly name: string;
  readonly operands: string;
}

const DATA: Readonly<Record<string, number>> = {
  '.byte': 1, '.hword': 2, '.half': 2, '.short': 2, '.2byte': 2, '.word': 4, '.int': 4, '.long': 4, '.4byte': 4, '.inst': 4,
  '.xword': 8, '.dword': 8, '.quad': 8, '.8byte': 8,
};
const STRINGS: Readonly<Record<string, readonly number[]>> = { '.ascii': [], '.asciz': [0], '.string': [0] };
/** Directives without effect here: there is one section, and every symbol is returned. */
const IGNORED: ReadonlySet<string> = new Set(['.text', '.data', '.section', '.globl', '.global', '.type', '.size', '.local', '.arch', '.cpu', '.arch_extension']);
const MAX_BYTES = 1 << 28;
const NOP = 0xd503201f;

/** Cuts comments and splits statements at line ends and semicolons, minding quotes. */
function parse(source: string): Line[] {
  const lines: Line[] = [];
  let number = 1;
  let text = '';
  const flush = (): void => {
    const labels: string[] = [];
    let rest = text;
    for (let label = /^\s*([A-Za-z_.$][\w.$]*|\d+)\s*:/.exec(rest); label !== null; label = /^\s*([A-Za-z_.$][\w.$]*|\d+)\s*:/.exec(rest)) {
      labels.push(label[1] as string);
      rest = rest.slice(label[0].length);
    }
    const [, name = '', operands = ''] = /^\s*(\S*)\s*([^]*)$/.exec(rest) ?? [];
    if (labels.length > 0 || name !== '') lines.push({ number, labels, name: name.toLowerCase(), operands: operands.trim() });
    text = '';
  };
  for (const [piece] of source.matchAll(/"(?:\\.|[^"\\\n])*"|'\\?.'|\/\*[^]*?\*\/|\/\/[^\n]*|\n|;|[^"'/\n;]+|[^]/g)) {
    if (piece === ';' || piece === '\n') flush();
    else if (piece.startsWith('/*')) text += ' ';
    else if (!piece.startsWith('//')) text += piece;
    number += piece.split('\n').length - 1;
  }
  flush();
  return lines;
}

function utf8(text: string): number[] {
  return Array.from(encodeURIComponent(text.toWellFormed()).matchAll(/%(..)|./g), ([c, hex]) => (hex === undefined ? c.charCodeAt(0) : Number.parseInt(hex, 16)));
}

/** The bytes of a string in double quotes: characters in UTF-8, numeric escapes as they are. */
function stringBytes(text: string): number[] {
  if (!/^"[^]*"$/.test(text)) throw new AssemblyError(`a string in double quotes expected, not ${text}`);
  return [...text.slice(1, -1).matchAll(/\\x([0-9a-fA-F]{1,2})|\\([0-7]{1,3})|\\([^])|[^\\]+/g)].flatMap(([piece, hex, octal, letter]) => {
    if (hex !== undefined) return [Number.parseInt(hex, 16)];
    if (octal !== undefined) return [Number.parseInt(octal, 8) & 0xff];
    return utf8(letter === undefined ? piece : escaped(letter));
  });
}

const isNumeric = (label: string): boolean => /^\d/.test(label);
const never = (): boolean => false;

/** One pass: the first finds the addresses of labels, for which no instruction need be read; the second writes bytes. */
class Pass implements Scope {
  pc: bigint;
  readonly bytes: number[] = [];
  readonly symbols: Map<string, bigint>;
  readonly #first: Pass | undefined;
  readonly #locals: Map<string, bigint[]>;
  readonly #seen = new Map<string, number>();
  readonly #defined = new Set<string>();

  constructor(base: bigint, symbols: ReadonlyMap<string, bigint>, first?: Pass) {
    this.pc = base;
    this.symbols = new Map(symbols);
    this.#first = first;
    this.#locals = first === undefined ? new Map() : first.#locals;
    for (const name of symbols.keys()) this.#defined.add(name);
  }

  lookup(name: string): bigint | undefined {
    if (/^\d+[bf]$/.test(name)) {
      const seen = this.#seen.get(name.slice(0, -1)) ?? 0;
      return this.#locals.get(name.slice(0, -1))?.[name.endsWith('b') ? seen - 1 : seen];
    }
    return this.symbols.get(name) ?? this.#first?.symbols.get(name);
  }

  run(lines: readonly Line[]): this {
    for (const line of lines) {
      try {
        for (const label of line.labels) this.#define(label);
        if (line.name.startsWith('.')) this.#directive(line.name, line.operands);
        else if (line.name !== '') this.#instruction(line.name, line.operands);
      } catch (error) {
        throw error instanceof AssemblyError && error.line === 0 ? new AssemblyError(error.message, line.number) : error;
      }
    }
    return this;
  }

  #define(label: string): void {
    if (isNumeric(label)) {
      this.#seen.set(label, (this.#seen.get(label) ?? 0) + 1);
      if (this.#first === undefined) this.#locals.set(label, [...(this.#locals.get(label) ?? []), this.pc]);
      return;
    }
    if (this.#defined.has(label)) throw new AssemblyError(`${label} is already defined`);
    this.#defined.add(label);
    this.symbols.set(label, this.pc);
  }

  #evaluate(text: string): bigint {
    const value = evaluate(text.trim().replace(/^#/, ''), this, never);
    if (value === undefined) throw new AssemblyError(`cannot read "${text}" as an expression`);
    return value;
  }

  #emit(value: bigint | number, size: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let i = 0; i < size; i++, rest >>= 8n) this.bytes.push(Number(rest & 0xffn));
    this.pc += BigInt(size);
  }

  #fill(byte: number, count: number): void {
    if (count < 0 || count > MAX_BYTES - this.bytes.length) throw new AssemblyError(`${count} bytes are out of range`);
    for (let i = 0; i < count; i++) this.bytes.push(byte);
    this.pc += BigInt(count);
  }

  #instruction(name: string, operands: string): void {
    if (!isInstruction(name)) throw new AssemblyError(`unknown instruction ${name}`);
    this.#emit(this.#first === undefined ? 0 : assembleInstruction(name, operands, this), 4);
  }

  #directive(name: string, text: string): void {
    const operands = (text.match(/(?:"(?:\\.|[^"\\])*"|'\\?.'|\([^)]*\)|[^,])+/g) ?? []).map((part) => part.trim());
    const size = DATA[name];
    if (size !== undefined) {
      for (const operand of operands) this.#emit(this.#first === undefined ? 0 : this.#data(operand, size), size);
      return;
    }
    const terminator = STRINGS[name];
    if (terminator !== undefined) {
      for (const operand of operands) for (const byte of [...stringBytes(operand), ...terminator]) this.#emit(byte, 1);
      return;
    }
    const [first = '', second] = operands;
    switch (name) {
      case '.align':
      case '.p2align':
      case '.balign': {
        const value = this.#evaluate(first);
        if (value < 0n || value > (name === '.balign' ? 0x10000n : 16n)) throw new AssemblyError(`${name} ${value} is out of range`);
        this.#align(name === '.balign' ? value : 1n << value, second === undefined ? undefined : Number(this.#evaluate(second) & 0xffn));
        return;
      }
      case '.zero':
      case '.skip':
      case '.space':
        this.#fill(second === undefined ? 0 : Number(this.#evaluate(second) & 0xffn), Number(this.#evaluate(first)));
        return;
      case '.equ':
      case '.set':
        if (second === undefined) throw new AssemblyError(`${name} takes a symbol and a value`);
        this.symbols.set(first, this.#evaluate(second));
        return;
      default:
        if (!IGNORED.has(name)) throw new AssemblyError(`unknown directive ${name}`);
    }
  }

  #data(operand: string, size: number): bigint {
    const value = this.#evaluate(operand);
    const bits = size * 8;
    if (BigInt.asIntN(bits, value) !== value && BigInt.asUintN(bits, value) !== value) throw new AssemblyError(`${value} does not fit ${size} bytes`);
    return value;
  }

  /** Code is filled with NOPs. */
  #align(alignment: bigint, fill: number | undefined): void {
    if (alignment === 0n) return;
    if ((alignment & (alignment - 1n)) !== 0n) throw new AssemblyError(`alignment ${alignment} is not a power of two`);
    let count = Number(BigInt.asUintN(64, -this.pc) % alignment);
    if (fill !== undefined) return this.#fill(fill, count);
    for (; count % 4 !== 0; count--) this.#emit(0, 1);
    for (; count > 0; count -= 4) this.#emit(NOP, 4);
  }
}

/**
 * Assembles a program into one section of bytes.
 *
 * Instructions: the table's and the usual aliases, with numeric local labels and `:lo12:`. Directives: .align .p2align .balign
 * .byte .hword .word .inst .quad .ascii .asciz .string .zero .skip .equ .set.
 *
 * @example
 * const { bytes } = assemble('_start: mov x0, #42\n ret\n', { base: 0x4000_0000n });
 * @throws {AssemblyError} with the line of the first mistake
 */
export function assemble(source: string, options: AssembleOptions = {}): Assembled {
  const base = options.base ?? 0n;
  const given = new Map(Object.entries(options.symbols ?? {}));
  const lines = parse(source);
  const first = new Pass(base, given).run(lines);
  const second = new Pass(base, given, first).run(lines);
  const symbols = new Map([...second.symbols].map(([name, value]): [string, bigint] => [name, BigInt.asUintN(64, value)]));
  return { bytes: Uint8Array.from(second.bytes), symbols };
}
