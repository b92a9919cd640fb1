/** Measures axvisor side by side with QEMU and the machine itself. */
export { bench, SUITES, table, type BenchOptions, type BenchReport, type Suite } from './bench.ts';
export type { BenchResult } from './contest.ts';
export { ARCHITECTURES, type BenchArchitecture } from './contenders.ts';
export { kernels, type Kernel } from './kernels.ts';
export { BenchError } from './process.ts';
