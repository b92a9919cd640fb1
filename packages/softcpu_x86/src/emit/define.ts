/**
 * How a mnemonic of the table is defined for the engine. A definition names what its handlers depend on; `isa.ts` makes one handler
 * for each combination that the rows of that name allow, and `record.ts` finds it for a decoded instruction.
 *
 * To add a class of instructions: an object of definitions by name (as `arithmetic.ts` exports), merged in `isa.ts`.
 */
import type { Decoded } from '../isa/decode.ts';
import type { Operand, Row } from '../isa/table.ts';
import type { Operands, Place, Variant } from './operands.ts';
import type { Size } from './value.ts';

/** Fields of the record that a definition may set itself; registers are offsets in the state block. */
export interface RecordFields {
  r: number;
  b: number;
  x: number;
  g: number;
  k: number;
  /** Instructions of one byte have none of these. */
  w: number;
  /** Field `disp` of those with a memory operand, `imm` of others. */
  first: number;
  /** Of those of three bytes and more. */
  more: number;
}

/** Fills in what a record has besides operands. */
export type Recorder = (fields: RecordFields, insn: Decoded, row: Row) => void;

export interface Definition {
  /** The instruction, for a row and a variant of it. Rows with the same name and places of operands share handlers. */
  readonly emit: (operands: Operands, row: Row) => void;
  /** Handlers by the first operand's size, not by the instruction's operand size alone. */
  readonly bySize?: boolean;
  /** Own handlers for memory operands with plain 64-bit addresses. */
  readonly fast?: boolean;
  /** Own handlers for address sizes, stack sizes, 64-bit mode, REP prefixes. */
  readonly byAddress?: boolean;
  readonly byStack?: boolean;
  readonly byMode?: boolean;
  readonly byRep?: boolean;
  /** Handlers are not shared between rows of the same name. */
  readonly byRow?: boolean;
  /** Branches to the address behind the instruction plus the immediate. */
  readonly direct?: boolean;
  /** Execution does not go on behind it. */
  readonly ends?: boolean;
  /** Programs consist of them: handlers for the forms of addresses and the lengths that they mostly have, see `usual.ts`. */
  readonly frequent?: boolean;
  /** Compiled as functions of their own. */
  readonly outline?: boolean | ((variant: Variant) => boolean);
  /** Left to tier 0, as it may fault behind its first effect. */
  readonly interpreted?: (variant: Variant) => boolean;
  readonly record?: Recorder;
  /** The same, where it is not one for all rows. */
  readonly recordOf?: (row: Row) => Recorder | undefined;
}

/** Definitions by the table's names. */
export type Definitions = Readonly<Record<string, Definition>>;

/** A definition with its options. */
export const define = (emit: Definition['emit'], more: Omit<Definition, 'emit'> = {}): Definition => ({ emit, ...more });

/** The same definition for several names. */
export const named = (names: readonly string[], make: (name: string, index: number) => Definition): Definitions =>
  Object.fromEntries(names.map((name, index) => [name, make(name, index)]));

/** Bits of an operand by its size code, for an instruction of an operand size. */
export function operandBits({ kind, size }: Operand, operandSize: number, l: number): number {
  // Immediates are extended to the operand size.
  if (kind === 'I' && size !== 'b' && size !== 'w') return operandSize;
  switch (size) {
    case 'b':
    case 'AL':
    case 'CL':
    case 'db':
      return 8;
    case 'w':
    case 'dw':
    case 'DX':
    case 'AX':
      return 16;
    case 'd':
    case 'dd':
      return 32;
    case 'q':
      return 64;
    case 't':
      return 80;
    case 'dq':
      return 128;
    case 'z':
    case 'zAX':
      return Math.min(operandSize, 32);
    case 'y':
      return operandSize === 64 ? 64 : 32;
    case 'x':
      return l === 0 ? 128 : 256;
    case 'h':
      return l === 0 ? 64 : 128;
    case 'dup':
      return l === 0 ? 64 : 256;
    case 'f':
      return l === 0 ? 32 : 64;
    case 'e':
      return l === 0 ? 16 : 32;
    default:
      return kind === 'fixed' && size === '1' ? 8 : operandSize;
  }
}

/** Operand sizes that VEX.L decides. */
const BY_LENGTH: ReadonlySet<string> = new Set(['x', 'h', 'f', 'e', 'dup']);
/** Whether VEX.L decides how long an operand is, or how many elements there are. */
export const isByLength = ({ kind, size }: Operand): boolean => kind === 'MX' || kind === 'MH' || BY_LENGTH.has(size);

const SHORT = [0] as const;
const BOTH = [0, 1] as const;
/** Vector lengths an instruction of a row can have, as VEX.L. */
export const lengthsOf = (row: Row): readonly (0 | 1)[] => (row.vex && row.l === undefined && row.operands.some(isByLength) ? BOTH : SHORT);

/** Where operands go: the first register into r, the second into b (or v if that is taken by memory), by VEX.vvvv into v. */
export function placesOf(row: Row, memory: boolean, operandSize: number): Place[] {
  let registers = 0;
  return row.operands.map(({ kind, size }): Place => {
    const register = (): Place => (registers++ === 0 ? 'r' : memory ? 'v' : 'b');
    switch (kind) {
      case 'E':
        return memory ? 'm' : register();
      case 'M':
      case 'O':
        return 'm';
      case 'W':
      case 'Q':
        return memory ? 'm' : '-';
      case 'R':
      case 'G':
      case 'Z':
        return register();
      case 'B':
        return 'v';
      case 'I':
        return size === 'v' && operandSize === 64 ? 'I' : 'i';
      case 'fixed':
        if (size === 'CL') return 'c';
        // Behind a memory operand there may be no room for it in the record.
        if (size === '1') return memory ? '1' : 'i';
        return size === 'AL' || size === 'rAX' ? register() : '-';
      default:
        return '-';
    }
  });
}

/** Operand sizes an instruction of a row can have. */
export function operandSizes(row: Row): readonly Size[] {
  if (row.size !== undefined) return [row.size as Size];
  const sizes = new Set<Size>();
  if (!row.only64 || row.default64 || !row.force64) sizes.add(16);
  sizes.add(32);
  if (!row.not64) sizes.add(64);
  return [...sizes];
}
