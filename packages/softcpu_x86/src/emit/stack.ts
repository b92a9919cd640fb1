/** The stack: PUSH, POP and their kin, ENTER, LEAVE, PUSHF, POPF (SDM vol. 1, chapter 6; vol. 2). Registers change after the last access. */
import { i32, i64 } from '@axvisor/softcpu';
import type { Emitter, I64 } from '@axvisor/softcpu';
import { EFLAGS, Flag, INTERCEPTS, Intercepts, Seg } from '../state.ts';
import { define } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { packFlags, unpackFlags } from './flags.ts';
import { segmentSelector } from './move.ts';
import { gpr, setGpr, stackAddress } from './operands.ts';
import { SYSTEM, systemRecord } from './system.ts';
import { bytesOf, constant as c, loadOf } from './value.ts';
import type { Size } from './value.ts';

const RSP = 4;
const RBP = 5;

/** Stores below the stack pointer and moves it. */
export function push(e: Emitter, stack: Size, size: Size, value: I64): void {
  const bound = e.let(value);
  const top = e.let(i64.sub(gpr(e, RSP), c(size / 8)));
  e.store(bytesOf(size), stackAddress(e, stack, top, size / 8, true), bound);
  setGpr(e, RSP, stack, top);
}

/** What lies at an offset of the stack segment. */
function loadStack(e: Emitter, stack: Size, size: Size, offset: I64): I64 {
  return e.load(loadOf[size], stackAddress(e, stack, offset, size / 8, false));
}

/** What lies on top; the stack pointer, which is the last argument, is the caller's to move. */
export const top = (e: Emitter, stack: Size, size: Size, pointer: I64 = gpr(e, RSP)): I64 => loadStack(e, stack, size, pointer);

/** Moves the stack pointer up. */
export const release = (e: Emitter, stack: Size, bytes: I64, pointer: I64 = gpr(e, RSP)): void => setGpr(e, RSP, stack, i64.add(pointer, bytes));

const SEGMENTS: Readonly<Record<string, number>> = Seg;
/** 64-bit and 32-bit stacks within the interpreter loop, the rest apart. */
const byStack = { byStack: true, bySize: true, frequent: true, outline: (v: { readonly stack: Size; readonly size: Size; readonly places: readonly string[] }): boolean => v.stack === 16 || v.size === 16 || v.places[0] === 'm' } as const;

const pushDefinition: Definition = define((o, row) => {
  push(o.e, o.variant.stack, o.size, row.operands[0]?.kind === 'fixed' ? segmentSelector(o.e, i32.const(SEGMENTS[row.operands[0].size.toLowerCase()] as number)) : o.raw(0));
}, byStack);

const popDefinition: Definition = define((o, row) => {
  const { e, variant } = o;
  if (row.operands[0]?.kind === 'fixed') {
    e.service(SYSTEM);
    return;
  }
  const pointer = e.let(gpr(e, RSP));
  const value = top(e, variant.stack, variant.size, pointer);
  if (o.place(0) === 'm') {
    // The address is of the stack pointer moved: the record's displacement has that where it is the base.
    o.set(0, value);
    release(e, variant.stack, c(variant.size / 8));
  } else {
    release(e, variant.stack, c(variant.size / 8), pointer);
    o.set(0, value);
  }
}, {
  ...byStack,
  record: (fields, insn, row) => {
    if (row.operands[0]?.kind === 'fixed') systemRecord(fields, insn, row);
    else if (insn.isMemory && insn.base === RSP) fields.first = (fields.first + insn.operandSize / 8) | 0;
  },
});

/** ENTER: imm bytes behind `more` frame pointers. */
const enter: Definition = define(({ e, variant: { stack, size } }) => {
  const step = c(size / 8);
  const pointer = e.variable(i64.sub(gpr(e, RSP), step));
  const put = (value: I64): void => e.store(bytesOf(size), stackAddress(e, stack, pointer.get, size / 8, true), value);
  put(gpr(e, RBP));
  const frame = e.let(pointer.get);
  const left = e.variable(e.field('more'));
  e.if(left.get, () => {
    const from = e.variable(gpr(e, RBP));
    e.assign(left, i32.sub(left.get, i32.const(1)));
    e.if(left.get, () => {
      e.loop((again) => {
        e.assign(from, i64.sub(from.get, step));
        e.assign(pointer, i64.sub(pointer.get, step));
        put(loadStack(e, stack, size, from.get));
        e.assign(left, i32.sub(left.get, i32.const(1)));
        again(left.get);
      });
    });
    e.assign(pointer, i64.sub(pointer.get, step));
    put(frame);
  });
  const last = e.let(i64.sub(pointer.get, i64.extend_i32_u(e.field('imm'))));
  // It faults if the new top could not be written.
  e.hostAddress(1, stackAddress(e, stack, last, 1, true));
  setGpr(e, RBP, size, frame);
  setGpr(e, RSP, stack, last);
}, { byStack: true, bySize: true, outline: true, record: (fields, insn) => void (fields.more = insn.imm2 & 31) });

const leave: Definition = define(({ e, variant: { stack, size } }) => {
  const frame = e.let(gpr(e, RBP));
  const value = loadStack(e, stack, size, frame);
  setGpr(e, RSP, stack, i64.add(frame, c(size / 8)));
  setGpr(e, RBP, size, value);
}, byStack);

/** PUSHA: eax … edi with the old esp; POPA drops that. */
const pusha: Definition = define(({ e, variant: { stack, size } }) => {
  const at = (i: number): I64 => i64.sub(gpr(e, RSP), c((i + 1) * (size / 8)));
  for (let i = 0; i < 8; i++) e.store(bytesOf(size), stackAddress(e, stack, at(i), size / 8, true), gpr(e, i));
  setGpr(e, RSP, stack, at(7));
}, { byStack: true, bySize: true, outline: true });

const popa: Definition = define(({ e, variant: { stack, size } }) => {
  const values = Array.from({ length: 8 }, (_, i) => loadStack(e, stack, size, i64.add(gpr(e, RSP), c((7 - i) * (size / 8)))));
  for (const [i, value] of values.entries()) if (i !== RSP) setGpr(e, i, size, value);
  release(e, stack, c(8 * (size / 8)));
}, { byStack: true, bySize: true, outline: true });

function unlessIntercepted(e: Emitter, bit: number): void {
  e.if(i32.and(e.state('i32.load', INTERCEPTS), i32.const(bit)), () => e.service(SYSTEM), undefined, false);
}

/** PUSHF: VM and RF are pushed as 0. In virtual-8086 mode IOPL decides. */
const pushf: Definition = define(({ e, variant: { stack, size, long } }) => {
  unlessIntercepted(e, Intercepts.pushf);
  const system = e.let(e.state('i32.load', EFLAGS));
  if (!long) e.if(i32.and(system, i32.const(Flag.VM)), () => e.service(SYSTEM), undefined, false);
  e.if(i32.eqz(i32.and(system, i32.const(Flag.VM))), () => {
    const flags = i32.or(i32.or(packFlags(e), i32.const(2)), i32.and(system, i32.const(~(Flag.VM | Flag.RF))));
    push(e, stack, size, i64.extend_i32_u(flags));
  });
}, { byStack: true, byMode: true, bySize: true, outline: true, record: systemRecord });

/** POPF: here where no system flag but DF changes, else by the service, which does all of it. */
const popf: Definition = define(({ e, variant: { stack, size } }) => {
  unlessIntercepted(e, Intercepts.popf);
  const value = e.let(i32.wrap_i64(top(e, stack, size)));
  const old = e.let(e.state('i32.load', EFLAGS));
  const watched = Flag.TF | Flag.IF | Flag.IOPL | Flag.NT | (size === 16 ? 0 : Flag.AC | Flag.ID);
  // RF is cleared by it, and in virtual-8086 mode IOPL decides.
  const special = i32.and(old, i32.const(Flag.VM | (size === 16 ? 0 : Flag.RF)));
  const bound = e.let(i32.eqz(i32.or(special, i32.and(i32.xor(value, old), i32.const(watched)))));
  e.if(bound, () => {
    unpackFlags(e, value);
    e.setState('i32.store', EFLAGS, i32.or(i32.and(old, i32.const(~Flag.DF)), i32.and(value, i32.const(Flag.DF))));
    release(e, stack, c(size / 8));
  }, () => e.service(SYSTEM), true);
}, { byStack: true, bySize: true, outline: true, record: systemRecord });

export const stack: Definitions = {
  push: pushDefinition,
  pop: popDefinition,
  enter,
  leave,
  pusha,
  popa,
  pushf,
  popf,
};
