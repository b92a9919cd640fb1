/**
 * Outlined instructions: functions of their own, called by the handlers in the loop. Where there are very many they stand in a table at the
 * numbers of their handlers, and are made when one is decoded for the first time: a program needs few of them. Those that were wanted are
 * kept, if anything is, and made at once at the next start.
 */
import type { FunctionDefinition } from '../ir/emitter.ts';
import type { Instruction, Isa } from '../isa.ts';
import { FORGET } from '../tlb/forget.ts';
import { REFILL, REFILL_PARAMS } from '../tlb/refill.ts';
import { wasm } from '../wasm/api.ts';
import type { WasmImports, WasmInstance, WasmMemory, WasmModule } from '../wasm/api.ts';
import { Code } from '../wasm/code.ts';
import { ModuleBuilder } from '../wasm/module.ts';
import type { Limits } from '../wasm/module.ts';
import { FRAME_PARAMS, InterpreterEmitter, NO_VARIANT, PARAMETER_FRAME } from './emitter.ts';
import type { Runtime } from './emitter.ts';
import type { HandlerTable, Slot } from './handlers.ts';
import type { Layout } from './layout.ts';
import type { InstructionStore } from './store.ts';

/** One instruction as a function. */
function outline(code: Code, isa: Isa, layout: Layout, runtime: Runtime, { emit }: Instruction): void {
  const emitter = new InterpreterEmitter(code, isa, layout, runtime, PARAMETER_FRAME, NO_VARIANT, undefined);
  emit(emitter);
  code.i32(0);
  code.end();
}

/** Puts all of them into the interpreter's module. @returns the functions by number of the instruction. */
export function generateOutlined(module: ModuleBuilder, isa: Isa, layout: Layout, runtime: Runtime): ReadonlyMap<number, number> {
  const functions = new Map<number, number>();
  isa.instructions.forEach((definition, instruction) => {
    if (definition.outline !== true) return;
    const { index, code } = module.func(definition.name, FRAME_PARAMS, ['i32']);
    outline(code, isa, layout, runtime, definition);
    functions.set(instruction, index);
  });
  return functions;
}

/** Exports of the interpreter's module for the functions that are made later. */
export const LATER = { table: 'outlined', access: 'access', save: 'save' } as const;

/** The table of those that are made later, by number of the handler; undefined where all are in the interpreter's module. */
export function outlinedTable(module: ModuleBuilder, isa: Isa, { count }: HandlerTable): number | undefined {
  if (isa.manyOutlined !== true) return undefined;
  const table = module.table({ min: count, max: count });
  module.export(LATER.table, 'table', table);
  return table;
}

/** What functions that are made later import: besides, all that the interpreter's module exports. */
export interface LaterImports {
  readonly memory: WasmMemory;
  readonly memoryLimits: Limits;
  readonly services: Readonly<Record<string, unknown>>;
  readonly functions: Readonly<Record<string, unknown>>;
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Instructions that are new when all are kept again, and the part of those that are kept. */
const KEEP_AFTER = 24;
const KEEP_PART = 1 / 4;
/** Instructions that are kept at most. */
const MAX_KEPT = 768;

/** The element segments of a module do what it is instantiated for. */
const instantiate = (module: WasmModule, imports: WasmImports): WasmInstance => new wasm.Instance(module, imports);

/** Numbers of functions, which are imported when they are asked for. */
class Imports extends Map<string, number> {
  readonly #import: (name: string) => number;

  constructor(make: (name: string) => number) {
    super();
    this.#import = make;
  }

  override get(name: string): number {
    let index = super.get(name);
    if (index === undefined) this.set(name, (index = this.#import(name)));
    return index;
  }
}

export class LaterInstructions {
  readonly #isa: Isa;
  readonly #layout: Layout;
  readonly #handlers: HandlerTable;
  readonly #imports: WasmImports;
  readonly #memoryLimits: Limits;
  /** By number of the handler: it is there, or to be made, or not outlined. */
  readonly #known: Uint8Array;
  readonly #wanted: number[] = [];
  readonly #store: InstructionStore | undefined;
  /** What is there, and how many it is to be before all are kept again. */
  #made: readonly number[] = [];
  #keepAt = KEEP_AFTER;

  constructor(isa: Isa, layout: Layout, handlers: HandlerTable, { memory, services, functions, exports, memoryLimits }: LaterImports, store: InstructionStore | undefined) {
    this.#isa = isa;
    this.#layout = layout;
    this.#handlers = handlers;
    this.#memoryLimits = memoryLimits;
    this.#imports = { host: { memory }, engine: exports, service: services, function: { ...functions, ...exports } };
    this.#known = new Uint8Array(handlers.count);
    this.#store = store;
    const kept = store?.find();
    if (kept === undefined) return;
    for (const number of kept.numbers) this.#known[number] = 1;
    this.#add(kept.numbers, kept.module);
    this.#setKept();
  }

  #add(numbers: readonly number[], module: Uint8Array): void {
    instantiate(new wasm.Module(module), this.#imports);
    this.#made = this.#made.concat(numbers);
  }

  /** A record with the handler of a number was decoded. */
  want(number: number): void {
    if (this.#known[number] !== 0) return;
    this.#known[number] = 1;
    const slot = this.#handlers.slot(number);
    if (slot !== undefined && this.#isa.instructions[slot.instruction]?.outline === true) this.#wanted.push(number);
  }

  /** Makes what is wanted. */
  make(): void {
    if (this.#wanted.length === 0) return;
    this.#add(this.#wanted, this.#generate(this.#wanted));
    this.#wanted.length = 0;
    const numbers = this.#made;
    if (this.#store === undefined || numbers.length < this.#keepAt || numbers.length > MAX_KEPT) return;
    this.#store.keep({ numbers, module: this.#generate(numbers) });
    this.#setKept();
  }

  /** All that is there is kept. */
  #setKept(): void {
    const count = this.#made.length;
    this.#keepAt = count + Math.max(KEEP_AFTER, Math.ceil(count * KEEP_PART));
  }

  #generate(numbers: readonly number[]): Uint8Array {
    const isa = this.#isa;
    const module = new ModuleBuilder(this.#layout.alone);
    module.importMemory('host', 'memory', this.#memoryLimits);
    const table = module.importTable('engine', LATER.table, { min: 0 });
    const runtime: Runtime = {
      access: module.importFunc('engine', LATER.access, ['i64', 'i64', 'i32', ...FRAME_PARAMS], ['i32']),
      refill: module.importFunc('engine', REFILL, REFILL_PARAMS, ['i32']),
      forget: module.importFunc('engine', FORGET, ['i64'], ['i32']),
      save: module.importFunc('engine', LATER.save, FRAME_PARAMS, []),
      services: new Imports((name) => module.importFunc('service', name, ['i32'], ['i32'])),
      callees: new Imports((name) => {
        const { params, result } = isa.functions[name] as FunctionDefinition;
        return module.importFunc('function', name, params, [result]);
      }),
    };
    const made = numbers.map((number) => {
      const instruction = isa.instructions[(this.#handlers.slot(number) as Slot).instruction] as Instruction;
      const code = new Code(FRAME_PARAMS, this.#layout.alone);
      outline(code, isa, this.#layout, runtime, instruction);
      return { number, name: instruction.name, code };
    });
    // All imports are known by now.
    for (const { number, name, code } of made) module.element(table, number, [module.add(name, FRAME_PARAMS, ['i32'], code)]);
    return module.build();
  }
}
