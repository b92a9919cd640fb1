/** Writes the decoded records that the interpreter executes, see {@link isa}. */
import { recordShift } from '@axvisor/softcpu';
import type { HandlerTable } from '@axvisor/softcpu';
import { decode, newDecoded } from '../isa/decode.ts';
import { formats } from '../isa/formats.ts';
import { insns } from '../isa/table.ts';
import { F, XSINK } from '../state.ts';
import { ILLEGAL, SYSTEM, isEmitted } from './isa.ts';

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

const RECORD_SHIFT = recordShift({ unit: 2 });
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

/** @returns the decoder of {@link Machine.decode}, for instructions in `bytes`, records in `words` (views of linear memory). */
export class RecordWriter {
  readonly #shapes: readonly Shape[];
  readonly #illegal: number;
  readonly #decoded = newDecoded();

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
    const d = this.#decoded;
    const word = record >>> 2;
    words[word + 3] = bits;
    if (!decode(bits, d)) {
      words[word] = this.#illegal;
      return -1;
    }
    const shape = this.#shapes[d.op] as Shape;
    const near = shape.relative && offset + d.imm >= 0 && offset + d.imm < 4096;
    const rd = shape.writesX && d.rd === 0 ? XSINK : shape.rd + d.rd * 8;
    words[word] = (shape.handlers[(long ? 1 : 0) + (near ? (d.imm <= 0 ? 4 : 2) : 0)] as number) | (rd << 16);
    words[word + 1] = (shape.rs1 + d.rs1 * 8) | ((shape.rs2 + d.rs2 * 8) << 16);
    words[word + 2] = shape.system
      ? d.op
      : near
        ? d.imm << RECORD_SHIFT
        : shape.rounding
          ? (shape.rs3 + d.rs3 * 8) | (d.aux << 16)
          : d.imm;
    return shape.ends ? -d.length : d.length;
  }
}

