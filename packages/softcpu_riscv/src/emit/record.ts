/** Writes the decoded records that the interpreter executes, see {@link isa}. */
import { recordShift } from '@axvisor/softcpu';
import type { HandlerTable } from '@axvisor/softcpu';
import { decode, newDecoded } from '../isa/decode.ts';
import { formats } from '../isa/formats.ts';
import { insns } from '../isa/table.ts';
import { F, XSINK } from '../state.ts';
import { ILLEGAL, SYSTEM, isEmitted, isa } from './isa.ts';

/** What an op needs to be written down, looked up by op number. */
interface Shape {
  /** Handler by (length is 4) + 2 * (target is near) + 2 * (it is near and not ahead). */
  readonly handlers: readonly number[];
  /** State-block offset of register 0 of each field's file. */
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly rs3: number;
  readonly writesX: boolean;
  readonly system: boolean;
  readonly relative: boolean;
  /** Execution does not go on behind it. */
  readonly ends: boolean;
  readonly rounding: boolean;
}

const RECORD_SHIFT = recordShift(isa);
const RELATIVE: ReadonlySet<string> = new Set(['jal', 'beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu']);
const ENDS: ReadonlySet<string> = new Set(['jal', 'jalr', 'mret', 'sret', 'ecall', 'ebreak']);

function shapes(table: HandlerTable): Shape[] {
  return insns.map(({ name, format }, number): Shape => {
    const system = !isEmitted(number);
    const { operands, aux } = formats[format];
    const file = (field: 'rd' | 'rs1' | 'rs2' | 'rs3'): number => (operands.includes(`f:${field}`) ? F : 0);
    const index = system ? SYSTEM : number;
    const relative = RELATIVE.has(name);
    const handler = (length: 2 | 4, near: boolean, back = false): number => (table.has(index, length, near) ? table.handler(index, length, near, back) : -1);
    return {
      handlers: [handler(2, false), handler(4, false), handler(2, relative), handler(4, relative), handler(2, relative, relative), handler(4, relative, relative)],
      rd: file('rd'),
      rs1: file('rs1'),
      rs2: file('rs2'),
      rs3: file('rs3'),
      writesX: operands.includes('x:rd'),
      system,
      relative,
      ends: ENDS.has(name),
      rounding: aux === 'rm',
    };
  });
}

/** Instructions of which the records are kept: seven in ten of the half million that a kernel's start decodes are found there. */
const KNOWN_BITS = 14;
const KNOWN = 1 << KNOWN_BITS;
/** Words of what is kept: the instruction, its record's words but the last, and what is not in the record. */
const ENTRY = 6;
const BITS = 0;
const FIRST = 1;
const REGISTERS = 2;
const IMMEDIATE = 3;
/** The handler for a near target, 0 of instructions that have no target. One for targets that are not ahead is in the upper half. */
const NEAR = 4;
const LENGTH = 5;

/** @returns the decoder of {@link Machine.decode}, for instructions in `bytes`, records in `words` (views of linear memory). */
export class RecordWriter {
  readonly #shapes: readonly Shape[];
  readonly #illegal: number;
  readonly #decoded = newDecoded();
  /** By hash of the instruction. No legal instruction is 0. */
  readonly #known: Int32Array = new Int32Array(KNOWN * ENTRY);

  constructor(table: HandlerTable) {
    this.#shapes = shapes(table);
    this.#illegal = table.handler(ILLEGAL, 4, false);
  }

  /** As `Machine.decode`. */
  write(bytes: Uint8Array, words: Int32Array, place: number, available: number, record: number, offset: number): number {
    const low = (bytes[place] as number) | ((bytes[place + 1] as number) << 8);
    const long = (low & 3) === 3;
    if (long && available < 4) return 0;
    const bits = long ? low | ((bytes[place + 2] as number) << 16) | ((bytes[place + 3] as number) << 24) : low;
    const known = this.#known;
    const entry = (Math.imul(bits, 0x9e37_79b1) >>> (32 - KNOWN_BITS)) * ENTRY;
    const word = record >>> 2;
    words[word + 3] = bits;
    if ((known[entry + BITS] !== bits || bits === 0) && !this.#learn(bits, long, entry)) {
      words[word] = this.#illegal;
      return -1;
    }
    const imm = known[entry + IMMEDIATE] as number;
    const near = known[entry + NEAR] as number;
    const first = known[entry + FIRST] as number;
    words[word + 1] = known[entry + REGISTERS] as number;
    if (near !== 0 && offset + imm >= 0 && offset + imm < 4096) {
      words[word] = (first & ~0xffff) | (imm <= 0 ? near >>> 16 : near & 0xffff);
      words[word + 2] = imm << RECORD_SHIFT;
    } else {
      words[word] = first;
      words[word + 2] = imm;
    }
    return known[entry + LENGTH] as number;
  }

  /** Fills an entry. False where the instruction is illegal. */
  #learn(bits: number, long: boolean, entry: number): boolean {
    const d = this.#decoded;
    if (!decode(bits, d)) return false;
    const shape = this.#shapes[d.op] as Shape;
    const known = this.#known;
    const at = long ? 1 : 0;
    const rd = shape.writesX && d.rd === 0 ? XSINK : shape.rd + d.rd * 8;
    known[entry + BITS] = bits;
    known[entry + FIRST] = (shape.handlers[at] as number) | (rd << 16);
    known[entry + REGISTERS] = (shape.rs1 + d.rs1 * 8) | ((shape.rs2 + d.rs2 * 8) << 16);
    known[entry + IMMEDIATE] = shape.system ? d.op : shape.rounding ? (shape.rs3 + d.rs3 * 8) | (d.aux << 16) : d.imm;
    known[entry + NEAR] = shape.relative ? (shape.handlers[2 + at] as number) | ((shape.handlers[4 + at] as number) << 16) : 0;
    known[entry + LENGTH] = shape.ends ? -d.length : d.length;
    return true;
  }
}
