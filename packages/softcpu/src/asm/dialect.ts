/** What an instruction set adds to the assembler. */
import type { Functions } from './expression.ts';
import type { Section } from './section.ts';

/** An assembly language; may keep what it has to know of one assembly, so that there is one for each. */
export interface Dialect {
  /** The character that begins a comment besides `//`; empty if there is none. */
  readonly comment: string;
  /** Another name of the current address than `.`. */
  readonly here?: string;
  /** Bytes of values of the data directives on which architectures do not agree. */
  readonly data: Readonly<Record<string, number>>;
  /** Whether the operand of `.align` is a number of bytes or its logarithm. */
  readonly align: '.balign' | '.p2align';
  /** What fills code up to an alignment. */
  readonly nop: { readonly value: number; readonly size: number };
  readonly functions?: Functions;
  /** Directives of its own. */
  readonly directives?: Readonly<Record<string, (section: Section, operands: readonly string[]) => void>>;
  /** Called before each pass. */
  begin?(): void;
  /**
   * Emits an instruction. In the layout pass only its length counts; if that does not depend on operands, they need not be read.
   *
   * @param name in lower case
   * @throws {AssemblyError} the instruction does not exist or does not take the operands
   */
  instruction(section: Section, name: string, operands: string): void;
}
