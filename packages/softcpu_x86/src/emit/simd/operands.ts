/**
 * Operands of SSE and MMX instructions. XMM registers are 16 bytes of the state block, MMX registers the significands of the x87 ones.
 *
 * Record: r the first register operand, b the second where there is no memory operand: numbers of XMM and MMX registers, offsets of
 * general ones; the memory operand as everywhere; v the immediate.
 */
import { f32x4, f64x2, i32, i64, i64x2, v128 } from '@axvisor/softcpu';
import type { Emitter, I32, I64, V128 } from '@axvisor/softcpu';
import type { Decoded } from '../../isa/decode.ts';
import type { Operand, Row } from '../../isa/table.ts';
import { CODE, FPR, FPU_TRAP, FSW, FTW, GPR, Gpr, SSE_TRAP, ZERO as STATE_ZERO, VT, YMM } from '../../state.ts';
import { operandBits } from '../define.ts';
import type { RecordFields } from '../define.ts';
import { checkSegment, memoryAddress } from '../operands.ts';
import type { Operands } from '../operands.ts';
import { GENERAL_PROTECTION } from '../pair.ts';
import { bytesOf, loadOf, zext } from '../value.ts';
import type { Size } from '../value.ts';

/** Services that raise #UD or #NM, as CR0 and CR4 want, of SSE and of x87 and MMX instructions. */
export const SSE_FAULT = 'sseTrap';
export const FPU_FAULT = 'fpuTrap';
/** The same of AVX instructions, as CR0, CR4 and XCR0 want. */
export const AVX_FAULT = 'avxTrap';
/** Service that raises #XM, or #UD without CR4.OSXMMEXCPT. */
export const SIMD_EXCEPTION = 'simdException';

export const ZERO: V128 = v128.const(0n);
const LOW = v128.const((1n << 64n) - 1n);
/** TOP of the x87 status word. */
const TOP = 7 << 11;
/** Sign and exponent of an MMX register, all ones. */
const MMX_UPPER = v128.const(0xffffn << 64n);

const XMM_KINDS = 'VWUHL';
const MMX_KINDS = 'PQN';
const isXmm = ({ kind, size }: Operand): boolean => XMM_KINDS.includes(kind) || (kind === 'fixed' && size === 'X0');
const isMmx = ({ kind }: Operand): boolean => MMX_KINDS.includes(kind);
const isGeneral = ({ kind }: Operand): boolean => kind === 'E' || kind === 'G' || kind === 'R';
/** Operands that ModRM.rm names. */
export const isRm = ({ kind }: Operand): boolean => 'EWUQNRM'.includes(kind);

/** Names of SIMD instructions without vector registers. */
const WITHOUT_REGISTERS: ReadonlySet<string> = new Set(['emms', 'ldmxcsr', 'stmxcsr', 'vldmxcsr', 'vstmxcsr', 'vzeroupper', 'vzeroall']);
/** Whether a row has vector registers, or is about them. */
export const isSimd = (row: Row): boolean => row.operands.some((operand) => isXmm(operand) || isMmx(operand)) || WITHOUT_REGISTERS.has(row.name);

/** Numbers and offsets of the registers; {@link RecordFields} has the rest already. */
export function simdRecord(fields: RecordFields, insn: Decoded, row: Row): void {
  if (row.vex) {
    vexRecord(fields, insn, row);
    return;
  }
  let first = true;
  for (const operand of row.operands) {
    if (operand.kind === 'fixed' || operand.kind === 'I' || (insn.isMemory && isRm(operand))) continue;
    const number = isRm(operand) ? insn.rm : insn.reg;
    // There are eight MMX registers, whatever REX says.
    const value = isGeneral(operand) ? GPR + 8 * number : isMmx(operand) ? number & 7 : number;
    if (first) fields.r = value;
    else fields.b = value;
    first = false;
  }
  if (row.operands.some(({ kind }) => kind === 'I')) fields.more = insn.imm & 0xff;
}

/**
 * Of VEX: r by ModRM.reg, b by ModRM.rm where that is a register; v the immediate, h VEX.vvvv, l the register that the immediate
 * names or the index of a gather.
 */
function vexRecord(fields: RecordFields, insn: Decoded, row: Row): void {
  let last = 0;
  for (const operand of row.operands) {
    const { kind } = operand;
    const number = kind === 'V' || kind === 'G' ? insn.reg : insn.rm;
    const value = isGeneral(operand) ? GPR + 8 * number : number;
    if (kind === 'V' || kind === 'G') fields.r = value;
    else if (isRm(operand) && !insn.isMemory) fields.b = value;
    else if (kind === 'L') last = (insn.imm >> 4) & ((insn.mode & CODE.size) === CODE.code64 ? 15 : 7);
    else if (kind === 'MX' || kind === 'MH') {
      last = insn.index;
      fields.x = STATE_ZERO;
    }
  }
  fields.more = (insn.imm & 0xff) | (insn.vvvv << 8) | (last << 16);
}

/** Memory operands of 16 bytes that need not be aligned. */
const UNALIGNED = /^(movups|movupd|movdqu|lddqu|pcmp[ei]str[im])$/;

export class SimdOperands {
  readonly e: Emitter;
  readonly row: Row;
  protected readonly operands: Operands;
  protected readonly memory: boolean;
  #linear: I64 | undefined;

  constructor(operands: Operands, row: Row) {
    this.e = operands.e;
    this.row = row;
    this.operands = operands;
    this.memory = row.operands.some((operand, i) => isRm(operand) && operands.variant.places[i] === 'm');
  }

  /** Raises what CR0 and CR4 want of the instruction; an MMX instruction resets the x87 stack. */
  guard(): void {
    const { e } = this;
    const mmx = this.row.operands.some(isMmx) || this.row.features.includes('mmx');
    if (mmx) e.if(e.state('i32.load', FPU_TRAP), () => e.fault(FPU_FAULT), undefined, false);
    else e.if(e.state('i32.load', SSE_TRAP), () => e.fault(SSE_FAULT), undefined, false);
  }

  /** Executes the body of the definition, for each half. */
  execute(body: () => void): void {
    body();
  }

  /** Executes a body that is about all halves. */
  executeWhole(body: () => void): void {
    body();
  }

  /** Numbers of the halves that operands have. */
  get halves(): readonly (0 | 1)[] {
    return [0];
  }

  /** All registers are in use now. */
  enterMmx(): void {
    const { e } = this;
    e.setState('i32.store', FSW, i32.and(e.state('i32.load', FSW), i32.const(~TOP)));
    e.setState('i32.store', FTW, i32.const(0));
  }

  /** Operand `i` of the instruction's SSE form, as it is read. */
  protected operand(i: number): Operand {
    return this.row.operands[i] as Operand;
  }

  isMmx(i: number): boolean {
    return isMmx(this.operand(i));
  }

  isMemory(i: number): boolean {
    return this.memory && isRm(this.operand(i));
  }

  /** Bytes of operand `i`. */
  bytes(i: number): number {
    return operandBits(this.operand(i), this.operands.size, 0) / 8;
  }

  /** The record's field of register operand `i`. */
  protected field(i: number): 'r' | 'b' {
    const before = this.row.operands.slice(0, i).filter((operand) => operand.kind !== 'fixed' && operand.kind !== 'I' && !(this.memory && isRm(operand)));
    return before.length === 0 ? 'r' : 'b';
  }

  /** Offset of vector register operand `i` in the state block. */
  #place(i: number): I32 {
    const operand = this.operand(i);
    if (operand.kind === 'fixed') return i32.const(YMM); // XMM0
    const number = this.e.field(this.field(i));
    return isMmx(operand) ? i32.add(i32.shl(number, i32.const(4)), i32.const(FPR)) : i32.add(i32.shl(number, i32.const(5)), i32.const(YMM));
  }

  /** Whether a memory operand of so many bytes has to be aligned. */
  protected isAligned(bytes: number): boolean {
    return bytes === 16 && !UNALIGNED.test(this.row.name);
  }

  /** Linear address of the memory operand, `bytes` of which may be accessed; aligned where it has to be. */
  address(bytes: number, write: boolean): I64 {
    if (this.#linear !== undefined) return this.#linear;
    const { e } = this;
    const { fast } = this.operands.variant;
    const { linear, offset } = memoryAddress(e, this.operands.variant);
    if (!fast) checkSegment(e, offset, bytes, write);
    if (this.isAligned(bytes)) {
      e.if(i32.wrap_i64(i64.and(linear, i64.const(bytes - 1))), () => e.fault(GENERAL_PROTECTION), undefined, false);
    }
    this.#linear = linear;
    return linear;
  }

  /** Operand `i`: a register, or memory of its size with zeroes above. Bound. */
  get(i: number): V128 {
    const { e } = this;
    if (!this.isMemory(i)) {
      const place = this.#place(i);
      return e.let(this.isMmx(i) ? e.read('v128.load64_zero', place, stateOf(e)) : e.vector('v128.load', place));
    }
    const bytes = this.bytes(i);
    const linear = this.address(bytes, false);
    if (bytes < 16) return e.let(low64(e.load(loadOf[(bytes * 8) as Size], linear)));
    return e.loadVectors(linear, 1)[0] as V128;
  }

  /** Half `half` of operand `i`, bound. */
  part(i: number, _half: 0 | 1): V128 {
    return this.get(i);
  }

  /** Writes operand `i`, as many bytes of it as it has; a register whole, of MMX the lower half. */
  set(i: number, value: V128): void {
    const { e } = this;
    if (this.isMemory(i)) {
      const bytes = this.bytes(i);
      const linear = this.address(bytes, true);
      // Where the second half faults the first may be written already, with what the instruction writes there when it is done again.
      if (bytes < 16) e.store(bytesOf((bytes * 8) as Size), linear, i64x2.extract_lane(value, 0));
      else e.storeVectors(linear, [value]);
      return;
    }
    if (this.isMmx(i)) {
      this.enterMmx();
      e.write('v128.store', this.#place(i), v128.or(v128.and(value, LOW), MMX_UPPER), stateOf(e));
    } else {
      e.setVector('v128.store', this.#place(i), value);
    }
  }

  /** Writes the low bytes of XMM operand `i` and keeps the others. */
  setLow(i: number, bytes: 4 | 8, value: V128): void {
    // Written whole: what reads all of it next would wait for a part to be stored.
    this.set(i, withLow(this.get(i), bytes, value));
  }

  /** Writes XMM0, which some instructions imply. */
  setXmm0(value: V128): void {
    this.e.setVector('v128.store', i32.const(YMM), value);
  }

  /** A general register, or memory in its place; zero-extended from `size`. */
  general(i: number, size: Size): I64 {
    const { e } = this;
    if (this.isMemory(i)) return e.load(loadOf[size], this.address(size / 8, false));
    return zext(e.reg(this.field(i)), size);
  }

  /** Writes a general register as 32 or 64 bits, or memory. */
  setGeneral(i: number, size: Size, value: I64): void {
    const { e } = this;
    if (this.isMemory(i)) e.store(bytesOf(size), this.address(size / 8, true), value);
    else e.setReg(this.field(i), zext(value, size < 32 ? 32 : size));
  }

  /** Linear address of what rDI points to in the segment of field g, and the address size of the variant. */
  stringDestination(): I64 {
    const { e } = this;
    return e.let(i64.add(zext(e.state('i64.load', GPR + 8 * Gpr.rdi), this.operands.variant.address), e.reg('g')));
  }

  /** 64 or 32, of operands that are one or the other by REX.W. */
  get wide(): Size {
    return this.operands.size === 64 ? 64 : 32;
  }

  get imm(): I32 {
    return this.e.field('v');
  }

  /** The immediate, of whose bits each half of a vector has so many of its own. */
  immOfHalf(_bits: number): I32 {
    return this.imm;
  }

  /** An exception that is not masked: raised if the condition holds. */
  raise(condition: I32): void {
    this.e.if(condition, () => this.e.fault(SIMD_EXCEPTION), undefined, false);
  }
}

/** Where the state block lies in linear memory. */
export function stateOf(e: Pick<Emitter, 'state'>): number {
  const read = e.state('i32.load', VT);
  // While definitions are only inspected there is no place yet.
  return read.kind === 'read' ? read.offset - VT : 0;
}

/** A vector with the low bytes of another. */
export const withLow = (old: V128, bytes: 4 | 8, value: V128): V128 =>
  bytes === 8 ? f64x2.replace_lane(old, 0, f64x2.extract_lane(value, 0)) : f32x4.replace_lane(old, 0, f32x4.extract_lane(value, 0));
/** 64 bits with zeroes above. */
export const low64 = (value: I64): V128 => i64x2.replace_lane(ZERO, 0, value);
