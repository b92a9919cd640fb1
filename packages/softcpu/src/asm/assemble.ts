/** The driver of the assemblers: passes over a source until the addresses of its labels settle. */
import type { Dialect } from './dialect.ts';
import { directive } from './directives.ts';
import { AssemblyError } from './error.ts';
import { Section } from './section.ts';
import type { Statement } from './source.ts';
import { parseSource } from './source.ts';

/** Where and with what to assemble. */
export interface AssembleOptions {
  /** Address of the first byte, 64-bit; 0 by default. */
  readonly base?: bigint;
  /** Symbols with absolute values, defined from outside. */
  readonly symbols?: Readonly<Record<string, bigint>>;
}

/** The result: the section's bytes and the values of labels, `.equ` symbols and the symbols given, unsigned 64-bit. */
export interface Assembled {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly symbols: ReadonlyMap<string, bigint>;
}

const MAX_PASSES = 60;

/** One pass. A statement that is wrong keeps the length it had, so that those after it are not judged by other addresses. */
function run(section: Section, statements: readonly Statement[], lengths: number[]): AssemblyError | undefined {
  let first: AssemblyError | undefined;
  for (const [i, { line, labels, name, operands }] of statements.entries()) {
    const start = section.length;
    try {
      for (const label of labels) section.defineLabel(label);
      if (name.startsWith('.')) directive(section, name, operands);
      else if (name !== '') section.dialect.instruction(section, name, operands);
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error;
      first ??= new AssemblyError(error.message, line);
      section.fill(BigInt(Math.max(0, start + (lengths[i] ?? 0) - section.length)), name);
    }
    lengths[i] = section.length - start;
  }
  return first;
}

/**
 * Assembles a program into one section of bytes, in the syntax of GNU as.
 *
 * Labels, numeric ones too (`1b`, `1f`), may be used before they stand, except in what decides on sizes. Directives: .byte .2byte .short .hword
 * .4byte .int .long .8byte .quad .ascii .asciz .string .align .balign .p2align .zero .skip .space .fill .org .equ .set; `symbol = value`; and the
 * dialect's. There is one section: `.org` takes an address in it.
 *
 * @throws {AssemblyError} with the line of the first mistake
 */
export function assembleProgram(source: string, dialect: Dialect, { base = 0n, symbols = {} }: AssembleOptions): Assembled {
  const statements = parseSource(source, dialect.comment);
  const lengths: number[] = [];
  let section: Section | undefined;
  let error: AssemblyError | undefined;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    section = new Section(dialect, base, symbols, section);
    dialect.begin?.();
    error = run(section, statements, lengths);
    // In a pass by other addresses than those that come out, what looks like a mistake may be none.
    if (!section.settled) continue;
    if (error !== undefined) throw error;
    return { bytes: section.bytes, symbols: new Map([...section.symbols].map(([name, value]) => [name, BigInt.asUintN(64, value)])) };
  }
  throw error ?? new AssemblyError('the addresses of labels do not settle');
}
