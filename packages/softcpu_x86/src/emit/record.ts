/** Writes the decoded records that the interpreter executes; their layout is in `operands.ts`. */
import { PAGE_SIZE, recordShift } from '@axvisor/softcpu';
import type { HandlerTable, Instruction } from '@axvisor/softcpu';
import { Decoder, MAX_LENGTH, TOO_LONG } from '../isa/decode.ts';
import type { Decoded } from '../isa/decode.ts';
import { rows } from '../isa/table.ts';
import type { Operand } from '../isa/table.ts';
import { CODE, GPR, Seg, ZERO } from '../state.ts';
import { operandBits } from './define.ts';
import type { RecordFields, Recorder } from './define.ts';
import { OVERLONG, UNALLOCATED, choose, defined, isa } from './isa.ts';
import { K } from './operands.ts';
import { useSegment } from './segments.ts';

/** Lengths of instructions, from 0 on. */
const LENGTHS = MAX_LENGTH + 1;

const RECORD_SHIFT = recordShift(isa);

/** What the record writer does for an operand; 0 nothing. Those below `vvvv` are general registers. */
const ACTION = { rmOrMemory: 1, rm: 2, reg: 3, opcode: 4, accumulator: 5, vvvv: 6, byte: 7, word: 8, immediate: 9, full: 10, one: 11, offset: 12 } as const;
/** Bits of an operand's action. */
const ACTION_BITS = 15;
/** The operand is a byte, with its action. */
const BYTE = 16;
/** Bits from one operand to the next. */
const OPERAND_SHIFT = 8;

/** What is kept of a row when an instruction is found to be it for the first time. */
const FORM = { known: 1, ends: 2, relative: 4, absolute: 8, direct: 16, undefined: 32 } as const;

/** Choices of handlers that are kept, by a hash of what decides them. */
const CHOICE_BITS = 12;

/** The decoder of `Machine.decode`, for instructions in `bytes`, records in `words` (views of linear memory). */
export class RecordWriter {
  /** Numbers of handlers by index among the ISA's instructions: of branches within the page the second and third. */
  readonly #plain: Int32Array;
  readonly #near: Int32Array;
  readonly #back: Int32Array;
  /** By index, and length, among {@link LENGTHS}: what is to be added to a number for a length that the handler knows. */
  readonly #entries: Uint8Array;
  readonly #decoder = new Decoder();
  readonly #fields: RecordFields = { r: 0, b: 0, x: 0, g: 0, k: 0, w: 0, first: 0, more: 0 };
  /** By number of the row: its {@link FORM}, the actions of its operands, what fills in the rest. */
  readonly #forms: Uint8Array = new Uint8Array(rows.length);
  readonly #actions: Int32Array = new Int32Array(rows.length);
  readonly #recorders: (Recorder | undefined)[] = Array<Recorder | undefined>(rows.length).fill(undefined);
  /** Keys of choices (0: none), and the indices that were chosen. */
  readonly #choices: Int32Array = new Int32Array(1 << CHOICE_BITS);
  readonly #chosen: Int32Array = new Int32Array(1 << CHOICE_BITS);

  constructor(table: HandlerTable) {
    const { length } = isa.instructions;
    this.#plain = new Int32Array(length);
    this.#near = new Int32Array(length);
    this.#back = new Int32Array(length);
    this.#entries = new Uint8Array(length * LENGTHS);
    for (let index = 0; index < length; index++) {
      const any = (this.#plain[index] = table.handler(index, 0, false));
      const { usual } = isa.instructions[index] as Instruction;
      if (usual !== undefined) for (const one of usual) this.#entries[index * LENGTHS + one] = table.handler(index, one, false) - any;
      if (!table.has(index, 0, true)) continue;
      this.#near[index] = table.handler(index, 0, true);
      this.#back[index] = table.handler(index, 0, true, true);
    }
  }

  /** As `Machine.decode`; `mode` as the state block's MODE. `isLimited`: branches within the page may go behind the limit of the code segment. */
  write(bytes: Uint8Array, words: Int32Array, place: number, available: number, record: number, offset: number, mode: number, isLimited = false): number {
    const decoder = this.#decoder;
    if (!decoder.decode(bytes, place, available, mode)) return 0;
    const { insn } = decoder;
    const { op } = insn;
    const form = op < 0 ? FORM.undefined : (this.#forms[op] as number) || this.#learn(op);
    if ((form & FORM.undefined) !== 0) {
      this.#put(words, record, this.#plain[op === TOO_LONG ? OVERLONG : UNALLOCATED] as number, insn.length);
      return -insn.length;
    }
    return this.#insn(form, insn, words, record, offset, isLimited);
  }

  /** Takes down what records of a row depend on. @returns its form */
  #learn(op: number): number {
    const entry = defined[op];
    if (entry === undefined) return (this.#forms[op] = FORM.known | FORM.undefined);
    const { definition, relative, absolute } = entry;
    const row = rows[op] as (typeof rows)[number];
    this.#actions[op] = row.operands.map(actionOf).filter((action) => action !== 0).reduceRight((all, action) => (all << OPERAND_SHIFT) | action, 0);
    this.#recorders[op] = definition.recordOf?.(row) ?? definition.record;
    const direct = definition.direct === true && relative;
    return (this.#forms[op] = FORM.known | (definition.ends === true ? FORM.ends : 0) | (relative ? FORM.relative : 0) | (absolute ? FORM.absolute : 0) | (direct ? FORM.direct : 0));
  }

  #insn(form: number, insn: Decoded, words: Int32Array, record: number, offset: number, isLimited: boolean): number {
    const { op, length } = insn;
    const f = this.#fields;
    const memory = insn.mod !== 3;
    this.#operands(insn, memory, memory || (form & FORM.absolute) !== 0);
    if ((form & FORM.relative) !== 0) f.first = insn.imm + length;
    this.#recorders[op]?.(f, insn, insn.row);
    let handlers = this.#plain;
    let wrap = false;
    if ((form & FORM.direct) !== 0) {
      const distance = f.first;
      const near = !isLimited && offset + distance >= 0 && offset + distance < PAGE_SIZE;
      wrap = wraps(insn, near);
      if (near && !wrap) {
        f.first = distance << RECORD_SHIFT;
        handlers = distance <= 0 ? this.#back : this.#near;
      }
    }
    const index = this.#choose(insn, wrap, memory && f.x === ZERO && f.g === ZERO);
    this.#put(words, record, (handlers[index] as number) + (this.#entries[index * LENGTHS + length] as number), length);
    return (form & (FORM.ends | FORM.direct)) !== 0 ? -length : length;
  }

  /** As `choose`, for which everything that it looks at is in the key. */
  #choose(insn: Decoded, wrap: boolean, alone: boolean): number {
    const { mode, rep } = insn;
    const flags = (insn.mod !== 3 ? 1 : 0) | (insn.ripRelative ? 2 : 0) | (insn.lock ? 4 : 0) | (rep === 0 ? 0 : rep === 0xf3 ? 8 : 16) | (wrap ? 32 : 0) | (insn.l << 6) | (alone ? 128 : 0);
    // Sizes are 16, 32, 64; the number of the row is one more, for no key to be 0.
    const key = (((((((insn.op + 1) << 8) | flags) << 3) | (insn.operandSize >> 4)) << 3) | (insn.addressSize >> 4)) * 8 + (mode & (CODE.size | CODE.stack32));
    const at = Math.imul(key, 0x9e37_79b1) >>> (32 - CHOICE_BITS);
    if (this.#choices[at] === key) return this.#chosen[at] as number;
    const { row } = insn;
    const index = choose(defined[insn.op] as NonNullable<(typeof defined)[number]>, insn, row, wrap, alone);
    this.#choices[at] = key;
    this.#chosen[at] = index;
    return index;
  }

  /** Fields of the operands, as `placesOf` says; `memory`: one is in memory, by ModRM or not. */
  #operands(insn: Decoded, isModrmMemory: boolean, memory: boolean): void {
    const f = this.#fields;
    f.r = f.b = f.x = f.g = ZERO;
    f.k = (insn.mode & CODE.segmented) !== 0 ? K.segmented : 0;
    f.w = f.first = f.more = 0;
    if (isModrmMemory) {
      f.b = insn.base < 0 ? ZERO : GPR + 8 * insn.base;
      f.x = insn.index < 0 ? ZERO : GPR + 8 * insn.index;
      f.first = insn.disp;
      f.k |= insn.scale | (insn.ripRelative ? K.rip : 0) | addressKind(insn);
      useSegment(f, insn.mode, insn.segment);
    }
    let registers = 0;
    for (let rest = this.#actions[insn.op] as number; rest !== 0; rest >>>= OPERAND_SHIFT) {
      switch (rest & ACTION_BITS) {
        case ACTION.rmOrMemory:
          if (!isModrmMemory) this.#register(insn.rm, rest, insn, registers++, memory);
          break;
        case ACTION.rm:
          this.#register(insn.rm, rest, insn, registers++, memory);
          break;
        case ACTION.reg:
          this.#register(insn.reg, rest, insn, registers++, memory);
          break;
        case ACTION.opcode:
          this.#register((insn.opcode & 7) | insn.rexB, rest, insn, registers++, memory);
          break;
        case ACTION.accumulator:
          this.#register(0, rest, insn, registers++, memory);
          break;
        case ACTION.vvvv:
          f.more = GPR + 8 * insn.vvvv;
          break;
        case ACTION.byte:
          this.#immediate(insn.imm & 0xff, memory);
          break;
        case ACTION.word:
          this.#immediate(insn.imm & 0xffff, memory);
          break;
        case ACTION.immediate:
          this.#immediate(insn.operandSize === 16 ? insn.imm & 0xffff : insn.imm, memory);
          break;
        case ACTION.full:
          f.first = insn.operandSize === 16 ? insn.imm & 0xffff : insn.imm;
          f.more = insn.immHigh;
          break;
        case ACTION.one:
          if (!memory) f.first = 1;
          break;
        default:
          f.first = insn.disp;
          f.more = insn.immHigh;
          f.k |= addressKind(insn);
          useSegment(f, insn.mode, insn.override >= 0 ? insn.override : Seg.ds);
      }
    }
  }

  #immediate(value: number, memory: boolean): void {
    if (memory) this.#fields.more = value;
    else this.#fields.first = value;
  }

  #register(number: number, action: number, insn: Decoded, order: number, memory: boolean): void {
    const f = this.#fields;
    // Without REX, bytes 4 … 7 are the second bytes of the first four.
    const high = (action & BYTE) !== 0 && number >= 4 && number < 8 && insn.rex === 0 && !insn.vex;
    const slot = GPR + 8 * (high ? number - 4 : number);
    if (order === 0) {
      f.r = slot;
      if (high) f.k |= K.highR;
    } else if (memory) {
      f.more = slot;
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
    if (length === 1) return;
    words[at + 2] = f.w << 16;
    words[at + 3] = f.first;
    if (length === 2) return;
    words[at + 4] = 0;
    words[at + 5] = f.more;
  }
}

/** What is done for an operand, and whether it is a byte whatever the operand size. */
function actionOf(operand: Operand): number {
  const { kind, size } = operand;
  const byte = operandBits(operand, 64, 0) === 8 ? BYTE : 0;
  switch (kind) {
    case 'E':
      return ACTION.rmOrMemory | byte;
    case 'R':
      return ACTION.rm | byte;
    case 'G':
      return ACTION.reg | byte;
    case 'Z':
      return ACTION.opcode | byte;
    case 'B':
      return ACTION.vvvv;
    case 'I':
      return size === 'b' ? ACTION.byte : size === 'w' ? ACTION.word : size === 'v' ? ACTION.full : ACTION.immediate;
    case 'O':
      return ACTION.offset;
    case 'fixed':
      return size === 'AL' || size === 'rAX' ? ACTION.accumulator | byte : size === '1' ? ACTION.one : 0;
    default:
      return 0;
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
