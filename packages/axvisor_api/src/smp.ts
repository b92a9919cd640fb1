/**
 * CPUs that are threads of their own: signals between them, waiting for one, and calls of the CPU that keeps the virtual
 * machines, the *monitor*. The others, *guest CPUs*, run vCPUs and nothing else, so that address spaces and devices are used by
 * one thread only.
 *
 * The defaults are a host with one thread, which does both.
 */
import { apiDef, type AxApiDef } from './registry/api.ts';
import type { Ticks } from './time.ts';

/** What one CPU tells another; a bit set. */
export const Signal = {
  /** Leave the guest. */
  kick: 1,
  /** Nested translations have changed: forget them. */
  nested: 2,
  /** The monitor has an order for this CPU. */
  order: 4,
  /** Instructions in memory have changed: fetch them anew. */
  instructions: 8,
  /** The guest's own translations have changed: what is to be forgotten is in the shared notes of the processors. */
  translations: 16,
} as const;

/** A call of the monitor, or its answer. */
export interface CpuMessage {
  readonly values: readonly bigint[];
  readonly bytes: Uint8Array;
}

/** Most values, and most bytes, of a {@link CpuMessage}. */
export const MAX_MESSAGE_VALUES = 8;
/** Bytes of {@link Smp.pageNotes} beyond those for pages. */
export const PAGE_NOTES_HEADER = 4480;
/** Most values of {@link Smp.postMonitor}. */
export const MAX_POST_VALUES = 7;
export const MAX_MESSAGE_BYTES = 0x1_0000;

/** What the monitor does about the guest CPUs. */
export interface CpuService {
  /** Answers a call. What it throws is thrown by the caller's {@link Smp.callMonitor}. */
  call(cpu: number, operation: number, message: CpuMessage): CpuMessage;
  /** Does what was posted. There is nobody to throw at. */
  posted(cpu: number, operation: number, values: readonly bigint[]): void;
  /** A guest CPU is gone. */
  failed(cpu: number, reason: string): void;
}

/** The functions of the `smp` API. */
export interface Smp {
  /** How many guest CPUs there are, with the numbers from 0 on. 0: the monitor's thread runs the guests. */
  guestCpus(): number;
  /** Sends `signals` to `cpu` and ends its {@link Smp.waitForSignal}. From any thread. */
  signalCpu(cpu: number, signals: number): void;
  /** The signals this CPU has not taken. */
  pendingSignals(): number;
  /** Takes those of `signals` that are pending. */
  takeSignals(signals: number): number;
  /** Blocks this guest CPU until one of `signals` is pending, or until `until`; may return early. */
  waitForSignal(signals: number, until?: Ticks): void;
  /** Says that this CPU is executing a guest, and has to take signals before it goes on with its next one. */
  setInGuest(inGuest: boolean): void;
  /** Waits until `cpu` has taken `signals`, or is not in a guest and will take them before it is. */
  awaitTaken(cpu: number, signals: number): void;
  /** Calls the monitor and waits for its answer. `operation` is 1 or more. */
  callMonitor(operation: number, values: readonly bigint[], bytes?: Uint8Array): CpuMessage;
  /**
   * Has the monitor do something that needs no answer, in the order of this CPU's posts and before its next call. False if too much
   * is on its way already.
   */
  postMonitor(operation: number, values: readonly bigint[]): boolean;
  /**
   * Memory that the CPUs share, zeros at first, {@link PAGE_NOTES_HEADER} bytes and 8 for each page of physical memory: processors note
   * there who writes what.
   */
  pageNotes(): ArrayBufferLike;
  /** Makes this CPU the monitor: from now on `service` answers calls, in turns of the event loop. */
  serveCpus(service: CpuService): void;
}

export let guestCpus: Smp['guestCpus'];
export let signalCpu: Smp['signalCpu'];
export let pendingSignals: Smp['pendingSignals'];
export let takeSignals: Smp['takeSignals'];
export let waitForSignal: Smp['waitForSignal'];
export let setInGuest: Smp['setInGuest'];
export let awaitTaken: Smp['awaitTaken'];
export let callMonitor: Smp['callMonitor'];
export let postMonitor: Smp['postMonitor'];
export let pageNotes: Smp['pageNotes'];
export let serveCpus: Smp['serveCpus'];

const alone = (): never => {
  throw new Error('this host has one thread: there is nobody to wait for');
};

export const smp: AxApiDef<'smp', Smp, keyof Smp> = apiDef({
  name: 'smp',
  functions: {
    guestCpus: () => 0,
    signalCpu: () => {},
    pendingSignals: () => 0,
    takeSignals: () => 0,
    waitForSignal: alone,
    setInGuest: () => {},
    awaitTaken: () => {},
    callMonitor: alone,
    postMonitor: alone,
    pageNotes: alone,
    serveCpus: () => {},
  },
  bind: (f: Smp) =>
    ({ guestCpus, signalCpu, pendingSignals, takeSignals, waitForSignal, setInGuest, awaitTaken, callMonitor, postMonitor, pageNotes, serveCpus } = f),
  providers: ['@axvisor/axhost'],
});
