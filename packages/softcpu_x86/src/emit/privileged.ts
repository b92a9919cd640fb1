/**
 * System instructions that do no more, as a rule, than to change words of the state block: CLI, STI, STAC, CLAC, SWAPGS, PAUSE, and in
 * 64-bit mode SYSCALL, SYSRET, RDFSBASE and its relatives (SDM vol. 2). What they do otherwise is the service's, which does all of it.
 */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Emitter, I32 } from '@axvisor/softcpu';
import {
  ALIGN_TRAP, CODE, CPL, CR_READS, EFLAGS, FETCH, Flag, GPR, IF_ALLOWED, IF_AWAITED, INTERCEPTS, Intercepts, LIMITS, MMU, MODE, NON_ADDRESS_BITS, PAUSES_LEFT, RIGHTS, SEG_BASE, SELECTOR, SHADOW_PC, SHARED, SMAP, Seg,
  storedAt,
} from '../state.ts';
import { CR4, EFER, FLAT, SYSCALL_RIGHTS, SYSRET_FLAGS } from '../priv/fields.ts';
import { define } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { packFlags, unpackFlags } from './flags.ts';
import { iret } from './iret.ts';
import { gpr, setGpr } from './operands.ts';
import { SYSTEM, systemRecord } from './system.ts';
import { zext } from './value.ts';

const KERNEL_GS_BASE = storedAt('kernelGsBase');
const GS_BASE = SEG_BASE + 8 * Seg.gs;

const RCX = 1;
const R11 = 11;
const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;
/** Operand size in records of system instructions, in units of 16 bits. */
const OPERAND_SIZE = 7;

const word = (e: Emitter, offset: number): I32 => e.state('i32.load', offset);
const without = (flags: I32, flag: number): I32 => i32.and(flags, i32.const(~flag));

const cli: Definition = define(({ e }) => {
  e.if(e.state('i32.load', IF_ALLOWED), () => e.setState('i32.store', EFLAGS, without(e.state('i32.load', EFLAGS), Flag.IF)), () => e.service(SYSTEM), true);
}, { record: systemRecord });

/** STI where nobody waits for it. Interrupts that come are blocked at the next instruction, if IF was clear. */
const sti: Definition = define(({ e }) => {
  const simple = i32.gt_u(e.state('i32.load', IF_ALLOWED), e.state('i32.load', IF_AWAITED));
  e.if(simple, () => {
    const flags = e.let(e.state('i32.load', EFLAGS));
    e.if(i32.eqz(i32.and(flags, i32.const(Flag.IF))), () => {
      e.setState('i32.store', EFLAGS, i32.or(flags, i32.const(Flag.IF)));
      e.setState('i64.store', SHADOW_PC, e.nextPc());
    });
  }, () => e.service(SYSTEM), true);
}, { record: systemRecord });

const stac: Definition = define(({ e }) => {
  e.if(e.state('i32.load', CPL), () => e.service(SYSTEM), undefined, false);
  e.setState('i32.store', EFLAGS, i32.or(e.state('i32.load', EFLAGS), i32.const(Flag.AC)));
  e.enterMode(MMU.supervisor);
}, { record: systemRecord });

const clac: Definition = define(({ e }) => {
  e.if(i32.or(e.state('i32.load', CPL), i32.eqz(e.state('i32.load', SMAP))), () => e.service(SYSTEM), undefined, false);
  e.setState('i32.store', EFLAGS, without(e.state('i32.load', EFLAGS), Flag.AC));
  e.enterMode(MMU.supervisorSmap);
}, { record: systemRecord });

const swapgs: Definition = define(({ e }) => {
  e.if(e.state('i32.load', CPL), () => e.service(SYSTEM), undefined, false);
  const base = e.let(e.state('i64.load', GS_BASE));
  e.setState('i64.store', GS_BASE, e.let(e.state('i64.load', KERNEL_GS_BASE)));
  e.setState('i64.store', KERNEL_GS_BASE, base);
}, { record: systemRecord });

const pause: Definition = define(({ e }) => {
  const left = e.let(i32.sub(word(e, PAUSES_LEFT), i32.const(1)));
  e.if(i32.or(i32.and(word(e, INTERCEPTS), i32.const(Intercepts.pause)), i32.eqz(left)), () => e.service(SYSTEM), () => e.setState('i32.store', PAUSES_LEFT, left), false);
}, { record: systemRecord });

const register = (name: Parameters<typeof storedAt>[0], high = false): number => storedAt(name) + (high ? 4 : 0);
const lacks = (value: I32, bit: number): I32 => i32.eqz(i32.and(value, i32.const(bit)));

/** All of RFLAGS but RF and VM. */
function setFlags(e: Emitter, flags: I32): void {
  unpackFlags(e, flags);
  e.setState('i32.store', EFLAGS, without(flags, ARITHMETIC | 2));
}

/** Flat segments of a privilege level, 64-bit code, by the selector of the code segment; the stack's is beside it. */
function loadFlat(e: Emitter, cs: I32, ss: I32, cpl: number): void {
  const dpl = cpl << 5;
  for (const [segment, selector, rights] of [[Seg.cs, cs, SYSCALL_RIGHTS.code64], [Seg.ss, ss, SYSCALL_RIGHTS.data]] as const) {
    e.setState('i32.store', SELECTOR + 4 * segment, i32.or(i32.and(selector, i32.const(0xfffc)), i32.const(cpl)));
    e.setState('i64.store', SEG_BASE + 8 * segment, i64.const(0));
    e.setState('i32.store', LIMITS + 4 * segment, i32.const(FLAT | 0));
    e.setState('i32.store', RIGHTS + 4 * segment, i32.const(rights | dpl));
  }
  e.setState('i32.store', CPL, i32.const(cpl));
}

/** SYSCALL where SMAP is in force and IA32_FMASK clears AC, as systems have it. */
const syscall: Definition = define(({ e, variant }) => {
  if (!variant.long) {
    e.service(SYSTEM);
    return;
  }
  const old = e.let(word(e, EFLAGS));
  const fmask = e.let(word(e, register('fmask')));
  const masked = i32.and(i32.and(word(e, register('efer')), i32.const(EFER.SCE)), i32.shr_u(fmask, i32.const(Math.log2(Flag.AC))));
  e.if(i32.or(lacks(masked, 1), i32.or(i32.eqz(word(e, SMAP)), i32.and(old, i32.const(Flag.TF)))), () => e.service(SYSTEM), undefined, false);
  const flags = e.let(without(i32.or(i32.or(packFlags(e), old), i32.const(2)), Flag.RF));
  setGpr(e, RCX, 64, e.nextPc());
  setGpr(e, R11, 64, i64.extend_i32_u(flags));
  setFlags(e, e.let(i32.and(flags, i32.xor(fmask, i32.const(-1)))));
  const selector = e.let(word(e, register('star', true)));
  loadFlat(e, selector, i32.add(selector, i32.const(8)), 0);
  e.setState('i32.store', IF_ALLOWED, i32.const(1));
  e.setState('i32.store', ALIGN_TRAP, i32.const(0));
  e.enterMode(MMU.supervisorSmap, e.state('i64.load', register('lstar')), FETCH.supervisor);
}, { byMode: true, record: systemRecord });

const sysret: Definition = define(({ e, variant }) => {
  if (!variant.long) {
    e.service(SYSTEM);
    return;
  }
  const target = e.let(gpr(e, RCX));
  const wanted = e.let(i32.wrap_i64(gpr(e, R11)));
  const spare = i64.extend_i32_u(word(e, NON_ADDRESS_BITS));
  const narrow = i32.ne(i32.and(e.field('k'), i32.const(OPERAND_SIZE)), i32.const(64 / 16));
  const refused = i32.or(i32.ne(word(e, CPL), i32.const(0)), lacks(word(e, register('efer')), EFER.SCE));
  // Single steps and alignment checking take instructions one by one; CR0.AM is where RFLAGS.AC is.
  const stepwise = i32.or(i32.and(wanted, i32.const(Flag.TF)), i32.and(word(e, register('cr0')), i32.and(wanted, i32.const(Flag.AC))));
  const special = i32.or(i64.ne(i64.shr_s(i64.shl(target, spare), spare), target), i32.ne(stepwise, i32.const(0)));
  e.if(i32.or(i32.or(narrow, refused), special), () => e.service(SYSTEM), undefined, false);
  const flags = e.let(i32.or(i32.and(wanted, i32.const(SYSRET_FLAGS)), i32.const(2)));
  setFlags(e, flags);
  const selector = e.let(i32.shr_u(word(e, register('star', true)), i32.const(16)));
  loadFlat(e, i32.add(selector, i32.const(16)), i32.add(selector, i32.const(8)), 3);
  e.setState('i32.store', IF_ALLOWED, i32.eq(i32.and(flags, i32.const(Flag.IOPL)), i32.const(Flag.IOPL)));
  e.setState('i32.store', ALIGN_TRAP, i32.const(0));
  e.enterMode(MMU.user, target, FETCH.user);
}, { byMode: true, record: systemRecord });

/** Beside what the service needs: where the register is, of which the prefix has made the field free. */
const baseRecord: NonNullable<Definition['record']> = (fields, insn, row) => {
  systemRecord(fields, insn, row);
  fields.x = GPR + 8 * insn.rm;
};

/** RDFSBASE and its relatives: in 64-bit mode where CR4.FSGSBASE allows it. Addresses are canonical in the 57 bits that the processor has. */
const segmentBase = (segment: number, writes: boolean): Definition => define(({ e, variant, size }) => {
  if (!variant.long) {
    e.service(SYSTEM);
    return;
  }
  const operand = size === 64 ? 64 : 32;
  const value = e.let(zext(writes ? e.reg('x') : e.state('i64.load', SEG_BASE + 8 * segment), operand));
  const spare = i64.const(7);
  const refused = lacks(word(e, register('cr4')), CR4.FSGSBASE);
  e.if(writes && operand === 64 ? i32.or(refused, i64.ne(i64.shr_s(i64.shl(value, spare), spare), value)) : refused, () => e.service(SYSTEM), undefined, false);
  if (writes) e.setState('i64.store', SEG_BASE + 8 * segment, value);
  else e.setReg('x', value);
}, { byMode: true, bySize: true, record: baseRecord });

const bases: Definitions = { rdfsbase: segmentBase(Seg.fs, false), rdgsbase: segmentBase(Seg.gs, false), wrfsbase: segmentBase(Seg.fs, true), wrgsbase: segmentBase(Seg.gs, true) };

/** Nothing to be seen of others, where there are none. */
const serialize: Definition = define(({ e }) => e.if(word(e, SHARED), () => e.service(SYSTEM), undefined, false), { record: systemRecord });

/** MOV from CR2 and CR3; the other control registers, and these where they are intercepted, are the service's. */
export const moveFromControl: Definition = define(({ e }) => {
  const number = e.let(e.field('r'));
  const more = i32.and(i32.shr_u(word(e, INTERCEPTS), i32.add(number, i32.const(CR_READS))), i32.const(1));
  e.if(i32.eqz(i32.or(word(e, CPL), more)), () => {
    const first = e.state('i64.load', storedAt('cr2'));
    const base = first.kind === 'read' ? first.offset : 0;
    const value = e.let(e.read('i64.load', i32.shl(i32.sub(number, i32.const(2)), i32.const(3)), base));
    // Operand sizes do not count.
    const isLong = i32.eq(i32.and(word(e, MODE), i32.const(CODE.size)), i32.const(CODE.code64));
    e.setReg('x', select(isLong, value, zext(value, 32)));
  }, () => e.service(SYSTEM), true);
}, { record: baseRecord });

export const privileged: Definitions = { ...bases, cli, sti, stac, clac, swapgs, pause, syscall, sysret, iret, serialize };
