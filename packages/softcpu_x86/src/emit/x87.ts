/** x87 instructions (SDM vol. 1, chapter 8): JavaScript executes them; memory operands go through the words at VT. */
import { i32, i64 } from '@axvisor/softcpu';
import type { Emitter, I32, I64 } from '@axvisor/softcpu';
import { X87Status } from '../fp/x87_exec.ts';
import { rows } from '../isa/table.ts';
import type { Row } from '../isa/table.ts';
import { FCS, FDP, FDS, FIP, FOP, FPU_TRAP, Gpr, SEG_BASE, SELECTOR, Seg, VT } from '../state.ts';
import { define } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { condition, unpackFlags } from './flags.ts';
import { checkSegment, memoryAddress, setGpr } from './operands.ts';
import type { Operands } from './operands.ts';
import { FPU_FAULT, stateOf } from './simd/operands.ts';

/** JavaScript function, an `X87Exec`. */
export const X87_EXEC = 'x87Exec';
/** Service that raises #MF. */
export const X87_EXCEPTION = 'x87Exception';

const SIZES: Readonly<Record<string, number>> = { w: 2, d: 4, q: 8, t: 10 };
const STORES = /^(fstp?|fistp?|fisttp|fbstp|fnstcw|fnstsw|fnstenv|fnsave)$/;
const ENVIRONMENTS: Readonly<Record<string, number>> = { fldenv: 28, fnstenv: 28, frstor: 108, fnsave: 108 };
/** Bits of an opcode as FOP has it. */
const OPCODE_BITS = 11;
const OPCODE = (1 << OPCODE_BITS) - 1;
/** What does not count as an x87 instruction for the pointers of the environment. */
const CONTROL = /^f(n|ldcw|ldenv|rstor|incstp|decstp|free)/;
/** Conditions of FCMOVcc, as Jcc numbers them: BE is CF or ZF, U is PF. */
const CONDITIONS: Readonly<Record<string, number>> = { b: 2, e: 4, be: 6, u: 10, nb: 3, ne: 5, nbe: 7, nu: 11 };

/** Parts of a memory operand: offset and bytes of each access. */
function* parts(bytes: number): Generator<readonly [number, 2 | 4 | 8]> {
  for (let at = 0; at < bytes; ) {
    const size = bytes - at >= 8 ? 8 : bytes - at >= 4 ? 4 : 2;
    yield [at, size];
    at += size;
  }
}
const loads = { 2: ['u16', 'i64.store16', 'i64.load16_u'], 4: ['u32', 'i64.store32', 'i64.load32_u'], 8: ['u64', 'i64.store', 'i64.load'] } as const;

function transfer(e: Emitter, linear: I64, bytes: number, store: boolean): void {
  for (const [at, size] of parts(bytes)) {
    const [access, put, get] = loads[size];
    const address = i64.add(linear, i64.const(at));
    if (store) e.store(size, address, e.state(get, VT + at));
    else e.setState(put, VT + at, e.load(access, address));
  }
}

/** Where the instruction is, what it is, and where its memory operand. */
function point(e: Emitter, operand: I64 | undefined): void {
  e.setState('i64.store', FIP, i64.sub(e.pc(), e.state('i64.load', SEG_BASE + 8 * Seg.cs)));
  e.setState('i32.store', FCS, e.state('i32.load', SELECTOR + 4 * Seg.cs));
  e.setState('i32.store', FOP, i32.and(e.field('w'), i32.const(OPCODE)));
  if (operand === undefined) return;
  e.setState('i64.store', FDP, operand);
  e.setState('i32.store', FDS, e.read('i32.load', i32.shl(i32.shr_u(e.field('w'), i32.const(OPCODE_BITS)), i32.const(2)), stateOf(e) + SELECTOR));
}

function execute({ e, variant, size }: Operands, row: Row): void {
  const { name } = row;
  e.if(e.state('i32.load', FPU_TRAP), () => e.fault(FPU_FAULT), undefined, false);
  const memory = row.memory === true;
  const store = STORES.test(name);
  // Environments of 16-bit operand size are half as wide.
  const wide = size !== 16;
  const whole = ENVIRONMENTS[name];
  const bytes = whole === undefined ? SIZES[row.operands[0]?.size ?? ''] ?? 0 : wide ? whole : whole === 28 ? 14 : 94;
  let linear = i64.const(0);
  let offset: I64 | undefined;
  if (memory) {
    const address = memoryAddress(e, variant);
    if (!variant.fast) checkSegment(e, address.offset, bytes, store);
    linear = address.linear;
    offset = address.offset;
    if (!store) transfer(e, linear, bytes, false);
  }
  const moves = /^fcmov(.*)$/.exec(name)?.[1];
  if (moves !== undefined) e.setState('i32.store', VT, condition(e, CONDITIONS[moves] as number));
  const call = (behind: 0 | 1): I32 => e.call(X87_EXEC, 'i32', [i32.const(row.op), memory ? i32.const(0) : e.field('r'), i32.const(behind), i32.const(wide ? 1 : 0)]);
  const status = call(0);
  e.if(i32.eq(status, i32.const(X87Status.pending)), () => e.fault(X87_EXCEPTION), undefined, false);
  if (!CONTROL.test(name)) point(e, offset);
  if (name === 'fnstsw' && !memory) setGpr(e, Gpr.rax, 16, e.state('i64.load', VT));
  else if (memory && store) {
    e.if(i32.eqz(status), () => {
      transfer(e, linear, bytes, true);
      call(1);
    }, undefined, true);
  } else if (/^fu?comip?$/.test(name)) unpackFlags(e, e.state('i32.load', VT));
}

const definition: Definition = define(execute, {
  byRow: true,
  fast: true,
  outline: true,
  bySize: true,
  record: (fields, insn) => {
    // The opcode without the bits that all of them have in common, and the segment of the operand.
    fields.w = ((insn.opcode & 7) << 8) | insn.modrm | ((insn.segment & 7) << OPCODE_BITS);
    if (!insn.isMemory) fields.r = insn.rm & 7;
  },
});

/** Everything of the table's x87 rows by name. */
export const x87: Definitions = Object.fromEntries([...new Set(rows.filter(({ features }) => features.includes('fpu')).map(({ name }) => name))].map((name) => [name, definition]));
