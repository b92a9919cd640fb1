/** System instructions: those that need no more than the state block here, all others in JavaScript (Arm ARM, C5.2 and C6.2). */
import { i32, i64 } from '@axvisor/softcpu';
import type { Emit, Emitter, I32 } from '@axvisor/softcpu';
import { DAIF, EXCL_VALID, FPCR, FPSR, FP_TRAP, MODE, SP_EL0, TPIDR_EL0, TPIDR_EL1, UNSYNCED, ZVA_CHECKED } from '../state.ts';
import { FP_FAULT } from './guard.ts';
import { plain, single, source, target } from './define.ts';
import type { Definition, Definitions, Get } from './define.ts';
import { nzcv, setFlagsFrom } from './flags.ts';

/** Service that executes the instruction in the record's bits. */
export const SYSTEM = 'system';

const system: Emit = (e) => e.service(SYSTEM);
const byService: Definition = single({}, system);

/** MODE of EL1h, and the first that is above EL0. */
const EL1H = 3;
const atEl1h = (e: Emitter): I32 => i32.eq(e.state('i32.load', MODE), i32.const(EL1H));
const aboveEl0 = (e: Emitter): I32 => i32.gt_u(e.state('i32.load', MODE), i32.const(1));

const key = (get: Get): string => `${get('o0') + 2}_${get('op1')}_${get('CRn')}_${get('CRm')}_${get('op2')}`;
const EL1 = 2;

/** System registers in the state block, by encoding: how they are read and written there; each has a variant behind the general one. */
const registers: Readonly<Record<string, { readonly read: Emit; readonly write: Emit }>> = {
  // NZCV
  '3_3_4_2_0': {
    read: (e) => e.setReg('d', i64.extend_i32_u(i32.shl(nzcv(e), i32.const(28)))),
    write: (e) => setFlagsFrom(e, i32.shr_u(i32.wrap_i64(e.reg('n')), i32.const(28))),
  },
  // TPIDR_EL0
  '3_3_13_0_2': { read: (e) => e.setReg('d', e.state('i64.load', TPIDR_EL0)), write: (e) => e.setState('i64.store', TPIDR_EL0, e.reg('n')) },
  // TPIDR_EL1, at EL1 alone: below it is UNDEFINED, above it may be something else.
  '3_0_13_0_4': {
    read: (e) => e.if(i32.eq(i32.and(e.state('i32.load', MODE), i32.const(6)), i32.const(EL1)), () => e.setReg('d', e.state('i64.load', TPIDR_EL1)), () => system(e), true),
    write: (e) => e.if(i32.eq(i32.and(e.state('i32.load', MODE), i32.const(6)), i32.const(EL1)), () => e.setState('i64.store', TPIDR_EL1, e.reg('n')), () => system(e), true),
  },
  // SP_EL0, where EL1 uses a stack pointer of its own: Linux keeps the current task there. Elsewhere it is SP itself, or UNDEFINED.
  '3_0_4_1_0': {
    read: (e) => e.if(atEl1h(e), () => e.setReg('d', e.state('i64.load', SP_EL0)), () => system(e), true),
    write: (e) => e.if(atEl1h(e), () => e.setState('i64.store', SP_EL0, e.reg('n')), () => system(e), true),
  },
  // DAIF, which EL0 may not read. After a write interrupts may have to be taken.
  '3_3_4_2_1': {
    read: (e) => e.if(aboveEl0(e), () => e.setReg('d', i64.extend_i32_u(e.state('i32.load', DAIF))), () => system(e), true),
    write: system,
  },
  // FPSR
  '3_3_4_4_1': {
    read: (e) => {
      e.if(e.state('i32.load', FP_TRAP), () => e.service(FP_FAULT), undefined, false);
      e.setReg('d', i64.extend_i32_u(e.state('i32.load', FPSR)));
    },
    write: system,
  },
  // FPCR
  '3_3_4_4_0': {
    read: (e) => {
      e.if(e.state('i32.load', FP_TRAP), () => e.service(FP_FAULT), undefined, false);
      e.setReg('d', i64.extend_i32_u(e.state('i32.load', FPCR)));
    },
    write: system,
  },
};
const order = Object.keys(registers);

function move(direction: 'read' | 'write'): Definition {
  return {
    record: direction === 'read' ? { d: target('Rt') } : { n: source('Rt') },
    variants: [system, ...order.map((name) => (registers[name] as (typeof registers)[string])[direction])],
    select: (get) => order.indexOf(key(get)) + 1,
  };
}

/** Hints that wait or signal are the hart's business, the others are nothing: NOP, and what is allocated to absent features. */
const WAITING: ReadonlySet<number> = new Set([1, 2, 3, 4, 5]);
const hint: Definition = {
  record: {},
  variants: [() => {}, system],
  select: (get) => (WAITING.has((get('CRm') << 3) | get('op2')) ? 1 : 0),
};

/** MSR DAIFSet masks more, so no interrupt has to be looked at. */
const daifSet: Definition = single({ imm: plain('CRm') }, (e) => {
  e.if(aboveEl0(e), () => e.setState('i32.store', DAIF, i32.or(e.state('i32.load', DAIF), i32.shl(e.field('imm'), i32.const(6)))), () => system(e), true);
});

/** Service that checks and executes DC ZVA. */
export const ZERO = 'zeroBlock';

/** Bytes that DC ZVA zeroes. */
const BLOCK = 64;

/** With {@link ZVA_CHECKED}, only the page is in question. */
const zeroBlock: Emit = (e) => {
  const place = e.variable(i32.const(0));
  e.if(e.state('i32.load', ZVA_CHECKED), () => e.assign(place, e.cachedAddress(e.reg('n'))));
  e.if(
    place.get,
    () => {
      const block = e.let(i32.and(place.get, i32.const(-BLOCK)));
      for (let at = 0; at < BLOCK; at += 8) e.write('i64.store', block, i64.const(0), at);
    },
    () => e.service(ZERO),
    true,
  );
};

const sys: Definition = {
  record: { n: source('Rt') },
  variants: [system, zeroBlock],
  // DC ZVA
  select: (get) => (get('op1') === 3 && get('CRn') === 7 && get('CRm') === 4 && get('op2') === 1 ? 1 : 0),
};

/** Waits for other processing elements if there is anything to wait for. */
const synchronize: Definition = single({}, (e) => {
  e.if(e.state('i32.load', UNSYNCED), () => system(e), undefined, false);
  e.atomicFence();
});

const fence: Definition = single({}, (e) => e.atomicFence());

export const systemInstructions: Definitions = {
  ...Object.fromEntries(
    ['svc', 'hvc', 'smc', 'brk', 'hlt', 'dcps1', 'dcps2', 'dcps3', 'eret', 'drps', 'udf'].map((name) => [name, { ...byService, ends: true }]),
  ),
  ...Object.fromEntries(['msr_uao', 'msr_pan', 'msr_spsel', 'msr_daifclr', 'sysl'].map((name) => [name, byService])),
  msr_daifset: daifSet,
  sys,
  hint,
  clrex: single({ imm: plain('CRm') }, (e) => e.setState('i32.store', EXCL_VALID, i32.const(0))),
  dsb: synchronize,
  dmb: fence,
  isb: fence,
  msr_reg: move('write'),
  mrs: move('read'),
};
