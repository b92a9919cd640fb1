/**
 * Calls of regions on the thread that compiled them, before their processor gets them. V8 compiles a function when it is called first, for all threads
 * that have the module: like this it takes none of the guest's time.
 *
 * A region that may take no steps leaves at its first check, or before where its assumptions do not hold. Until then it only reads the state block; leaving,
 * it writes it. So it is called with a memory of nobody's, of which no more is ever touched, and with functions that it never gets to.
 */
import { REGION_PARAMS, RegionExit } from '../interp/enter.ts';
import { MAX_REGIONS } from '../interp/layout.ts';
import { wasm } from '../wasm/api.ts';
import type { WasmInstance, WasmModule, WasmTable } from '../wasm/api.ts';
import { ModuleBuilder } from '../wasm/module.ts';
import type { Limits } from '../wasm/module.ts';
import { REGION_IMPORTS } from './module.ts';

interface Stage {
  readonly memoryLimits: Limits;
  /** Its element segments put the regions into the table. */
  readonly instantiate: (module: WasmModule) => WasmInstance;
  /** Calls the region of a number. */
  readonly call: (number: number) => number;
  /** Takes the region of a number out of the table. */
  readonly clear: (number: number) => void;
}

/** All functions that modules with regions import, whatever their names and types. */
const functions: Readonly<Record<string, unknown>> = new Proxy({}, {
  get: () => (): never => {
    throw new Error('a region did not leave at once');
  },
});

/** @throws {RangeError} there is no room for another memory. */
function createStage(memoryLimits: Limits): Stage {
  const { min, max, shared } = memoryLimits;
  const memory = new wasm.Memory({ initial: min, ...(max === undefined ? {} : { maximum: max }), ...(shared === undefined ? {} : { shared }) });
  const module = new ModuleBuilder();
  const type = module.type(REGION_PARAMS, ['i32']);
  const nothing = module.func('nothing', REGION_PARAMS, ['i32']);
  nothing.code.i32(RegionExit.step);
  nothing.code.end();
  const call = module.func('call', ['i32'], ['i32']);
  call.code.i64(0n);
  call.code.i32(0);
  call.code.get(0);
  call.code.callIndirect(type);
  call.code.end();
  module.export('table', 'table', module.table({ min: MAX_REGIONS, max: MAX_REGIONS, filled: { type, by: nothing.index } }));
  module.export('nothing', 'func', nothing.index);
  module.export('call', 'func', call.index);
  const { exports } = new wasm.Instance(new wasm.Module(module.build()));
  const table = exports['table'] as WasmTable;
  const engine = new Proxy({}, { get: (_, name) => (name === 'table' ? table : functions[name as string]) });
  return {
    memoryLimits,
    instantiate: (regions) => new wasm.Instance(regions, { [REGION_IMPORTS.host]: { memory }, [REGION_IMPORTS.engine]: engine, [REGION_IMPORTS.function]: functions }),
    call: exports['call'] as Stage['call'],
    clear: (number) => table.set(number, exports['nothing']),
  };
}

export class Rehearsal {
  #stage: Stage | undefined;
  /** Addresses are short: first calls are left to the processors. */
  #isOff = false;

  /** Calls the regions of a module, given by their numbers. @throws {Error} one did not leave at once. */
  run(module: WasmModule, memoryLimits: Limits, numbers: readonly number[]): void {
    const stage = this.#stageFor(memoryLimits);
    if (stage === undefined) return;
    stage.instantiate(module);
    for (const number of numbers) {
      if (stage.call(number) !== RegionExit.step) throw new Error(`region ${number} did not leave at its beginning`);
      stage.clear(number);
    }
  }

  #stageFor(memoryLimits: Limits): Stage | undefined {
    const known = this.#stage?.memoryLimits;
    if (this.#isOff || (known?.min === memoryLimits.min && known.max === memoryLimits.max && known.shared === memoryLimits.shared)) return this.#stage;
    try {
      this.#stage = createStage(memoryLimits);
    } catch (e) {
      if (!(e instanceof RangeError)) throw e;
      this.#stage = undefined;
      this.#isOff = true;
    }
    return this.#stage;
  }
}
