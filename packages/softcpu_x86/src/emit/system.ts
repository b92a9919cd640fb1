/**
 * Instructions that JavaScript executes: system instructions, port I/O, far transfers. Their records say which one it is and what its
 * operands are; {@link readSystem} reads them.
 *
 * Record without a memory operand: r, b ModRM.reg and rm as numbers, x the REP prefix, g the number of the data segment, k operand and
 * address size (in units of 16 bits, three bits each), disp the row's number << 16 | second immediate, imm. With one: r the number, imm
 * the row's number << 8 | operand size in bytes, the rest as of every memory operand; ARG0 has its linear address, ARG1 its offset.
 */
import type { Decoded } from '../isa/decode.ts';
import { rows } from '../isa/table.ts';
import type { Row } from '../isa/table.ts';
import { ARG0, ARG1, SEG_BASE, Seg, ZERO } from '../state.ts';
import { define, named } from './define.ts';
import type { Definition, Definitions, RecordFields } from './define.ts';
import { K, memoryAddress } from './operands.ts';

/** Service that executes the instruction of the record. */
export const SYSTEM = 'system';

/** Bit of field k: there is a memory operand. */
const MEMORY = 0x80;

/** A system instruction as its service finds it. Numbers are as in the instruction. */
export interface SystemInstruction {
  readonly row: Row;
  readonly length: number;
  /** In bits. */
  readonly operandSize: number;
  /** In bits; meaningful without a memory operand by ModRM. */
  readonly addressSize: number;
  /** ModRM.reg and ModRM.rm with their extensions: general, control, debug or segment registers. */
  readonly reg: number;
  readonly rm: number;
  /** There is a memory operand by ModRM: linear address in ARG0, offset in ARG1. */
  readonly memory: boolean;
  /** Segment of that, or of string operands. -1: none is named, since all are flat. */
  readonly segment: number;
  /** 0xf2, 0xf3 or 0. */
  readonly rep: number;
  readonly imm: number;
  readonly imm2: number;
  /** The memory operand's parts: general registers or -1, log2 of the factor, displacement. */
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly disp: number;
}

/** Fills the record of a system instruction; it takes the place of {@link Definition.record}'s defaults. */
export function systemRecord(fields: RecordFields, insn: Decoded, row: Row): void {
  fields.r = insn.reg;
  if (insn.isMemory) {
    fields.imm = (row.op << 8) | (insn.operandSize / 8);
    fields.k |= MEMORY;
    return;
  }
  fields.b = insn.rm;
  fields.x = insn.rep;
  fields.g = insn.override >= 0 ? insn.override : Seg.ds;
  fields.k = (fields.k & K.segmented) | (insn.operandSize / 16) | ((insn.addressSize / 16) << 3);
  fields.disp = (row.op << 16) | (insn.imm2 & 0xffff);
  fields.imm = insn.imm;
}

/** Reads the record that a service was called for. @param words - linear memory. */
export function readSystem(words: Int32Array, record: number): SystemInstruction {
  const word = (i: number): number => words[(record >>> 2) + i] as number;
  const byte = (i: number): number => (word(i >> 2) >>> ((i & 3) * 8)) & 0xff;
  const k = byte(7);
  const memory = (k & MEMORY) !== 0;
  const length = byte(2);
  const common = { length, reg: byte(3), memory };
  const register = (slot: number): number => (slot === ZERO ? -1 : slot >> 3);
  if (memory) {
    const slot = byte(6);
    return {
      ...common,
      row: rows[word(3) >> 8] as Row,
      operandSize: (word(3) & 0xff) * 8,
      addressSize: 0,
      rm: -1,
      segment: slot === ZERO ? -1 : (slot - SEG_BASE) >> 3,
      rep: 0,
      imm: 0,
      imm2: 0,
      base: register(byte(4)),
      index: register(byte(5)),
      scale: k & K.scale,
      disp: word(2),
    };
  }
  return {
    ...common,
    row: rows[word(2) >> 16] as Row,
    operandSize: (k & 7) * 16,
    addressSize: ((k >> 3) & 7) * 16,
    rm: byte(4),
    segment: byte(6),
    rep: byte(5),
    imm: word(3),
    imm2: word(2) & 0xffff,
    base: -1,
    index: -1,
    scale: 0,
    disp: 0,
  };
}

/** The definition of all of them. */
export const system: Definition = define(({ e, variant }) => {
  if (variant.places.includes('m')) {
    const { linear, offset } = memoryAddress(e, false);
    e.setState('i64.store', ARG0, linear);
    e.setState('i64.store', ARG1, offset);
  }
  e.service(SYSTEM);
}, { record: systemRecord });

/** Those after which execution goes on elsewhere. */
const TRANSFERS: ReadonlySet<string> = new Set(['callf', 'jmpf', 'retf', 'iret', 'int', 'int1', 'int3', 'sysenter', 'sysexit', 'vmlaunch', 'vmresume', 'vmrun', 'rsm']);

const NAMES = `ins outs in out callf jmpf retf int3 int into iret int1 hlt sldt str lldt ltr verr verw vmcall vmlaunch vmresume vmxoff monitor mwait
xgetbv xsetbv vmfunc vmrun vmmcall vmload vmsave stgi clgi skinit invlpga rdtscp sgdt sidt lgdt lidt smsw lmsw invlpg lar lsl clts invd
wbinvd wbnoinvd serialize wrmsr rdtsc rdmsr rdpmc sysenter sysexit cpuid rsm vmread vmwrite vmptrld vmclear vmxon vmptrst invept invvpid invpcid
fxsave fxrstor xsave xrstor xsaveopt xrstors xsavec xsaves arpl les lds lss lfs lgs rdrand rdseed rdpid`.split(/\s+/);

export const systemInstructions: Definitions = named(NAMES, (name) => ({ ...system, ends: TRANSFERS.has(name) }));
