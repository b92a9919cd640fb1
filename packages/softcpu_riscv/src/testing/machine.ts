/**
 * A bare machine for test programs: one hart in M-mode, RAM at 0x8000_0000, a CLINT, and the two ways such programs end:
 * a write to `tohost` (the host-target interface of riscv-tests) or to the "test finisher" of SiFive's machines. Time is
 * counted in retired instructions, so that every run is the same.
 */
import { CoreExit, PageWrites } from '@axvisor/softcpu';
import type { Execution, Layout, PhysBus } from '@axvisor/softcpu';
import { Hart } from '../hart.ts';
import { Clint } from './clint.ts';
import { parseElf } from './elf.ts';
import type { Elf } from './elf.ts';
import { createMachineMemory, planMachine } from './memory.ts';
import type { MachineMemory, MachineMemoryOptions } from './memory.ts';

export const RAM_BASE = 0x8000_0000;
const CLINT = { base: 0x0200_0000, size: 0x1_0000 } as const;
/** Writing 0x5555 here passes, 0x3333 with a code in the upper half fails. */
const FINISHER = 0x10_0000;
const FINISHER_PASS = 0x5555n;

/** Steps between two looks at the devices. */
const SLICE = 20_000;

/** How a program ended. */
export interface Outcome {
  readonly pass: boolean;
  /** What it said: 0 for pass, otherwise the number of the test that failed; -1 if it did not end within its limit. */
  readonly code: number;
  /** Instructions retired. */
  readonly instructions: number;
  /** What it wrote to the console of the host-target interface. */
  readonly output: string;
}

export interface BareMachineOptions extends Omit<MachineMemoryOptions, 'machines'> {
  /** Memory that it shares with others, of which it takes its part; what it says goes before the sizes here. Default: its own. */
  readonly memory?: MachineMemory;
  /** Its number in that memory. Default 0. */
  readonly number?: number;
  /** How code is executed. Default: `interpreter`. */
  readonly engine?: Execution;
  /** What becomes of misaligned loads and stores. Default: they are carried out. */
  readonly misaligned?: 'handled' | 'trap';
}

export class BareMachine {
  readonly hart: Hart;
  readonly clint: Clint;
  /** Where what the hart's engine needs lies in linear memory. */
  readonly layout: Layout;
  /** RAM. */
  readonly ram: Uint8Array;
  readonly #view: DataView;
  #elf: Elf | undefined;
  #retiredBefore = 0;
  /** mtime is this plus the instructions retired. */
  #timeOffset = 0n;
  #finished: number | undefined;

  constructor({ ramBytes, poolPages, memory, number = 0, engine = 'interpreter', misaligned = 'handled' }: BareMachineOptions = {}) {
    const part = memory ?? createMachineMemory({ ...(ramBytes === undefined ? {} : { ramBytes }), ...(poolPages === undefined ? {} : { poolPages }) });
    const { plan, ram: offset } = planMachine(part, number);
    this.layout = plan.layout;
    const { buffer } = part.memory;
    this.ram = new Uint8Array(buffer, offset, part.ramBytes);
    this.#view = new DataView(buffer, offset, part.ramBytes);
    this.hart = new Hart({
      memory: part.memory,
      memoryLimits: part.limits,
      plan,
      engine,
      misaligned,
      ram: [{ pa: RAM_BASE, size: part.ramBytes, offset }],
      bus: this.#bus(),
      now: () => this.time,
      ...(part.notes === undefined ? {} : { shared: new PageWrites(part.notes), sharer: number, poll: () => this.hart.engine.closeIfAsked() }),
    });
    this.clint = new Clint(
      () => this.time,
      (time) => (this.#timeOffset = time - BigInt(this.hart.retired)),
      (irq, level) => this.hart.priv.setPending(irq, level),
    );
  }

  /** mtime. */
  get time(): bigint {
    return this.#timeOffset + BigInt(this.hart.retired);
  }

  #bus(): PhysBus {
    return {
      read: (pa, size) => {
        const offset = Number(pa) - CLINT.base;
        return offset >= 0 && offset < CLINT.size ? this.clint.read(offset, size) : undefined;
      },
      write: (pa, size, value) => {
        const offset = Number(pa) - CLINT.base;
        if (offset >= 0 && offset < CLINT.size) return this.clint.write(offset, size, value);
        if (Number(pa) !== FINISHER) return false;
        this.#finished = (value & 0xffffn) === FINISHER_PASS ? 0 : Number(value >> 16n) || -1;
        this.hart.stop();
        return true;
      },
    };
  }

  /** Puts a program into cleared RAM and the hart at its entry in reset state. */
  load(file: Uint8Array): Elf {
    const elf = parseElf(file);
    this.clear();
    for (const { physical, bytes } of elf.segments) this.ram.set(bytes, physical - RAM_BASE);
    this.hart.reset(elf.entry);
    this.#elf = elf;
    return elf;
  }

  /** Clears RAM, registers and everything decoded. */
  clear(): void {
    this.ram.fill(0);
    this.hart.clear();
    this.clint.reset();
    this.clint.update();
    this.#finished = undefined;
    this.#retiredBefore = this.hart.retired;
    this.#timeOffset = -BigInt(this.#retiredBefore);
    this.#elf = undefined;
  }

  /** The address of a symbol of the program, as an offset in {@link ram}. @throws {RangeError} there is none. */
  offsetOf(symbol: string): number {
    const address = this.#elf?.symbols.get(symbol);
    if (address === undefined) throw new RangeError(`the program has no symbol ${symbol}`);
    return Number(BigInt.asUintN(32, address)) - RAM_BASE;
  }

  /** Runs the program to its end, or for `limit` instructions. */
  run(limit = 20_000_000): Outcome {
    const symbols = this.#elf?.symbols;
    const name = symbols?.has('tohost') === true ? 'tohost' : symbols?.has('.tohost') === true ? '.tohost' : undefined;
    const tohost = name === undefined ? undefined : this.offsetOf(name);
    let output = '';
    let code: number | undefined;
    for (let left = limit; left > 0 && code === undefined; ) {
      this.clint.update();
      const exit = this.hart.run(Math.min(left, SLICE));
      left -= Math.max(1, this.hart.steps);
      if (exit === CoreExit.waiting) this.#sleep();
      code = this.#finished;
      if (tohost === undefined) continue;
      const value = this.#view.getBigUint64(tohost, true);
      if (value === 0n) continue;
      if ((value & 1n) !== 0n && value >> 48n === 0n) {
        code = Number(value >> 1n);
      } else {
        output += String.fromCharCode(Number(value & 0xffn)); // device 1, command 1: put a character
        this.#view.setBigUint64(tohost, 0n, true);
        this.hart.invalidatePhys(RAM_BASE + tohost, 8);
      }
    }
    return { pass: code === 0, code: code ?? -1, instructions: this.hart.retired - this.#retiredBefore, output };
  }

  /** WFI: time passes until a timer is due. With none, the run ends by its limit. */
  #sleep(): void {
    const due = this.hart.priv.nextTimer() ?? this.clint.compare;
    const next = due < this.clint.compare ? due : this.clint.compare;
    if (next > this.time && next < 1n << 63n) this.#timeOffset += next - this.time;
  }
}
