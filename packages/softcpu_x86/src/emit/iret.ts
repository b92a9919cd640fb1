/**
 * IRET from the kernel to 64-bit user code (SDM vol. 2; vol. 3, 6.14.3): flat segments as their descriptors say, nothing that has to be looked at first.
 * Everything else is the service's, which does all of it.
 */
import { i32, i64, select } from '@axvisor/softcpu';
import type { Block, FunctionDefinition, I32, I64 } from '@axvisor/softcpu';
import {
  ALIGN_TRAP, CPL, EFLAGS, FETCH, Flag, GDTR_LIMIT, IF_ALLOWED, IF_AWAITED, INTERCEPTS, Intercepts, LIMITS, MMU, NON_ADDRESS_BITS, RIGHTS, SEG_BASE, SELECTOR, SHARED, SMAP, Seg,
  storedAt,
} from '../state.ts';
import { define } from './define.ts';
import type { Definition } from './define.ts';
import { unpackFlags } from './flags.ts';
import { gpr, setGpr } from './operands.ts';
import { SYSTEM, systemRecord } from './system.ts';

const RETURN_TO_USER = 'returnToUser';

const RSP = 4;
/** Operand size in records of system instructions, in units of 16 bits. */
const OPERAND_SIZE = 7;
const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;
/** What it takes from the stack at privilege level 0, but RF, which only instruction breakpoints heed. */
const TAKEN =
  ARITHMETIC | Flag.TF | Flag.IF | Flag.DF | Flag.IOPL | Flag.NT | Flag.AC | Flag.VIF | Flag.VIP | Flag.ID;

/** Descriptors of flat segments of privilege level 3, accessed: the upper halves without what is free (readable, available). */
const FLAT_LOW = 0xffff;
const CODE_64 = 0x00af_f900;
const DATA = 0x00cf_f300;
const READABLE = 0x200;
const AVAILABLE = 0x10_0000;

const word = (b: Block, offset: number): I32 => b.state('i32.load', offset);
const register = (b: Block, name: Parameters<typeof storedAt>[0]): I32 => word(b, storedAt(name));
const any = (...conditions: readonly I32[]): I32 => conditions.reduce((a, c) => i32.or(a, c));
const has = (value: I32, bits: number): I32 => i32.and(value, i32.const(bits));

/** Whether a selector is not one of the GDT, of privilege level 3, within the limit. */
const refused = (b: Block, selector: I32): I32 =>
  any(i32.ne(has(selector, 7), i32.const(3)), i32.lt_u(selector, i32.const(8)), i32.gt_u(i32.or(selector, i32.const(7)), word(b, GDTR_LIMIT)));

/** ES, DS, FS and GS are what privilege level 3 may use: null, of that level, or conforming code. */
function keepsSegments(b: Block): I32 {
  const kept = (segment: number): I32 => {
    const rights = b.let(word(b, RIGHTS + 4 * segment));
    return any(has(rights, 0x1_0000), i32.eq(has(rights, 0x60), i32.const(0x60)), i32.eq(has(rights, 12), i32.const(12)));
  };
  return [Seg.es, Seg.ds, Seg.fs, Seg.gs].map((segment) => i32.ne(kept(segment), i32.const(0))).reduce((a, c) => i32.and(a, c));
}

/** `(CS, SS, flags, descriptor of CS, of SS)`: 1 where it was done, but for what locals may hold; 0: nothing was. */
function returnToUser(b: Block, cs: I32, ss: I32, flags: I32, code: I64, stack: I64): I32 {
  const old = b.let(word(b, EFLAGS));
  const high = (descriptor: I64): I32 => i32.wrap_i64(i64.shr_u(descriptor, i64.const(32)));
  const flat = (descriptor: I64, spare: number, wanted: number): I32 =>
    any(i32.xor(i32.wrap_i64(descriptor), i32.const(FLAT_LOW)), i32.xor(i32.and(high(descriptor), i32.const(~spare)), i32.const(wanted)));
  const special = any(
    flat(code, READABLE | AVAILABLE, CODE_64), flat(stack, AVAILABLE, DATA),
    has(flags, Flag.TF), i32.and(has(flags, Flag.AC), register(b, 'cr0')),
    // An instruction breakpoint heeds RF.
    i32.and(i32.ne(has(flags, Flag.RF), i32.const(0)), i32.ne(has(register(b, 'dr7'), 0xff), i32.const(0))),
    // What waits for IF is looked at.
    i32.and(i32.lt_u(has(old, Flag.IF), has(flags, Flag.IF)), i32.ne(word(b, IF_AWAITED), i32.const(0))),
    i32.eqz(keepsSegments(b)),
  );
  const simple = b.let(i32.eqz(special));
  b.if(simple, () => {
    for (const [segment, selector, descriptor] of [[Seg.cs, cs, code], [Seg.ss, ss, stack]] as const) {
      b.setState('i32.store', SELECTOR + 4 * segment, selector);
      b.setState('i32.store', LIMITS + 4 * segment, i32.const(-1));
      b.setState('i32.store', RIGHTS + 4 * segment, has(i32.shr_u(high(descriptor), i32.const(8)), 0xf0ff));
    }
    b.setState('i32.store', EFLAGS, i32.or(i32.and(old, i32.const(~(TAKEN | Flag.RF))), has(flags, TAKEN & ~ARITHMETIC)));
    b.setState('i32.store', CPL, i32.const(3));
    b.setState('i32.store', IF_ALLOWED, i32.eq(has(flags, Flag.IOPL), i32.const(Flag.IOPL)));
    b.setState('i32.store', ALIGN_TRAP, i32.const(0));
  });
  return simple;
}

export const iretFunctions: Readonly<Record<string, FunctionDefinition>> = {
  [RETURN_TO_USER]: {
    params: ['i32', 'i32', 'i32', 'i64', 'i64'],
    result: 'i32',
    body: (b, cs, ss, flags, code, stack) => returnToUser(b, cs as I32, ss as I32, flags as I32, code as I64, stack as I64),
  },
};

export const iret: Definition = define(({ e, variant }) => {
  if (!variant.long) {
    e.service(SYSTEM);
    return;
  }
  const spare = i64.extend_i32_u(word(e, NON_ADDRESS_BITS));
  const wild = (address: I64): I32 => i64.ne(i64.shr_s(i64.shl(address, spare), spare), address);
  const top = e.let(gpr(e, RSP));
  const narrow = i32.ne(has(e.field('k'), OPERAND_SIZE), i32.const(64 / 16));
  const refuse = (condition: I32): void => e.if(condition, () => e.service(SYSTEM), undefined, false);
  refuse(any(
    // Others wrote code, perhaps, which is seen from here on.
    word(e, SHARED), narrow, word(e, CPL), has(word(e, INTERCEPTS), Intercepts.iret | Intercepts.nmiBlocked), has(word(e, EFLAGS), Flag.NT | Flag.TF),
    wild(top), wild(i64.add(top, i64.const(39))),
  ));
  const [rip, codeSelector, flags64, sp, stackSelector] = e.loadRow('u64', top, 5) as [I64, I64, I64, I64, I64];
  const cs = e.let(i32.and(i32.wrap_i64(codeSelector), i32.const(0xffff)));
  const ss = e.let(i32.and(i32.wrap_i64(stackSelector), i32.const(0xffff)));
  refuse(any(wild(rip), refused(e, cs), refused(e, ss)));
  const table = e.let(e.state('i64.load', storedAt('gdtrBase')));
  const descriptor = (selector: I32): I64 => e.load('u64', i64.add(table, i64.extend_i32_u(i32.and(selector, i32.const(-8)))));
  const descriptors: I64[] = [];
  // As the processor itself reads tables: SMAP is in force whatever AC says.
  e.inMode(select(word(e, SMAP), i32.const(MMU.supervisorSmap), i32.const(MMU.supervisor)), () => descriptors.push(descriptor(cs), descriptor(ss)));
  const [code, stack] = descriptors as [I64, I64];
  const flags = e.let(i32.wrap_i64(flags64));
  refuse(i32.eqz(e.call(RETURN_TO_USER, 'i32', [cs, ss, flags, code, stack])));
  setGpr(e, RSP, 64, sp);
  e.setState('i64.store', SEG_BASE + 8 * Seg.cs, i64.const(0));
  e.setState('i64.store', SEG_BASE + 8 * Seg.ss, i64.const(0));
  unpackFlags(e, flags);
  e.enterMode(MMU.user, rip, FETCH.user);
}, { byMode: true, ends: true, record: systemRecord });
