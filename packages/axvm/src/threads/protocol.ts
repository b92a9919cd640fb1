/**
 * What the thread that keeps the virtual machines (the monitor) and those that run vCPUs (guest CPUs) say to each other: calls
 * of the monitor, its orders, and a line of shared words for each vCPU.
 */
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { NestedRoot } from '@axvisor/axvisor_api/addrspace';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { physMemory } from '@axvisor/axvisor_api/memory';
import type { VCpuShare } from '@axvisor/axvisor_api/vcpu';
import type { VCpuPowerState } from '@axvisor/axvisor_api/vmm';
import { EXIT_REASONS } from '../vm/exits.ts';
import type { CpuUpResult } from '../vm/services.ts';

/** Calls. Values are VM, vCPU and generation of the caller, then the arguments; {@link Call.order} and {@link Call.counters} have none of them. */
export const Call = {
  /** The next order of this CPU; empty when there is none. */
  order: 1,
  pageFault: 2,
  mmioRead: 3,
  mmioWrite: 4,
  portRead: 5,
  portWrite: 6,
  sysRegRead: 7,
  sysRegWrite: 8,
  cpuUp: 9,
  cpuDown: 10,
  sendIpi: 11,
  systemDown: 12,
  systemReset: 13,
  fail: 14,
  readMemory: 15,
  writeMemory: 16,
  consoleWrite: 17,
  consoleRead: 18,
  /** Counters of this CPU's processor, as JSON. */
  counters: 19,
  /** What the caller's part of the interrupt controller asks of the rest. */
  endOfInterrupt: 20,
  acknowledgeExternal: 21,
  peekExternal: 22,
} as const;

/** Results of {@link Call.cpuUp} by number. */
export const CPU_UP_RESULTS: readonly CpuUpResult[] = ['success', 'already-on', 'invalid'];

/** A VM as a guest CPU takes it up. */
export interface VmDescription {
  readonly id: number;
  readonly vmid: number;
  readonly root: NestedRoot;
  /** First line; the others follow. */
  readonly lines: bigint;
  /** Where there is memory: [start, end). Everything else is devices. */
  readonly memory: readonly (readonly [start: bigint, end: bigint])[];
  readonly vcpus: readonly VCpuDescription[];
  /** Its interrupt controller has parts that belong to CPUs: where its state is, and how many words. */
  readonly intc?: { readonly place: bigint; readonly words: number };
  /** Where {@link Latches} are, of which registers, and the registers to which writes are posted. */
  readonly latches: bigint;
  readonly latched: readonly (readonly [address: number, width: AccessWidth])[];
  readonly posted: readonly number[];
}

export interface VCpuDescription {
  readonly cpuId: bigint;
  readonly share: VCpuShare;
  /** The CPU that runs it. */
  readonly home: number;
}

export type Order =
  | { readonly order: 'attach'; readonly vm: VmDescription }
  | { readonly order: 'detach'; readonly vm: number }
  /** Tell your counters. */
  | { readonly order: 'count' }
  /** The vCPU is in its power-on state. */
  | { readonly order: 'start'; readonly vm: number; readonly vcpu: number; readonly generation: number };

/** JSON with bigint as `"12n"`. Orders contain no other strings like that. */
export const encodeOrder = (order: Order): string => JSON.stringify(order, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
export const decodeOrder = (text: string): Order =>
  JSON.parse(text, (_key, value: unknown) => (typeof value === 'string' && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value)) as Order;

/** The encodings of the runtime, which the language's own typings do not know. */
const { TextEncoder, TextDecoder } = globalThis as unknown as {
  readonly TextEncoder: new () => { encode(text: string): Uint8Array };
  readonly TextDecoder: new () => { decode(bytes: Uint8Array): string };
};
export const toBytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const toText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What a vCPU's thread is doing with it. */
export const Activity = {
  /** Nothing: its state is in memory. */
  none: 0,
  /** It is on the processor, in the guest or between two entries. */
  running: 1,
  /** As before, but the thread waits for the monitor and touches nothing. */
  calling: 2,
} as const;

/** 32-bit words of a line. */
const Word = { power: 0, hold: 1, activity: 2, generation: 3, instructions: 4, exits: 8 } as const;
/** Bytes of a line. */
export const LINE_SIZE = 128;

const POWER: readonly VCpuPowerState[] = ['off', 'on', 'on-pending', 'off-pending', 'suspended'];

/** The shared words of a vCPU. */
export class VCpuLine {
  readonly #words: Int32Array;
  readonly #instructions: BigUint64Array;

  constructor(lines: HostPhysAddr, vcpu: number) {
    const { words, longs } = physMemory();
    const first = Number(lines) / 4 + (vcpu * LINE_SIZE) / 4;
    this.#words = words.subarray(first, first + LINE_SIZE / 4);
    this.#instructions = longs.subarray((first + Word.instructions) / 2, (first + Word.instructions) / 2 + 1);
  }

  /** Written by the monitor. */
  get power(): VCpuPowerState {
    return POWER[Atomics.load(this.#words, Word.power)] as VCpuPowerState;
  }

  set power(power: VCpuPowerState) {
    Atomics.store(this.#words, Word.power, POWER.indexOf(power));
  }

  /** It must not enter the guest. Written by the monitor. */
  get hold(): boolean {
    return Atomics.load(this.#words, Word.hold) !== 0;
  }

  set hold(hold: boolean) {
    Atomics.store(this.#words, Word.hold, Number(hold));
  }

  /** Counts its power-ons and -offs by the monitor: who runs an earlier one has to forget it. */
  get generation(): number {
    return Atomics.load(this.#words, Word.generation);
  }

  /** @returns the new one. */
  nextGeneration(): number {
    return (Atomics.add(this.#words, Word.generation, 1) + 1) | 0;
  }

  /** Written by its thread. */
  get activity(): number {
    return Atomics.load(this.#words, Word.activity);
  }

  set activity(activity: number) {
    Atomics.store(this.#words, Word.activity, activity);
    if (activity !== Activity.running) Atomics.notify(this.#words, Word.activity);
  }

  /** Its thread is gone. */
  abandon(): void {
    this.activity = Activity.none;
  }

  /** Waits until its thread is not running it. */
  awaitQuiet(): void {
    while (this.activity === Activity.running) Atomics.wait(this.#words, Word.activity, Activity.running);
  }

  /** Counts an exit. */
  count(reason: string): void {
    Atomics.add(this.#words, Word.exits + EXIT_REASONS.indexOf(reason), 1);
  }

  get exits(): Readonly<Record<string, number>> {
    return Object.fromEntries(EXIT_REASONS.map((reason, i) => [reason, Atomics.load(this.#words, Word.exits + i)] as const).filter(([, n]) => n > 0));
  }

  retired(instructions: bigint): void {
    Atomics.add(this.#instructions, 0, instructions);
  }

  get instructions(): bigint {
    return Atomics.load(this.#instructions, 0);
  }
}
