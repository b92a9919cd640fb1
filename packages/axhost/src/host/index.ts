/** The `host` API: CPUs, console, idling and the log. */
import type { Host, LogLevel } from '@axvisor/axvisor_api/host';
import type { Time } from '@axvisor/axvisor_api/time';
import { runtime } from '../runtime.ts';
import type { HostConsole } from './console.ts';
import { Idler } from './idler.ts';

/** Log levels, the gravest first. */
export const LOG_LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug', 'trace'];

/** Where log lines go. */
export type LogSink = (level: LogLevel, source: string, message: string) => void;

/** The runtime's own console: standard error in Node for errors and warnings, the developer tools in a browser. */
export const runtimeLogSink: LogSink = (level, source, message) => {
  const method = level === 'trace' ? 'debug' : level;
  runtime.console[method](`[${level}] ${source}: ${message}`);
};

export interface HostParts {
  readonly cpus: number;
  readonly cpu: number;
  readonly console: HostConsole;
  readonly time: Time;
  readonly logLevel: LogLevel;
  readonly logSink: LogSink;
}

export function createHost({ cpus, cpu, console, time, logLevel, logSink }: HostParts): Host {
  const idler = new Idler();
  const verbosity = LOG_LEVELS.indexOf(logLevel);
  console.onInput(() => idler.wake());
  return {
    getHostCpuNum: () => cpus,
    thisCpuId: () => cpu,
    consoleWrite: (bytes) => console.write(bytes),
    consoleRead: () => console.read(),
    idle: async (until) => {
      if (until === undefined) {
        const drained = console.drained?.();
        if (drained === undefined) return idler.turn();
        void drained.then(() => idler.wake());
        return idler.sleep(Infinity);
      }
      if (until === 'forever') return idler.sleep(Infinity);
      if (time.isVirtualClock()) {
        // Nothing else moves virtual time while the CPU idles; I/O gets its turn first.
        await idler.turn();
        time.skipTo(until);
        return;
      }
      await idler.sleep((Number(until - time.currentTicks()) * 1000) / Number(time.tickFrequency()));
    },
    wake: () => idler.wake(),
    log: (level, source, message) => {
      if (LOG_LEVELS.indexOf(level) <= verbosity) logSink(level, source, message);
    },
  };
}
