/** The machine the hypervisor runs on: CPUs, console, idling, the log. */
import { apiDef, required, type AxApiDef } from './registry/api.ts';
import type { Ticks } from './time.ts';

/** Severity of a log line. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** The functions of the `host` API. */
export interface Host {
  /** Number of physical CPUs (threads) of this hypervisor. */
  getHostCpuNum(): number;
  /** The physical CPU this thread is. */
  thisCpuId(): number;
  /** Writes bytes to the host's console. */
  consoleWrite(bytes: Uint8Array): void;
  /** Takes the bytes that were typed since the last call; empty if there are none. */
  consoleRead(): Uint8Array;
  /**
   * Gives the runtime's event loop a turn, so that input, timers and messages arrive. With a deadline (absolute) the CPU
   * sleeps until then, with `'forever'` until {@link Host.wake}; both end early when something arrives. A turn is as long as
   * the reader of the console is behind.
   */
  idle(until?: Ticks | 'forever'): Promise<void>;
  /** Ends the current or next {@link Host.idle}. */
  wake(): void;
  /** Reports something to the people who run the hypervisor. `source` is the component, e.g. `axvm`. */
  log(level: LogLevel, source: string, message: string): void;
}

export let getHostCpuNum: Host['getHostCpuNum'];
export let thisCpuId: Host['thisCpuId'];
export let consoleWrite: Host['consoleWrite'];
export let consoleRead: Host['consoleRead'];
export let idle: Host['idle'];
export let wake: Host['wake'];
export let log: Host['log'];

export const host: AxApiDef<'host', Host> = apiDef({
  name: 'host',
  functions: {
    getHostCpuNum: required, thisCpuId: required, consoleWrite: required, consoleRead: required, idle: required, wake: required,
    log: required,
  },
  bind: (f: Host) => ({ getHostCpuNum, thisCpuId, consoleWrite, consoleRead, idle, wake, log } = f),
  providers: ['@axvisor/axhost'],
});
