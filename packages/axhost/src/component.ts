/** The component: one host with its own physical memory, clock and console for each linking. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { ensure, errors } from '@axvisor/axvisor_api/errors';
import { host, type LogLevel } from '@axvisor/axvisor_api/host';
import { memory } from '@axvisor/axvisor_api/memory';
import { smp } from '@axvisor/axvisor_api/smp';
import { time, type Nanos } from '@axvisor/axvisor_api/time';
import { memoryConsole, type HostConsole } from './host/console.ts';
import { createHost, LOG_LEVELS, runtimeLogSink, type LogSink } from './host/index.ts';
import { createMemory } from './memory/index.ts';
import { createPhysMemory, viewPhysMemory } from './memory/phys_memory.ts';
import { createSmp } from './smp/index.ts';
import type { HostShare } from './smp/share.ts';
import { realClock, sharedClock, virtualClock } from './time/clock.ts';
import { createTime } from './time/index.ts';

/** What {@link createComponent} takes. */
export interface HostOptions {
  /** Physical memory in bytes: a multiple of 64 KiB up to 4 GiB. Untouched pages cost nothing. Default: 512 MiB. */
  readonly memory?: number;
  /** Number of physical CPUs (threads). Default: 1. */
  readonly cpus?: number;
  /** The CPU that this thread is. Default: 0. */
  readonly cpu?: number;
  /**
   * What all threads of this host share: physical memory, signals, time. With it `memory` and `cpus` are of no effect, the clock is
   * real, and the CPU with the highest number is the monitor (`smp` API).
   */
  readonly share?: HostShare;
  /** `real`: the runtime's monotonic clock; `virtual`: retired instructions. Default: `real`. */
  readonly clock?: 'real' | 'virtual';
  /** Ticks a second. Default: 10 000 000, the timebase of QEMU's RISC-V `virt` machine. */
  readonly tickFrequency?: bigint;
  /**
   * Virtual clock: how many instructions take a second. Default: 1 000 000 000, one nanosecond each; at the default tick
   * frequency the counter then moves by one every 100 instructions.
   */
  readonly instructionsPerSecond?: bigint;
  /** Virtual clock: the wall clock at its start, in ns since 1970. Default: 2025-01-01T00:00Z. */
  readonly wallClockStart?: Nanos;
  /** Default: a {@link memoryConsole} that drops its output. `@axvisor/axhost/node` has one on stdin and stdout. */
  readonly console?: HostConsole;
  /** The least grave level that is reported. Default: `warn`. */
  readonly logLevel?: LogLevel;
  /** Default: the runtime's `console`. */
  readonly logSink?: LogSink;
}

type Provided = typeof memory.id | typeof time.id | typeof host.id | typeof smp.id;

/**
 * A host with `options`.
 *
 * ```ts
 * link([createComponent({ memory: 1 << 30, console: nodeConsole() }), …]);
 * ```
 *
 * Linking throws {@link AxError} InvalidInput for options out of range.
 */
export function createComponent(options: HostOptions = {}): Component<Provided, never> {
  return axComponent({
    name: '@axvisor/axhost',
    requires: [errors],
    provides: () => {
      const { share, cpu = 0, clock = 'real', tickFrequency = 10_000_000n, instructionsPerSecond = 1_000_000_000n } = options;
      const { wallClockStart = 1_735_689_600_000_000_000n, logLevel = 'warn' } = options;
      const cpus = share === undefined ? (options.cpus ?? 1) : share.guestCpus + 1;
      ensure(Number.isInteger(cpus) && cpus > 0, 'InvalidInput', `${cpus} CPUs`);
      ensure(Number.isInteger(cpu) && cpu >= 0 && cpu < cpus, 'InvalidInput', `CPU ${cpu} of ${cpus}`);
      ensure(clock === 'real' || clock === 'virtual', 'InvalidInput', `a clock is real or virtual, not ${String(clock)}`);
      ensure(tickFrequency > 0n, 'InvalidInput', `${tickFrequency} ticks a second`);
      ensure(instructionsPerSecond > 0n, 'InvalidInput', `${instructionsPerSecond} instructions a second`);
      ensure(LOG_LEVELS.includes(logLevel), 'InvalidInput', `log level ${logLevel}`);
      ensure(share === undefined || clock === 'real', 'InvalidInput', 'a virtual clock counts the instructions of one thread');
      const realSource = share === undefined ? realClock(tickFrequency) : sharedClock(tickFrequency, share.epoch);
      const source = clock === 'real' ? realSource : virtualClock(tickFrequency, instructionsPerSecond, wallClockStart);
      const timeImpl = createTime(source, tickFrequency);
      const memoryImpl =
        share === undefined ? createMemory(createPhysMemory(options.memory ?? 512 * 1024 * 1024)) : createMemory(viewPhysMemory(share.memory), share.frames);
      return [
        apiImpl(memory, memoryImpl),
        apiImpl(smp, share === undefined ? {} : createSmp(share, cpu, timeImpl)),
        apiImpl(time, timeImpl),
        apiImpl(
          host,
          createHost({
            cpus,
            cpu,
            console: options.console ?? memoryConsole({ onOutput: () => {} }),
            time: timeImpl,
            logLevel,
            logSink: options.logSink ?? runtimeLogSink,
          }),
        ),
      ];
    },
  });
}

/** A host with the default options. */
export const component: Component<Provided, never> = createComponent();
