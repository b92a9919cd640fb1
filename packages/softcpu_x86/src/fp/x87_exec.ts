/** x87 instructions (SDM vol. 2), executed by JavaScript: memory operands are at VT, where results for memory are left. */
import { exact, extended80 } from '@axvisor/softcpu/softfloat';
import type { WasmMemory } from '@axvisor/softcpu';
import { rows } from '../isa/table.ts';
import type { Row } from '../isa/table.ts';
import { FCW, FSW } from '../state.ts';
import { CODES, arithmetic, codesOf, comparison, examine, extract, remainder, scale } from './x87_arithmetic.ts';
import { CONSTANTS, constant, control, initialize, load, loadDecimal, loadEnvironment, putInteger, restoreAll, saveAll, storeDecimal, storeEnvironment, storeInteger, storeReal, summarize } from './x87_memory.ts';
import type { Store } from './x87_memory.ts';
import { SIZES, hasMemory, onTop } from './x87_operands.ts';
import type { Handler } from './x87_operands.ts';
import { transcendentals } from './x87_transcendental.ts';
import { Fsw, INDEFINITE, SIGN, X87 } from './x87_unit.ts';

/** What {@link X87Exec} answers. */
export const X87Status = { done: 0, /** An exception of an earlier instruction is to be delivered. */ pending: 1, /** Nothing is to be stored. */ nothing: 2 } as const;

/**
 * Executes the instruction of a row on register ST(`i`), or the second half of a store: what happens behind it.
 *
 * @param wide - environments are those of 32-bit code.
 */
export type X87Exec = (op: number, i: number, behind: number, wide: number) => number;

const moveIf: Handler = (x, i) => {
  // The definition has evaluated the condition, and left it at VT.
  if (x.isEmpty(0) || x.isEmpty(i)) {
    if (!x.stackFault(false)) x.set(0, INDEFINITE);
    return;
  }
  if (x.view.getInt32(x.buffer, true) !== 0) x.set(0, x.get(i));
};
const exchange: Handler = (x, i) => {
  for (const n of [0, i]) {
    if (!x.isEmpty(n)) continue;
    if (x.stackFault(false)) return;
    x.set(n, INDEFINITE);
  }
  const [a, b] = [x.get(0), x.get(i)];
  x.set(0, b);
  x.set(i, a);
  x.setC1(false);
};
/** FST and FSTP to a register. */
const copy = (pops: boolean): Handler => (x, i) => {
  if (x.isEmpty(0)) {
    if (x.stackFault(false)) return;
    x.set(i, INDEFINITE);
  } else {
    x.setC1(false);
    x.set(i, x.get(0));
  }
  if (pops) x.pop();
};

const HANDLERS: Readonly<Record<string, Handler>> = {
  fchs: onTop((x, value) => (x.setC1(false), value ^ SIGN)), fabs: onTop((x, value) => (x.setC1(false), value & ~SIGN)),
  fsqrt: onTop((x, value) => x.compute((env, [a], format) => exact.sqrt(format, env, a as bigint), [value])),
  frndint: onTop((x, value) => x.compute((env, [a]) => exact.roundToIntegral(extended80, env, a as bigint, true), [value], true)),
  ftst: (x) => {
    if (x.isEmpty(0)) {
      x.stackFault(false);
      x.setCodes(CODES.unordered);
      return;
    }
    x.setCodes(codesOf(x.compare(x.get(0), 0n, false).order));
  },
  fxam: examine, fxtract: extract, fscale: scale, fprem: remainder(false), fprem1: remainder(true), fxch: exchange,
  ...transcendentals,
  fincstp: (x) => {
    x.top++;
    x.setC1(false);
  },
  fdecstp: (x) => {
    x.top--;
    x.setC1(false);
  },
  ffree: (x, i) => {
    x.free(i);
    x.setC1(false);
  },
  ffreep: (x, i) => {
    x.free(i);
    x.setC1(false);
    x.pop();
  },
  fnop: () => {}, fneni: () => {}, fndisi: () => {}, fnsetpm: () => {},
  fninit: initialize,
  fnclex: (x) => x.setWord(FSW, x.word(FSW) & ~(0x7f | Fsw.ES | Fsw.B)),
  fldcw: (x) => {
    x.setWord(FCW, control(x.view.getUint16(x.buffer, true)));
    summarize(x);
  },
  fldenv: (x, _, wide) => void loadEnvironment(x, wide), frstor: (x, _, wide) => restoreAll(x, wide), fbld: loadDecimal,
};
/** Names of what does not wait for exceptions of earlier instructions. */
const WITHOUT_WAIT = /^fn(?!op)/;

function handlerOf(row: Row): Handler | undefined {
  const { name } = row;
  if (name === 'fld' || name === 'fild') return load(row);
  if (CONSTANTS[name] !== undefined) return constant(name);
  if (name.startsWith('fcmov')) return moveIf;
  if ((name === 'fst' || name === 'fstp') && !hasMemory(row)) return copy(name === 'fstp');
  return HANDLERS[name] ?? arithmetic(row) ?? comparison(row);
}

function storeOf(row: Row): Store | undefined {
  const size = row.operands[0]?.size ?? '';
  const { name } = row;
  if (name === 'fnstsw') return (x) => (putInteger(x, 2, BigInt(x.word(FSW))), true);
  if (!hasMemory(row)) return undefined;
  if (name === 'fst' || name === 'fstp') return storeReal(size);
  if (name === 'fist' || name === 'fistp' || name === 'fisttp') return storeInteger(SIZES[size] as number, name === 'fisttp');
  if (name === 'fnstcw') return (x) => (putInteger(x, 2, BigInt(x.word(FCW))), true);
  return name === 'fbstp' ? storeDecimal : undefined;
}

/** What a store does once memory is written. */
const BEHIND: Readonly<Record<string, (x: X87) => void>> = {
  fstp: (x) => x.pop(), fistp: (x) => x.pop(), fisttp: (x) => x.pop(), fbstp: (x) => x.pop(),
  fnstenv: (x) => x.setWord(FCW, x.word(FCW) | 0x3f), fnsave: initialize,
};

/** @param state - where the state block lies in `memory`. */
export function createX87Exec(memory: WasmMemory, state: number): X87Exec {
  const x = new X87(memory, state);
  const entries = rows.map((row) => (row.features.includes('fpu') ? { row, handler: handlerOf(row), store: storeOf(row) } : undefined));
  return (op, i, behind, wide) => {
    const entry = entries[op];
    if (entry === undefined) throw new RangeError(`${rows[op]?.name ?? op} is no x87 instruction`);
    const { row, handler, store } = entry;
    if (behind !== 0) {
      BEHIND[row.name]?.(x);
      return X87Status.done;
    }
    if (x.pending && !WITHOUT_WAIT.test(row.name)) return X87Status.pending;
    if (store !== undefined) return store(x) ? X87Status.done : X87Status.nothing;
    if (row.name === 'fnstenv') storeEnvironment(x, wide !== 0);
    else if (row.name === 'fnsave') saveAll(x, wide !== 0);
    else handler?.(x, i, wide !== 0);
    return X87Status.done;
  };
}
