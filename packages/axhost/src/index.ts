/** The JavaScript runtime as a host: physical memory, time, CPUs and console. */
export { component, createComponent, type HostOptions } from './component.ts';
export { createTime } from './time/index.ts';
export type { Clock } from './time/clock.ts';
export { memoryConsole, type HostConsole, type MemoryConsole } from './host/console.ts';
export { runtimeLogSink, type LogSink } from './host/index.ts';
export { createHostShare, failCpu, type HostShare } from './smp/share.ts';
export { threadObstacle, usableThreads } from './smp/support.ts';
