/**
 * A bare machine for test programs: one processing element in EL2, RAM at 0x4000_0000, the data register of a PL011 for output, and a
 * word to which programs write how they ended. Interrupts of the timers drive the IRQ input. Time is counted in retired instructions, so
 * that every run is the same.
 */
import { CoreExit, wasm } from '@axvisor/softcpu';
import type { Execution, PhysBus } from '@axvisor/softcpu';
import { Pe, planPe } from '../pe.ts';
import { Line } from '../priv/interface.ts';

export const RAM_BASE = 0x4000_0000;
export const UART = 0x0900_0000;
/** A program ends by writing its exit code here. */
export const FINISHER = 0x0910_0000;

/** Steps between two looks at whether the program has ended. */
const SLICE = 20_000;

/** How a program ended. */
export interface Outcome {
  /** What it wrote to the finisher; -1 if it did not end within its limit. */
  readonly code: number;
  /** Instructions retired. */
  readonly instructions: number;
  /** What it wrote to the console. */
  readonly output: string;
}

export interface BareMachineOptions {
  /** RAM in bytes, a multiple of 64 KiB. Default 4 MiB. */
  readonly ramBytes?: number;
  /** RAM begins at a multiple of this in linear memory, itself one of 64 KiB. Walks in generated code take blocks of 2 MiB. Default 64 KiB. */
  readonly alignment?: number;
  /** Code pages whose decoded instructions are kept. */
  readonly poolPages?: number;
  /** How code is executed. Default: `interpreter`. */
  readonly engine?: Execution;
  /** Devices at addresses where the machine has none. */
  readonly bus?: PhysBus;
}

export class BareMachine {
  readonly pe: Pe;
  /** RAM. */
  readonly ram: Uint8Array;
  #retiredBefore = 0;
  /** CNTPCT_EL0 is this plus the instructions retired. */
  #timeOffset = 0n;
  #finished: number | undefined;
  #output = '';
  readonly #lines = new Set<number>();
  readonly #bus: PhysBus | undefined;

  constructor({ ramBytes = 4 << 20, alignment = 0x1_0000, poolPages = 256, engine = 'interpreter', bus }: BareMachineOptions = {}) {
    const pages = (bytes: number): number => Math.ceil(bytes / 0x1_0000);
    // The window of the TLB counts the processing element's own region too.
    const memoryBytes = 2 ** Math.ceil(Math.log2(2 * ramBytes + (poolPages << 15)));
    const plan = planPe(0x1000, memoryBytes, poolPages);
    const offset = Math.ceil(plan.end / alignment) * alignment;
    const limits = { min: pages(offset + ramBytes), max: pages(memoryBytes), shared: true };
    const memory = new wasm.Memory({ initial: limits.min, maximum: limits.max, shared: true });
    this.#bus = bus;
    this.ram = new Uint8Array(memory.buffer, offset, ramBytes);
    this.pe = new Pe({
      memory,
      memoryLimits: limits,
      plan,
      engine,
      ram: [{ pa: RAM_BASE, size: ramBytes, offset }],
      bus: this.#devices(),
      now: () => this.time,
      instructionsUntil: (deadline) => Number(deadline - this.time),
      line: (ppi, level) => {
        if (level) this.#lines.add(ppi);
        else this.#lines.delete(ppi);
        // The processing element resets its timers before there is one.
        (this.pe as Pe | undefined)?.priv.setLine(Line.irq, this.#lines.size > 0);
      },
    });
  }

  /** CNTPCT_EL0. */
  get time(): bigint {
    return this.#timeOffset + BigInt((this.pe as Pe | undefined)?.elapsed ?? 0);
  }

  #devices(): PhysBus {
    return {
      read: (pa, size) => (pa >= UART && pa < UART + 0x1000 ? 0n : this.#bus?.read(pa, size)),
      write: (pa, size, value) => {
        if (pa === FINISHER) {
          this.#finished = Number(value);
          this.pe.stop();
        } else if (pa === UART) this.#output += String.fromCharCode(Number(value & 0xffn));
        else return this.#bus?.write(pa, size, value) ?? false;
        return true;
      },
    };
  }

  /** Puts a program at the start of cleared RAM, or `offset` bytes behind it, and the processing element there in reset state. */
  load(code: Uint8Array, offset = 0): void {
    this.clear();
    this.ram.set(code, offset);
    this.pe.reset(BigInt(RAM_BASE + offset));
  }

  /** Clears RAM, registers and everything decoded. */
  clear(): void {
    this.ram.fill(0);
    this.pe.clear();
    this.#finished = undefined;
    this.#output = '';
    this.#retiredBefore = this.pe.retired;
    this.#timeOffset = -BigInt(this.pe.elapsed);
  }

  /** Runs the program to its end, or for `limit` instructions. */
  run(limit = 20_000_000): Outcome {
    for (let left = limit; left > 0 && this.#finished === undefined; ) {
      const exit = this.pe.run(Math.min(left, SLICE));
      left -= Math.max(1, this.pe.steps);
      if (exit === CoreExit.waiting && !this.#sleep()) break;
    }
    return { code: this.#finished ?? -1, instructions: this.pe.retired - this.#retiredBefore, output: this.#output };
  }

  /** WFI: time passes until a timer is due. False if none is. */
  #sleep(): boolean {
    const due = this.pe.priv.nextTimer();
    if (due === undefined) return false;
    if (due > this.time) this.#timeOffset += due - this.time;
    return true;
  }
}
