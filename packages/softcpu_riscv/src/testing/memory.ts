/** Linear memory for bare machines: each has a part of it with a hart and RAM of its own, whichever thread it is on. */
import { PageWrites, wasm } from '@axvisor/softcpu';
import type { CorePlan, WasmMemory } from '@axvisor/softcpu';
import { planHart } from '../hart.ts';

const WASM_PAGE = 0x1_0000;
/** Of each hart, beside records and what depends on the size of memory. */
const REST = 2 << 20;
/** Nothing is at address 0. */
const FIRST = 0x1000;
/** With more, the translation buffers of the harts, each for all of memory, would not fit. */
const MAX_MACHINES = 16;

/** What the machines of one memory have in common. */
export interface MachineMemoryOptions {
  /** RAM of each in bytes, a multiple of 64 KiB. Default 16 MiB. */
  readonly ramBytes?: number;
  /** Code pages whose decoded instructions each keeps. */
  readonly poolPages?: number;
  /** How many. Default 1. */
  readonly machines?: number;
}

/** May be posted to other threads. */
export interface MachineMemory {
  readonly memory: WasmMemory;
  readonly limits: { readonly min: number; readonly max: number; readonly shared: true };
  readonly ramBytes: number;
  readonly poolPages: number;
  /** Bytes of the part of each machine. */
  readonly part: number;
  /** Who writes where; absent when there is one machine only. */
  readonly notes: SharedArrayBuffer | undefined;
}

/** @throws {RangeError} more than 16 machines */
export function createMachineMemory({ ramBytes = 16 << 20, poolPages = 256, machines = 1 }: MachineMemoryOptions = {}): MachineMemory {
  if (machines > MAX_MACHINES) throw new RangeError(`${machines} machines in one memory, ${MAX_MACHINES} are the most`);
  // The window of the TLB counts the regions of the harts too.
  const memoryBytes = 2 ** Math.ceil(Math.log2(machines * (2 * ramBytes + (poolPages << 16) + REST)));
  const part = ramOffset(planHart(FIRST, memoryBytes, poolPages)) + ramBytes;
  const limits = { min: (machines * part) / WASM_PAGE, max: memoryBytes / WASM_PAGE, shared: true } as const;
  return {
    memory: new wasm.Memory({ initial: limits.min, maximum: limits.max, shared: true }),
    limits,
    ramBytes,
    poolPages,
    part,
    notes: machines === 1 ? undefined : new SharedArrayBuffer(PageWrites.bytes(memoryBytes)),
  };
}

const ramOffset = ({ end }: CorePlan): number => Math.ceil(end / WASM_PAGE) * WASM_PAGE;

/** Where the hart and the RAM of machine `number` are. */
export function planMachine({ limits, poolPages, part }: MachineMemory, number: number): { readonly plan: CorePlan; readonly ram: number } {
  const plan = planHart(number * part + FIRST, limits.max * WASM_PAGE, poolPages);
  return { plan, ram: ramOffset(plan) };
}
