/** The x86-64 instruction set as the engine wants it: record layout, state block, and a handler for each variant of each instruction. */
import { splitFunctions } from '@axvisor/softcpu';
import type { Emit, Instruction, Isa } from '@axvisor/softcpu';
import { MAX_LENGTH } from '../isa/decode.ts';
import type { Decoded } from '../isa/decode.ts';
import { rows } from '../isa/table.ts';
import type { Row } from '../isa/table.ts';
import { ADJ, AUX, AVX_TRAP, BUDGET, CODE, FETCH_IDX, FLAG_KIND, FPU_TRAP, GPR, MMU_IDX, PC, RES, SEG_BASE, SINK, SSE_TRAP, VT, ZERO } from '../state.ts';
import { DIVIDE_ERROR, arithmetic } from './arithmetic.ts';
import { bits } from './bits.ts';
import { control } from './control.ts';
import { decimal } from './decimal.ts';
import { lengthsOf, operandBits, operandSizes, placesOf } from './define.ts';
import type { Definition, Definitions } from './define.ts';
import { counter, counterFunctions } from './counter.ts';
import { functions } from './functions.ts';
import { moves } from './move.ts';
import { Addressing, Operands, SEGMENT_FAULT } from './operands.ts';
import type { Variant } from './operands.ts';
import { GENERAL_PROTECTION } from './pair.ts';
import { shifts } from './shift.ts';
import { SIMD_EXEC } from './simd/float.ts';
import { simdDefinition, simdFunctions } from './simd/index.ts';
import { AVX_FAULT, FPU_FAULT, SIMD_EXCEPTION, SSE_FAULT, isSimd } from './simd/operands.ts';
import { BOUND, UNDEFINED, simple } from './simple.ts';
import { stack } from './stack.ts';
import { REPEAT, strings } from './string.ts';
import { iretFunctions } from './iret.ts';
import { privileged } from './privileged.ts';
import { SYSTEM, systemInstructions } from './system.ts';
import { usualLengths } from './usual.ts';
import type { Size } from './value.ts';
import { walk } from './walk.ts';
import { X87_EXCEPTION, X87_EXEC, x87 } from './x87.ts';

const definitions: Definitions = { ...simple, ...systemInstructions, ...privileged, ...counter, ...arithmetic, ...shifts, ...bits, ...moves, ...stack, ...control, ...strings, ...decimal, ...x87 };

/** What a decoded instruction is executed by: the definition, and the choice among its handlers. */
export interface Defined {
  readonly definition: Definition;
  /** Index among the ISA's instructions by {@link selector}. */
  readonly handlers: ReadonlyMap<number, number>;
  /** The first operand is a distance to jump; one is an absolute address. */
  readonly relative: boolean;
  readonly absolute: boolean;
}

/** What of a variant a decoded instruction decides. */
type Choice = Pick<Variant, 'size' | 'fast' | 'address64' | 'lock' | 'rep' | 'address' | 'stack' | 'long' | 'wrap' | 'length'> & { readonly memory: boolean };

const SIZE_BITS: Readonly<Record<Size, number>> = { 8: 0, 16: 1, 32: 2, 64: 3 };

/** Bits of {@link selector} that say the operand size, whether there is a memory operand, and long mode. */
const SIZE = 3;
const MEMORY = 4;
const LONG = 1 << 11;

function selector({ size, memory, fast, address64, lock, rep, address, stack: stackSize, long, wrap, length }: Choice): number {
  const repeat = rep === 0 ? 0 : rep === 0xf3 ? 1 : 2;
  return (
    SIZE_BITS[size] | (memory ? MEMORY : 0) | (fast ? 1 << 3 : 0) | (lock ? 1 << 4 : 0) | (repeat << 5) | (SIZE_BITS[address] << 7) | (SIZE_BITS[stackSize] << 9) | (long ? LONG : 0) | (wrap ? 1 << 12 : 0) | (length << 13) | (address64 << 14)
  );
}

/** Whether a row has a memory operand, a register, or may have either. */
function memoryForms(row: Row): readonly boolean[] {
  const kinds = row.operands.map(({ kind }) => kind);
  if (kinds.some((kind) => kind === 'M' || kind === 'O')) return [true];
  if (row.memory !== undefined) return [row.memory];
  return kinds.some((kind) => kind === 'E' || kind === 'W' || kind === 'Q') ? [false, true] : [false];
}

/** Forms of addresses that get handlers of their own. */
const ANY_FORM: readonly Addressing[] = [Addressing.any];
const FORMS: readonly Addressing[] = [Addressing.any, Addressing.base, Addressing.rip];
const hasForms = (row: Row, { frequent = false, fast = false }: Definition, size: number, lock: boolean): boolean =>
  frequent && fast && size !== 16 && !lock && !row.vex && !row.operands.some(({ kind }) => kind === 'O');

const EITHER: readonly boolean[] = [false, true];
const NEITHER: readonly boolean[] = [false];
const either = (condition: boolean): readonly boolean[] => (condition ? EITHER : NEITHER);

/** What a definition may depend on. */
const ANY_SIZE: readonly Size[] = [64];
const ADDRESSES_LONG: readonly Size[] = [64, 32];
const ADDRESSES: readonly Size[] = [32, 16];
const REPEATS: readonly Variant['rep'][] = [0, 0xf2, 0xf3];
const NO_REPEAT: readonly Variant['rep'][] = [0];

/** Calls `visit` with every choice that decoded instructions of a row can make. */
function choices(row: Row, definition: Definition, visit: (choice: Choice) => void): void {
  const { byAddress = false, byStack = false, byMode = false, byRep = false, fast = false, bySize = false, direct = false } = definition;
  const relative = direct && row.operands[0]?.kind === 'J';
  const byLong = byMode || byStack || byAddress;
  const sizes = bySize ? operandSizes(row) : ANY_SIZE;
  const memories = memoryForms(row);
  const lengths = lengthsOf(row);
  for (const long of either(byLong)) {
    if ((long && row.not64) || (!long && row.only64 && byLong)) continue;
    for (const size of sizes) {
      if (byLong && bySize && (size === 64 ? !long : long && (row.force64 || (row.default64 && size === 32)))) continue;
      for (const memory of memories) {
        for (const quick of either(fast && memory && !row.vex)) {
          for (const lock of either(row.lock && memory)) {
            for (const rep of byRep ? REPEATS : NO_REPEAT) {
              for (const address of byAddress ? (long ? ADDRESSES_LONG : ADDRESSES) : ANY_SIZE) {
                for (const stackSize of byStack && !long ? ADDRESSES : ANY_SIZE) {
                  for (const wrap of either(relative && !long)) {
                    for (const length of lengths) {
                      for (const address64 of quick && hasForms(row, definition, size, lock) ? FORMS : ANY_FORM) {
                        visit({ size, memory, fast: quick, address64, lock, rep, address, stack: stackSize, long, wrap, length });
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}

/** The choice for a decoded instruction; `wrap` is the record writer's to say, and `alone`, that there is neither an index nor a segment. */
export function choose({ definition, handlers, absolute }: Defined, insn: Decoded, row: Row, wrap: boolean, alone: boolean): number {
  const { byAddress = false, byStack = false, byMode = false, byRep = false, fast = false, bySize = false } = definition;
  const long = (insn.mode & CODE.size) === CODE.code64;
  const memory = insn.isMemory || absolute;
  const size = bySize ? (insn.operandSize as Size) : 64;
  const wide = fast && memory && !row.vex && insn.addressSize === 64;
  const form = insn.ripRelative ? Addressing.rip : alone ? Addressing.base : Addressing.any;
  const address64 = wide && hasForms(row, definition, size, insn.lock) ? form : Addressing.any;
  const number = selector({
    size,
    memory,
    fast: wide && insn.ripRelative === (address64 === Addressing.rip),
    address64,
    lock: insn.lock,
    rep: byRep ? insn.rep : 0,
    address: byAddress ? (insn.addressSize as Size) : 64,
    stack: !byStack || long ? 64 : (insn.mode & CODE.stack32) !== 0 ? 32 : 16,
    long: (byMode || byStack || byAddress) && long,
    wrap,
    length: lengthsOf(row).length === 2 ? (insn.l as 0 | 1) : 0,
  });
  const handler = handlers.get(number);
  if (handler === undefined) throw new RangeError(`${row.name} has no handler for this form`);
  return handler;
}

const instructions: (Instruction | Handler)[] = [];
/** Handlers of everything that does the same with operands of one shape, by {@link selector}. */
const alike = new Map<string, Map<number, number>>();

/** Operands of a row in one of its sizes and lengths, in memory or not. */
interface Shape {
  readonly places: Variant['places'];
  readonly sizes: readonly Size[];
  /** All of them are bytes, whatever the operand size. */
  readonly bytes: boolean;
  readonly handlers: Map<number, number>;
}

/** @param form - tells apart what rows do
 * @param plain - sizes say nothing */
function shapeOf(row: Row, { memory, size, length }: Choice, form: string, plain: boolean): Shape {
  const places = placesOf(row, memory, size);
  const sizes = plain ? ANY_SIZE : row.operands.map((operand) => operandBits(operand, size, length) as Size);
  const key = `${form}|${places.join('')}|${sizes.join()}`;
  let handlers = alike.get(key);
  if (handlers === undefined) alike.set(key, (handlers = new Map()));
  return { places, sizes, bytes: sizes.length > 0 && sizes.every((bits) => bits === 8), handlers };
}

/** A variant of an instruction. There are thousands, and few are ever asked for their names. */
class Handler implements Instruction {
  readonly emit: Emit;
  readonly lengths = 'any' as const;
  readonly direct: boolean;
  readonly outline: boolean;
  readonly interpreted: boolean;
  readonly usual: number[] = [];
  readonly #row: Row;
  readonly #shape: Shape;
  readonly #variant: Variant;

  constructor(row: Row, { emit, outline = false, interpreted }: Definition, shape: Shape, variant: Variant, direct: boolean) {
    this.#row = row;
    this.#shape = shape;
    this.#variant = variant;
    this.emit = (e) => emit(new Operands(e, variant), row);
    this.direct = direct;
    this.outline = typeof outline === 'function' ? outline(variant) : outline;
    this.interpreted = interpreted?.(variant) ?? false;
  }

  /** It is the handler of a row's instructions of these lengths, too. */
  addUsual(lengths: readonly number[]): void {
    if (!this.outline) for (const length of lengths) if (!this.usual.includes(length)) this.usual.push(length);
  }

  get name(): string {
    const { places, sizes } = this.#shape;
    const { size, fast, address64, lock } = this.#variant;
    const form = ['', '/base', '/rip'][address64];
    return `${this.#row.name}/${[...places, ...sizes, size].join('_')}${fast ? '/fast' : ''}${form}${lock ? '/lock' : ''}`;
  }
}

/** The handlers of a row, by {@link selector}. Rows share those that do the same. */
function handlersOf(row: Row, definition: Definition): ReadonlyMap<number, number> {
  const { direct = false, byRow = false, byStack = false, byMode = false, byAddress = false, frequent = false } = definition;
  const relative = direct && row.operands[0]?.kind === 'J';
  const segments = row.operands.some(({ kind, size }) => kind === 'S' || kind === 'C' || kind === 'D' || kind === 'O' || /^[C-S]S$/.test(size));
  const form = `${row.name}|${byRow ? row.op : [segments ? row.op : '', row.operands.some(({ kind }) => kind === 'J')].join()}`;
  const shapes: Shape[] = [];
  const handlers = new Map<number, number>();
  choices(row, definition, (choice) => {
    // A branch that is the engine's says nothing of sizes unless it uses the stack or a counter.
    const plain = relative && !choice.wrap && !byStack && !byAddress;
    const shape = (shapes[SIZE_BITS[choice.size] | (choice.memory ? MEMORY : 0) | (choice.length << 3) | (plain ? 1 << 4 : 0)] ??= shapeOf(row, choice, form, plain));
    const size = plain ? 64 : shape.bytes && !byStack && !byMode ? 8 : choice.size;
    const long = plain || choice.long;
    const chosen = selector(choice);
    const number = (chosen & ~(SIZE | MEMORY | LONG)) | SIZE_BITS[size] | (long ? LONG : 0);
    let index = shape.handlers.get(number);
    if (index === undefined) {
      index = instructions.length;
      shape.handlers.set(number, index);
      const variant: Choice & Variant = { ...choice, size, long, places: shape.places, sizes: shape.sizes };
      instructions.push(new Handler(row, definition, shape, variant, relative && !choice.wrap));
    }
    if (frequent) (instructions[index] as Handler).addUsual(usualLengths(row, definition, choice));
    handlers.set(chosen, index);
  });
  return handlers;
}

/** By op number; absent where nothing executes a row, which is then undefined. */
export const defined: readonly (Defined | undefined)[] = rows.map((row) => {
  const definition = isSimd(row) ? simdDefinition(row) : definitions[row.name];
  if (definition === undefined) return undefined;
  const kinds = row.operands.map(({ kind }) => kind);
  return { definition, relative: kinds[0] === 'J', absolute: kinds.includes('O'), handlers: handlersOf(row, definition) };
});

const fault = (service: string): number => instructions.push({ name: service, lengths: 'any', emit: (e) => e.fault(service) }) - 1;
/** Index of what is no instruction, and of what is too long for one. */
export const UNALLOCATED: number = fault(UNDEFINED);
export const OVERLONG: number = fault(GENERAL_PROTECTION);

const registers = Array.from({ length: 16 }, (_, i) => GPR + 8 * i);
const bases = Array.from({ length: 6 }, (_, i) => SEG_BASE + 8 * i);

export const isa: Isa = {
  name: 'x86-64',
  unit: 1,
  records: { size: 24, place: 8, address: 12 },
  maxLength: MAX_LENGTH,
  fields: {
    length: { offset: 2, op: 'i32.load8_u' },
    r: { offset: 3, op: 'i32.load8_u' },
    b: { offset: 4, op: 'i32.load8_u' },
    x: { offset: 5, op: 'i32.load8_u' },
    g: { offset: 6, op: 'i32.load8_u' },
    k: { offset: 7, op: 'i32.load8_u' },
    w: { offset: 10, op: 'i32.load16_u' },
    disp: { offset: 12, op: 'i32.load' },
    imm: { offset: 12, op: 'i32.load' },
    more: { offset: 20, op: 'i32.load' },
    v: { offset: 20, op: 'i32.load8_u' },
    h: { offset: 21, op: 'i32.load8_u' },
    l: { offset: 22, op: 'i32.load8_u' },
  },
  state: { pc: PC, budget: BUDGET, mmuIdx: MMU_IDX, fetchIdx: FETCH_IDX, zero: ZERO, sink: SINK, pinned: [...registers, ...bases, RES, AUX, ADJ, FLAG_KIND] },
  assumptions: [
    { offset: SSE_TRAP, value: 0 },
    { offset: FPU_TRAP, value: 0 },
    { offset: AVX_TRAP, value: 0 },
  ],
  instructions,
  manyOutlined: true,
  threshold: 100_000,
  coherentFetch: true,
  walk,
  functions: {
    ...functions,
    ...iretFunctions,
    ...counterFunctions,
    ...simdFunctions,
    [SIMD_EXEC]: { params: ['i32', 'i32'], result: 'i32' },
    [X87_EXEC]: { params: ['i32', 'i32', 'i32', 'i32'], result: 'i32' },
    ...splitFunctions(VT),
  },
  services: [SYSTEM, UNDEFINED, GENERAL_PROTECTION, DIVIDE_ERROR, SEGMENT_FAULT, BOUND, REPEAT, SSE_FAULT, FPU_FAULT, AVX_FAULT, SIMD_EXCEPTION, X87_EXCEPTION],
};
