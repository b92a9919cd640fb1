/** Writes the decoded records that the interpreter executes, see {@link isa}. */
import { BLOCK_ENDS, DecodeTables, PLAN } from '@axvisor/softcpu';
import type { HandlerTable, Layout } from '@axvisor/softcpu';
import { decode, newDecoded } from '../isa/decode.ts';
import { formats } from '../isa/formats.ts';
import { insns } from '../isa/table.ts';
import { F, XSINK } from '../state.ts';
import { ILLEGAL, SYSTEM, decoder, isEmitted, isa } from './isa.ts';

/** What an op needs to be written down, looked up by op number. */
interface Shape {
  /** Handler by (length is 4), for far targets. */
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

const RELATIVE: ReadonlySet<string> = new Set(['jal', 'beq', 'bne', 'blt', 'bge', 'bltu', 'bgeu']);
const ENDS: ReadonlySet<string> = new Set(['jal', 'jalr', 'mret', 'sret', 'ecall', 'ebreak']);

function shapes(table: HandlerTable): Shape[] {
  return insns.map(({ name, format }, number): Shape => {
    const system = !isEmitted(number);
    const { operands, aux } = formats[format];
    const file = (field: 'rd' | 'rs1' | 'rs2' | 'rs3'): number => (operands.includes(`f:${field}`) ? F : 0);
    const index = system ? SYSTEM : number;
    const handler = (length: 2 | 4): number => (table.has(index, length, false) ? table.handler(index, length, false) : -1);
    return {
      handlers: [handler(2), handler(4)],
      rd: file('rd'),
      rs1: file('rs1'),
      rs2: file('rs2'),
      rs3: file('rs3'),
      writesX: operands.includes('x:rd'),
      system,
      relative: RELATIVE.has(name),
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
  readonly #tables: DecodeTables;

  constructor(table: HandlerTable, layout: Pick<Layout, 'decoder'>) {
    this.#shapes = shapes(table);
    this.#illegal = table.handler(ILLEGAL, 4, false);
    this.#tables = new DecodeTables({ ...isa, decoder }, layout);
  }

  /** As `Machine.decode`. */
  write(bytes: Uint8Array, words: Int32Array, place: number, available: number, record: number, offset: number): number {
    const low = (bytes[place] as number) | ((bytes[place + 1] as number) << 8);
    const long = (low & 3) === 3;
    if (long && available < 4) return 0;
    const bits = long ? low | ((bytes[place + 2] as number) << 16) | ((bytes[place + 3] as number) << 24) : low;
    const tables = this.#tables;
    let flags = tables.write(words, bits, record, offset);
    if (flags === 0) {
      if (!this.#keep(words, bits, long)) {
        words[record >>> 2] = this.#illegal;
        words[(record >>> 2) + 3] = bits;
        return -1;
      }
      flags = tables.write(words, bits, record, offset);
    }
    const length = long ? 4 : 2;
    return (flags & BLOCK_ENDS) !== 0 ? -length : length;
  }

  /** Keeps the record of an instruction. False where it is illegal. */
  #keep(words: Int32Array, bits: number, long: boolean): boolean {
    const d = this.#decoded;
    if (!decode(bits, d)) return false;
    const shape = this.#shapes[d.op] as Shape;
    const rd = shape.writesX && d.rd === 0 ? XSINK : shape.rd + d.rd * 8;
    this.#tables.keep(
      words,
      bits,
      (shape.relative ? PLAN.direct : 0) | (shape.ends ? PLAN.ends : 0),
      (shape.handlers[long ? 1 : 0] as number) | (rd << 16),
      (shape.rs1 + d.rs1 * 8) | ((shape.rs2 + d.rs2 * 8) << 16),
      shape.system ? d.op : shape.rounding ? (shape.rs3 + d.rs3 * 8) | (d.aux << 16) : d.imm,
      bits,
    );
    return true;
  }
}
