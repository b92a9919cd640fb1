/**
 * Generates tier 0 of an ISA: one WebAssembly function, `loop` + `br_table` over decoded records.
 *
 * Frame: `ip` (record of the instruction), `budget` (steps left). What else the loop would carry takes a register, or its place in the frame is
 * written and read at every dispatch; it is in the engine block. No pc is kept: it is `origin + (ip >> shift)` where it is needed.
 * Each dispatch takes one step off the budget and leaves, pc and budget stored, when none is left; the handlers that are
 * no instructions (LOOKUP, undecoded, STRADDLE) give their step back. An instruction that traps keeps its step, so that a
 * guest that traps on every instruction still runs out of budget.
 */
import { BlockEmitter, lower } from '../ir/block.ts';
import type { Callees } from '../ir/block.ts';
import { i32, local, read } from '../ir/expr.ts';
import type { I32 } from '../ir/expr.ts';
import { isEverywhere } from '../ir/emitter.ts';
import type { Instruction, Isa } from '../isa.ts';
import type { Label } from '../wasm/code.ts';
import { ModuleBuilder } from '../wasm/module.ts';
import type { Limits } from '../wasm/module.ts';
import type { ValueType } from '../wasm/opcodes.ts';
import { casesOf, openCases } from './cases.ts';
import { FRAME_PARAMS, InterpreterEmitter, NO_VARIANT, PARAMETER_FRAME, pcOf, stepOf } from './emitter.ts';
import type { Exits, Frame, Runtime, Variant } from './emitter.ts';
import type { HandlerTable, Slot } from './handlers.ts';
import { ENGINE, FIRST_HANDLER, Handler, MAX_REGIONS, Status } from './layout.ts';
import type { Layout } from './layout.ts';
import { REGIONS, REGION_PARAMS, RegionExit, UNLINKED, emitEnter } from './enter.ts';
import { generateDecodeBlock } from '../decode/generate.ts';
import { FORGET, generateForget } from '../tlb/forget.ts';
import { REFILL, emitRefill, generateRefill } from '../tlb/refill.ts';
import { emitLookup, emitStraddle } from './lookup.ts';
import { LATER, generateOutlined, outlinedTable } from './outlined.ts';

/** Import module names of a generated interpreter. */
export const IMPORTS = {
  /** The linear memory, field `memory`. */
  host: 'host',
  /** `decode(ip)`, `straddle(ip)`, `fetch(0)` answer a {@link Status}; `access(mode)` a place in memory, or 0 with a status. */
  engine: 'engine',
  /** `name(ip)`, a {@link Status}. */
  service: 'service',
  /** JavaScript functions of the ISA. */
  function: 'function',
} as const;

export interface InterpreterOptions {
  readonly isa: Isa;
  readonly layout: Layout;
  readonly memoryLimits: Limits;
  /**
   * Code is also translated: the module counts jumps, imports `engine.hot(ip)`, with {@link COMPUTED} or without, and exports the ISA's functions
   * by their names, the table of regions, `unlinked`, the region that is none, and `refill`.
   */
  readonly translating: boolean;
  /** The first instruction of a run is counted too. */
  readonly countStarts: boolean;
}

/** The module; its export `run()` interprets from the pc in the state block until the budget is used up or a helper says leave. */
export function generateInterpreter(handlers: HandlerTable, { isa, layout, memoryLimits, translating, countStarts }: InterpreterOptions): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(layout.alone);
  module.importMemory(IMPORTS.host, 'memory', memoryLimits);
  const helpers: Helpers = {
    decode: module.importFunc(IMPORTS.engine, 'decode', ['i32'], ['i32']),
    straddle: module.importFunc(IMPORTS.engine, 'straddle', ['i32'], ['i32']),
    fetch: module.importFunc(IMPORTS.engine, 'fetch', ['i32'], ['i32']),
    access: module.importFunc(IMPORTS.engine, 'access', ['i32'], ['i32']),
  };
  const hot = translating ? { hot: module.importFunc(IMPORTS.engine, 'hot', ['i32'], []) } : {};
  const services = new Map(isa.services.map((name) => [name, module.importFunc(IMPORTS.service, name, ['i32'], ['i32'])]));
  const callees = declareFunctions(module, isa, layout);
  const save = generateSave(module, isa, layout);
  const refill = generateRefill(module, isa, layout);
  const runtime: Runtime = { callees, services, save, refill, forget: generateForget(module, layout), access: generateAccess(module, layout, refill, save, helpers.access), ...hot };
  const later = isa.manyOutlined === true;
  if (later) {
    module.export(LATER.access, 'func', runtime.access);
    module.export(LATER.save, 'func', save);
    module.export(FORGET, 'func', runtime.forget);
  }
  if (translating) {
    const by = generateUnlinked(module, isa, layout);
    // Its size is fixed, so that numbers that are known are not compared with it.
    module.export(REGIONS, 'table', module.table({ min: MAX_REGIONS, max: MAX_REGIONS, filled: { type: module.type(REGION_PARAMS, ['i32']), by } }));
  }
  if (translating || later) {
    module.export(REFILL, 'func', refill);
    for (const [name, definition] of Object.entries(isa.functions)) {
      if (isEverywhere(definition)) module.export(name, 'func', callees.get(name) as number);
    }
  }
  if (isa.decoder !== undefined) generateDecodeBlock(module, isa, isa.decoder, layout);
  const outlined = later ? new Map<number, number>() : generateOutlined(module, isa, layout, runtime);
  generateLoop(module, isa, layout, runtime, helpers, outlined, countStarts, handlers);
  return module.build();
}

/** The ISA's own functions: imports first, then those with a body. */
function declareFunctions(module: ModuleBuilder, isa: Isa, layout: Layout): Callees {
  const callees = new Map<string, number>();
  const definitions = Object.entries(isa.functions);
  for (const [name, { params, result, body }] of definitions) {
    if (body === undefined) callees.set(name, module.importFunc(IMPORTS.function, name, params, [result]));
  }
  for (const [name, { params, result, body }] of definitions) {
    if (body === undefined) continue;
    const { index, code } = module.func(name, params, [result]);
    callees.set(name, index);
    const block = new BlockEmitter(code, layout.state, callees);
    lower(code, body(block, ...params.map((type, i) => local<ValueType>(type, i))));
    code.end();
  }
  return callees;
}

/** `save(...frame)`: stores the record at `ip`, its pc, and the budget. */
function generateSave(module: ModuleBuilder, isa: Isa, layout: Layout): number {
  const { index, code } = module.func('save', FRAME_PARAMS, []);
  const block = new BlockEmitter(code, layout.state, new Map());
  block.setState('i64.store', isa.state.pc, pcOf(isa, layout, PARAMETER_FRAME));
  block.setState('i32.store', isa.state.budget, local('i32', PARAMETER_FRAME.budget));
  block.write('i32.store', i32.const(0), local('i32', PARAMETER_FRAME.ip), layout.engine + ENGINE.record);
  code.end();
  return index;
}

/** `access(address, value, mode, ...frame)`: the slow path of all guest accesses, out of line. */
function generateAccess(module: ModuleBuilder, layout: Layout, refill: number, save: number, helper: number): number {
  const { index, code } = module.func('access', ['i64', 'i64', 'i32', ...FRAME_PARAMS], ['i32']);
  const block = new BlockEmitter(code, layout.engine, new Map());
  emitRefill(code, refill);
  block.setState('i64.store', ENGINE.address, local('i64', 0));
  block.setState('i64.store', ENGINE.value, local('i64', 1));
  for (const parameter of FRAME_PARAMS.keys()) code.get(3 + parameter);
  code.call(save);
  code.get(2);
  code.returnCall(helper);
  code.end();
  return index;
}

/** The region that is none: tier 0 goes on at the pc. */
function generateUnlinked(module: ModuleBuilder, isa: Isa, layout: Layout): number {
  const { index, code } = module.func(UNLINKED, REGION_PARAMS, ['i32']);
  const block = new BlockEmitter(code, layout.state, new Map());
  block.setState('i64.store', isa.state.pc, local('i64', 0));
  block.setState('i32.store', isa.state.budget, local('i32', 1));
  code.i32(RegionExit.next);
  code.end();
  module.export(UNLINKED, 'func', index);
  return index;
}

interface Helpers {
  readonly decode: number;
  readonly straddle: number;
  readonly fetch: number;
  readonly access: number;
}

function generateLoop(
  module: ModuleBuilder,
  isa: Isa,
  layout: Layout,
  runtime: Runtime,
  helpers: Helpers,
  outlined: ReadonlyMap<number, number>,
  countStarts: boolean,
  handlers: HandlerTable,
): void {
  // Of those that have a place in the loop.
  const slots = Array.from({ length: handlers.outlined - FIRST_HANDLER }, (_, i) => handlers.slot(FIRST_HANDLER + i) as Slot);
  const { index: run, code } = module.func('run', [], []);
  module.export('run', 'func', run);
  const frame: Frame = {
    ip: code.local('i32'),
    budget: code.local('i32'),
  };
  const target = code.local('i64');
  const translating = runtime.hot !== undefined;
  const emitterFor = (variant: Variant, exits?: Exits): InterpreterEmitter => new InterpreterEmitter(code, isa, layout, runtime, frame, variant, exits);
  const plain = emitterFor(NO_VARIANT);
  const setI32 = (index: number, value: I32): void => {
    lower(code, value);
    code.set(index);
  };
  const addToBudget = (steps: number): void => setI32(frame.budget, i32.add(local('i32', frame.budget), i32.const(steps)));

  if (translating) {
    // Where a run happens to begin says nothing about what is executed often.
    plain.setEngine(ENGINE.quiet, i32.const(Number(!countStarts)));
    plain.setEngine(ENGINE.step, i32.const(0));
  }
  const left = code.block(); // with pc and budget stored
  const stopped = code.block(); // the budget is used up
  const restart = code.loop(); // from the state block
  setI32(frame.budget, plain.state('i32.load', isa.state.budget));
  plain.countFromHere();
  const boot = i32.const(layout.engine + ENGINE.boot);
  setI32(frame.ip, boot);
  plain.setOrigin(plain.state('i64.load', isa.state.pc), boot);

  const trapped = code.block();
  const loop = code.loop();
  const lookup = code.block();
  const cases = casesOf(slots);
  const { labels, bodies } = openCases(code, cases);
  const dispatched = code.local('i32');
  const step = code.local('i32');
  const exits: Exits = { loop, trapped, lookup, target };
  const others = code.block();

  addToBudget(-1);
  lower(code, i32.lt_s(local('i32', frame.budget), i32.const(0)));
  code.brIf(stopped, false);
  setI32(dispatched, read('i32.load16_u', local('i32', frame.ip)));
  code.get(dispatched);
  code.brTable(labels, others);
  code.end(); // others
  const table = outlinedTable(module, isa, handlers);
  const calls = table === undefined ? undefined : code.block();
  if (translating) {
    if (calls !== undefined) {
      lower(code, i32.lt_u(local('i32', dispatched), i32.const(handlers.count)));
      code.brIf(calls);
    }
    const emitter = emitterFor(NO_VARIANT, exits);
    setI32(dispatched, emitEnter(emitter, isa, layout, frame, handlers.count, module.type(REGION_PARAMS, ['i32']), exits));
    code.get(dispatched);
    if (calls === undefined) code.brTable(labels.slice(0, -1), labels.at(-1) as Label);
    else code.brTable(labels, calls);
    emitter.releaseTemporaries();
  }
  if (table !== undefined) {
    code.end(); // calls
    const emitter = emitterFor(handlers.slot(handlers.outlined)?.variant ?? NO_VARIANT, exits);
    emitter.callFromTable(table, module.type(FRAME_PARAMS, ['i32']), dispatched);
    emitter.serviced = true;
    emitter.if(i32.ge_u(local('i32', dispatched), i32.const(handlers.interpreted)), () => emitter.next());
    emitter.serviced = false;
    emitter.next();
    emitter.releaseTemporaries();
  }
  for (const [i, numbers] of cases.entries()) {
    const number = numbers[0] as number;
    const slot = slots[number - FIRST_HANDLER];
    const body = bodies[i];
    if (body !== undefined) {
      for (const entry of numbers) {
        code.end();
        setI32(step, stepOf(isa, plain, (slots[entry - FIRST_HANDLER] as Slot).entered));
        if (entry !== numbers.at(-1)) code.br(body);
      }
    }
    code.end();
    const emitter = emitterFor(slot?.variant ?? NO_VARIANT, body === undefined ? exits : { ...exits, step });
    if (slot !== undefined) {
      const call = outlined.get(slot.instruction);
      if (call === undefined) (isa.instructions[slot.instruction] as Instruction).emit(emitter);
      else emitter.callOutlined(call);
      if ((isa.instructions[slot.instruction] as Instruction).interpreted === true) emitter.serviced = true;
      if (!emitter.jumped) emitter.next();
    } else if (number === Handler.lookup || number === Handler.start) {
      addToBudget(1);
      emitter.jumpTo(emitter.pc());
    } else {
      if (number === Handler.undecoded) emitter.helper(helpers.decode);
      else emitStraddle(emitter, isa, layout, frame, helpers.straddle);
      addToBudget(1);
      code.br(loop);
    }
    emitter.releaseTemporaries();
  }
  code.end(); // lookup
  emitLookup(plain, isa, layout, frame, target, helpers.fetch, left);
  if (translating && !countStarts) {
    plain.if(i32.eqz(plain.engine(ENGINE.quiet)), () => plain.count(true));
    plain.setEngine(ENGINE.quiet, i32.const(0));
  } else {
    plain.count(true);
  }
  code.br(loop);
  code.end(); // loop
  code.end(); // trapped
  plain.chargeQuietly();
  lower(code, i32.ne(plain.read('i32.load', i32.const(0), layout.engine + ENGINE.status), i32.const(Status.leave)));
  code.brIf(restart);
  code.br(left);
  code.end(); // restart
  code.end(); // stopped
  addToBudget(1);
  code.get(frame.ip);
  code.get(frame.budget);
  code.call(runtime.save);
  code.end(); // left
  code.end();
}
