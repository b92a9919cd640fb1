/**
 * Instructions that JavaScript executes: system instructions, port I/O, far transfers. Their records say which one it is and what its
 * operands are; `system_insn.ts` reads them.
 *
 * Record without a memory operand: r, b ModRM.reg and rm as numbers, x the REP prefix, g the number of the data segment, k operand and
 * address size (in units of 16 bits, three bits each), w the row's number, imm, more the second immediate; of one byte, which has none of
 * these three, r and b are the row's number. With one: r the number, w the row's number << 2 | log2 of the operand size in units of 16 bits,
 * the rest as of every memory operand; ARG0 has its linear address, ARG1 its offset.
 */
import type { Decoded } from '../isa/decode.ts';
import type { Row } from '../isa/table.ts';
import { ARG0, ARG1, Seg } from '../state.ts';
import { define, named } from './define.ts';
import type { Definition, Definitions, RecordFields } from './define.ts';
import { ANY_ADDRESS, K, memoryAddress } from './operands.ts';

/** Service that executes the instruction of the record. */
export const SYSTEM = 'system';

/** Bit of field k: there is a memory operand. */
export const MEMORY = 0x80;
/** Bits of field w that are the operand size then. */
export const SIZE_BITS = 2;

/** Fills the record of a system instruction; it takes the place of {@link Definition.record}'s defaults. */
export function systemRecord(fields: RecordFields, insn: Decoded, row: Row): void {
  fields.r = insn.reg;
  if (insn.isMemory) {
    fields.w = (row.op << SIZE_BITS) | (31 - Math.clz32(insn.operandSize / 16));
    fields.k |= MEMORY;
    return;
  }
  fields.b = insn.rm;
  fields.x = insn.rep;
  fields.g = insn.override >= 0 ? insn.override : Seg.ds;
  fields.k = (fields.k & K.segmented) | (insn.operandSize / 16) | ((insn.addressSize / 16) << 3);
  fields.w = row.op;
  fields.first = insn.imm;
  fields.more = insn.imm2;
  if (insn.length === 1) {
    fields.r = row.op & 0xff;
    fields.b = row.op >> 8;
  }
}

/** The number of a system instruction's row, from its record. @param words - linear memory */
export function systemRow(words: Int32Array, record: number): number {
  const at = record >>> 2;
  const first = words[at] as number;
  const second = words[at + 1] as number;
  if (((first >>> 16) & 0xff) === 1) return (first >>> 24) | ((second & 0xff) << 8);
  return (words[at + 2] as number) >>> (second >>> 24 & MEMORY ? 16 + SIZE_BITS : 16);
}

/** The definition of all of them. */
export const system: Definition = define(({ e, variant }) => {
  if (variant.places.includes('m')) {
    const { linear, offset } = memoryAddress(e, ANY_ADDRESS);
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
