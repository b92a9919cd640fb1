/** From a decoded record to what the privileged architecture executes: which of its instructions a row of the opcode table is, and its operands. */
import { K } from './emit/operands.ts';
import { MEMORY, SIZE_BITS, systemRow } from './emit/system.ts';
import type { Row } from './isa/table.ts';
import { rows } from './isa/table.ts';
import { SYSTEM_OPS, type SystemInsn, type SystemOp } from './priv/index.ts';
import { ARG1, CODE, MODE, SEG_BASE, Seg, ZERO } from './state.ts';

const SEGMENTS: readonly string[] = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'];
const FAR_POINTERS: Readonly<Record<string, number>> = { les: 0, lss: 2, lds: 3, lfs: 4, lgs: 5 };
const OPS: ReadonlyMap<string, number> = new Map(SYSTEM_OPS.map((name, i) => [name, i]));
/** Kinds of address in records (bits 5:4 of their field k), in bytes. */
const ADDRESS_SIZES: readonly number[] = [8, 4, 4, 2];

/** What the row is called among {@link SYSTEM_OPS}, and the segment register it names. */
interface Meaning {
  readonly op: number;
  readonly segment: number;
  /** Operand size in bytes, where the row fixes it. */
  readonly size: number | undefined;
}

function nameOf(row: Row): SystemOp | undefined {
  const { name, operands } = row;
  const kinds = operands.map(({ kind }) => kind).join('');
  if (name === 'mov') return ({ RC: 'mov_from_cr', RD: 'mov_from_dr', CR: 'mov_to_cr', DR: 'mov_to_dr', SE: 'mov_to_sreg' } as const)[kinds];
  if (name === 'pop') return operands[0]?.kind === 'fixed' && SEGMENTS.includes(operands[0].size) ? 'pop_sreg' : undefined;
  if (name in FAR_POINTERS) return 'load_far_pointer';
  if (name === 'callf' || name === 'jmpf') return kinds === 'A' ? `${name}_ptr` : `${name}_mem`;
  if (name === 'in' || name === 'out') return kinds.includes('I') ? `${name}_imm` : `${name}_dx`;
  if (name === 'wbnoinvd') return 'wbinvd';
  return OPS.has(name) ? (name as SystemOp) : undefined;
}

const meanings: readonly (Meaning | undefined)[] = rows.map((row) => {
  const name = nameOf(row);
  if (name === undefined) return undefined;
  const first = row.operands[0]?.size ?? '';
  const byte = row.operands.some(({ kind, size }) => (kind === 'fixed' && size === 'AL') || ((kind === 'X' || kind === 'Y') && size === 'b'));
  return { op: OPS.get(name) as number, segment: FAR_POINTERS[row.name] ?? SEGMENTS.indexOf(first), size: byte ? 1 : undefined };
});

/** The operands of the last {@link read}; one object, since instructions are executed one at a time. */
export class SystemReader {
  readonly insn: SystemInsn = {
    length: 0, opSize: 4, addrSize: 4, reg: 0, rm: -1, seg: 3, lo: 0, hi: 0, imm: 0, imm2: 0, immediatePort: false, rep: false, base: -1, index: -1, scale: 0,
    disp: 0,
  };
  readonly #state: number;

  /** @param state - byte offset of the state block */
  constructor(state: number) {
    this.#state = state;
  }

  /** Reads a record; its layout is in `emit/system.ts`. @returns the index among {@link SYSTEM_OPS}, -1 if the instruction is none of them */
  read(words: Int32Array, record: number): number {
    const at = record >>> 2;
    const first = words[at] as number;
    const second = words[at + 1] as number;
    const k = second >>> 24;
    const memory = (k & MEMORY) !== 0;
    const meaning = meanings[systemRow(words, record)];
    if (meaning === undefined) return -1;
    const { insn } = this;
    insn.length = (first >>> 16) & 0xff;
    if (memory) {
      insn.reg = first >>> 24;
      const base = second & 0xff;
      const index = (second >>> 8) & 0xff;
      const segment = (second >>> 16) & 0xff;
      insn.opSize = meaning.size ?? 2 << ((words[at + 2] as number) >>> 16 & ((1 << SIZE_BITS) - 1));
      insn.addrSize = ADDRESS_SIZES[(k >>> 4) & 3] as number;
      insn.rm = -1;
      insn.imm = meaning.segment;
      insn.imm2 = 0;
      insn.rep = false;
      insn.base = base === ZERO ? -1 : base >> 3;
      insn.index = index === ZERO ? -1 : index >> 3;
      insn.scale = k & K.scale;
      insn.disp = words[at + 3] as number;
      // SS is the default where the base is RSP or RBP.
      insn.seg = segment !== ZERO ? (segment - SEG_BASE) >> 3 : insn.base === 4 || insn.base === 5 ? Seg.ss : Seg.ds;
      insn.lo = words[(this.#state + ARG1) >>> 2] as number;
      insn.hi = words[((this.#state + ARG1) >>> 2) + 1] as number;
    } else {
      insn.opSize = meaning.size ?? (k & 7) * 2;
      insn.addrSize = ((k >>> 3) & 7) * 2 || this.#addressSize(words);
      const whole = insn.length > 1;
      insn.reg = whole ? first >>> 24 : 0;
      insn.rm = whole ? second & 0xff : 0;
      insn.rep = ((second >>> 8) & 0xff) !== 0;
      insn.seg = (second >>> 16) & 0xff;
      insn.imm = meaning.segment >= 0 ? meaning.segment : whole ? (words[at + 3] as number) : 0;
      insn.imm2 = insn.length > 2 ? (words[at + 5] as number) & 0xffff : 0;
      insn.base = insn.index = -1;
      insn.scale = insn.disp = 0;
    }
    return meaning.op;
  }

  #addressSize(words: Int32Array): number {
    const size = (words[(this.#state + MODE) >>> 2] as number) & CODE.size;
    return size === CODE.code64 ? 8 : size === CODE.code32 ? 4 : 2;
  }
}
