/** Writes the decoded records that the interpreter executes; their layout is in `operands.ts`. */
import { PAGE_SIZE, recordShift } from '@axvisor/softcpu';
import type { HandlerTable } from '@axvisor/softcpu';
import { Decoder, INVALID, TOO_LONG } from '../isa/decode.ts';
import type { Decoded } from '../isa/decode.ts';
import type { Operand, Row } from '../isa/table.ts';
import { CODE, GPR, Seg, ZERO } from '../state.ts';
import { operandBits } from './define.ts';
import type { RecordFields } from './define.ts';
import { OVERLONG, UNALLOCATED, choose, defined, isa } from './isa.ts';
import type { Defined } from './isa.ts';
import { K } from './operands.ts';
import { useSegment } from './segments.ts';

const RECORD_SHIFT = recordShift({ unit: 1 });

/** The decoder of `Machine.decode`, for instructions in `bytes`, records in `words` (views of linear memory). */
export class RecordWriter {
  /** Numbers of handlers by index among the ISA's instructions: of branches within the page the second and third. */
  readonly #plain: Int32Array;
  readonly #near: Int32Array;
  readonly #back: Int32Array;
  readonly #decoder = new Decoder();
  readonly #fields: RecordFields = { r: 0, b: 0, x: 0, g: 0, k: 0, disp: 0, imm: 0 };

  constructor(table: HandlerTable) {
    const { length } = isa.instructions;
    this.#plain = new Int32Array(length);
    this.#near = new Int32Array(length);
    this.#back = new Int32Array(length);
    for (let index = 0; index < length; index++) {
      this.#plain[index] = table.handler(index, 0, false);
      if (!table.has(index, 0, true)) continue;
      this.#near[index] = table.handler(index, 0, true);
      this.#back[index] = table.handler(index, 0, true, true);
    }
  }

  /** As `Machine.decode`; `mode` as the state block's MODE. `isLimited`: branches within the page may go behind the limit of the code segment. */
  write(bytes: Uint8Array, words: Int32Array, place: number, available: number, record: number, offset: number, mode: number, isLimited = false): number {
    const decoder = this.#decoder;
    if (!decoder.decode(bytes, place, available, mode)) return 0;
    const insn = decoder.insn;
    const entry = insn.op < 0 ? undefined : defined[insn.op];
    if (entry === undefined || insn.op === INVALID) {
      this.#put(words, record, this.#plain[insn.op === TOO_LONG ? OVERLONG : UNALLOCATED] as number, insn.length);
      return -insn.length;
    }
    return this.#insn(entry, insn, words, record, offset, isLimited);
  }

  #insn(entry: Defined, insn: Decoded, words: Int32Array, record: number, offset: number, isLimited: boolean): number {
    const { row } = insn;
    const { definition, relative, absolute } = entry;
    const f = this.#fields;
    this.#operands(insn, row, insn.isMemory || absolute);
    if (relative) f.imm = insn.imm + insn.length;
    definition.record?.(f, insn, row);
    const distance = definition.direct === true && relative ? f.imm : undefined;
    const near = distance !== undefined && !isLimited && offset + distance >= 0 && offset + distance < PAGE_SIZE;
    const wrap = relative && definition.direct === true && wraps(insn, near);
    const index = choose(entry, insn, row, wrap);
    const inPage = near && !wrap;
    if (inPage) f.imm = distance << RECORD_SHIFT;
    const handlers = inPage ? (distance <= 0 ? this.#back : this.#near) : this.#plain;
    this.#put(words, record, handlers[index] as number, insn.length);
    return definition.ends === true ? -insn.length : insn.length;
  }

  /** Fields of the operands, as `placesOf` says. */
  #operands(insn: Decoded, row: Row, memory: boolean): void {
    const f = this.#fields;
    f.r = f.b = f.x = f.g = ZERO;
    f.k = (insn.mode & CODE.segmented) !== 0 ? K.segmented : 0;
    f.disp = f.imm = 0;
    if (insn.isMemory) {
      f.b = insn.base < 0 ? ZERO : GPR + 8 * insn.base;
      f.x = insn.index < 0 ? ZERO : GPR + 8 * insn.index;
      f.disp = insn.disp;
      f.k |= insn.scale | (insn.ripRelative ? K.rip : 0) | addressKind(insn);
      useSegment(f, insn.mode, insn.segment);
    }
    let registers = 0;
    for (const operand of row.operands) {
      const number = registerOf(operand, insn, row);
      if (number >= 0) {
        this.#register(number, operand, insn, registers++, memory);
      } else if (operand.kind === 'B') {
        f.imm = (f.imm & ~0xff) | (GPR + 8 * insn.vvvv);
      } else if (operand.kind === 'I') {
        const bits = operandBits(operand, insn.operandSize, 0);
        f.imm = bits === 8 ? insn.imm & 0xff : bits === 16 ? insn.imm & 0xffff : insn.imm;
        if (operand.size === 'v' && insn.operandSize === 64) f.disp = insn.immHigh;
      } else if (operand.kind === 'fixed' && operand.size === '1') {
        f.imm = 1;
      } else if (operand.kind === 'O') {
        f.disp = insn.disp;
        f.imm = insn.immHigh;
        f.k |= addressKind(insn);
        useSegment(f, insn.mode, insn.override >= 0 ? insn.override : Seg.ds);
      }
    }
  }

  #register(number: number, operand: Operand, insn: Decoded, order: number, memory: boolean): void {
    const f = this.#fields;
    // Without REX, bytes 4 … 7 are the second bytes of the first four.
    const high = number >= 4 && number < 8 && insn.rex === 0 && !insn.vex && operandBits(operand, insn.operandSize, 0) === 8;
    const slot = GPR + 8 * (high ? number - 4 : number);
    if (order === 0) {
      f.r = slot;
      if (high) f.k |= K.highR;
    } else if (memory) {
      f.imm = (f.imm & ~0xff) | slot;
    } else {
      f.b = slot;
      if (high) f.k |= K.highB;
    }
  }

  #put(words: Int32Array, record: number, handler: number, length: number): void {
    const f = this.#fields;
    const at = record >>> 2;
    words[at] = handler | (length << 16) | (f.r << 24);
    words[at + 1] = f.b | (f.x << 8) | (f.g << 16) | (f.k << 24);
    words[at + 2] = f.disp;
    words[at + 3] = f.imm;
  }
}

/** Number of the general register that an operand is, -1 if it is none. */
function registerOf({ kind, size }: Operand, insn: Decoded, row: Row): number {
  switch (kind) {
    case 'E':
      return insn.isMemory ? -1 : insn.rm;
    case 'R':
      return insn.rm;
    case 'G':
      return insn.reg;
    case 'Z':
      return (row.opcode & 7) | insn.rexB;
    case 'fixed':
      return size === 'AL' || size === 'rAX' ? 0 : -1;
    default:
      return -1;
  }
}

/** Field k's kind of address. */
function addressKind(insn: Decoded): number {
  const long = (insn.mode & CODE.size) === CODE.code64;
  const kind = insn.addressSize === 64 ? 0 : insn.addressSize === 16 ? 3 : long ? 1 : 2;
  return kind << 4;
}

/** Whether a branch must be computed modulo the instruction pointer: not within a page, unless its size is below the code's. */
function wraps(insn: Decoded, near: boolean): boolean {
  const size = insn.mode & CODE.size;
  if (size === CODE.code64) return false;
  return !near || (size === CODE.code32 && insn.operandSize === 16);
}
