/** From a decoded record to what the privileged architecture executes: which of its instructions a row of the opcode table is, and its operands. */
import { readSystem, type SystemInstruction } from './emit/system.ts';
import type { Row } from './isa/table.ts';
import { rows } from './isa/table.ts';
import { SYSTEM_OPS, type SystemInsn, type SystemOp } from './priv/index.ts';
import { ARG1, CODE, MODE } from './state.ts';

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

  /** Reads a record. @returns the index among {@link SYSTEM_OPS}, -1 if the instruction is none of them */
  read(words: Int32Array, record: number): number {
    const system = readSystem(words, record);
    const meaning = meanings[system.row.op];
    if (meaning === undefined) return -1;
    const { insn } = this;
    insn.length = system.length;
    insn.opSize = meaning.size ?? system.operandSize / 8;
    insn.reg = system.reg;
    insn.rm = system.memory ? -1 : system.rm;
    insn.imm = meaning.segment >= 0 ? meaning.segment : system.imm;
    insn.imm2 = system.imm2;
    insn.rep = system.rep !== 0;
    insn.base = system.base;
    insn.index = system.index;
    insn.scale = system.scale;
    insn.disp = system.disp;
    if (system.memory) {
      insn.addrSize = ADDRESS_SIZES[((words[(record >>> 2) + 1] as number) >>> 28) & 3] as number;
      insn.lo = words[(this.#state + ARG1) >>> 2] as number;
      insn.hi = words[((this.#state + ARG1) >>> 2) + 1] as number;
      insn.seg = segmentOf(system);
    } else {
      insn.addrSize = system.addressSize / 8 || this.#addressSize(words);
      insn.seg = system.segment;
    }
    return meaning.op;
  }

  #addressSize(words: Int32Array): number {
    const size = (words[(this.#state + MODE) >>> 2] as number) & CODE.size;
    return size === CODE.code64 ? 8 : size === CODE.code32 ? 4 : 2;
  }
}

/** The segment of a memory operand: SS by default where the base is RSP or RBP. */
function segmentOf({ segment, base }: SystemInstruction): number {
  return segment >= 0 ? segment : base === 4 || base === 5 ? 2 : 3;
}
