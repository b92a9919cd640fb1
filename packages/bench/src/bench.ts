/** The suites by name, and the report that comes out. */

import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { toolchains, type BenchArchitecture } from './contenders.ts';
import { hold, type BenchResult, type Contest, type SuiteOptions } from './contest.ts';
import { isInstalled } from './process.ts';
import { geometricMean, significant } from './statistics.ts';
import { bootContests, linuxContests, smpContests } from './suites/debian.ts';
import { exitContests } from './suites/exits.ts';
import { kernelContests } from './suites/kernels.ts';

/** What a bench says. */
export interface BenchReport {
  readonly arch: BenchArchitecture;
  /** Processor and number of them. */
  readonly machine: string;
  readonly suite: Suite;
  readonly results: readonly BenchResult[];
  readonly geomean_vs_qemu: number | null;
  readonly geomean_vs_v86: number | null;
}

/** Suites by name. */
export const SUITES = ['kernels', 'boot', 'linux', 'smp', 'exits'] as const;

export type Suite = (typeof SUITES)[number];

const CONTESTS: Readonly<Record<Suite, (options: SuiteOptions) => Promise<Contest[]>>> = {
  kernels: kernelContests,
  boot: bootContests,
  linux: linuxContests,
  smp: smpContests,
  exits: exitContests,
};

/** What to measure. */
export interface BenchOptions extends Omit<SuiteOptions, 'withQemu' | 'folder'> {
  readonly suite: Suite;
}

/**
 * Measures.
 *
 * @throws {BenchError} when a tool is missing, a contender fails, or results differ
 */
export async function bench(options: BenchOptions): Promise<BenchReport> {
  const { arch, suite } = options;
  const withQemu = await isInstalled(toolchains[arch].qemu);
  if (!withQemu) options.note?.(`${toolchains[arch].qemu} is not on this machine: nothing to compare with`);
  const folder = await mkdtemp(join(tmpdir(), 'axvisor-bench-'));
  try {
    const suiteOptions = { ...options, withQemu, folder };
    const results: BenchResult[] = [];
    for (const contest of await CONTESTS[suite](suiteOptions)) results.push(...(await hold(contest, suiteOptions)));
    const mean = (key: 'ratio' | 'ratio_v86'): number | null => {
      const value = geometricMean(results.flatMap((result) => result[key] ?? []));
      return value === null ? null : significant(value);
    };
    const processors = cpus();
    const machine = `${processors[0]?.model.trim() ?? 'unknown'}, ${processors.length} CPUs`;
    return { arch, machine, suite, results, geomean_vs_qemu: mean('ratio'), geomean_vs_v86: mean('ratio_v86') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The report as a table for people; below a millisecond in µs. */
export function table(report: BenchReport): string {
  const time = (value: number | null): string => (value === null ? '-' : value < 1e-3 ? `${(value * 1e6).toFixed(2)} µs` : `${value.toFixed(3)} s`);
  const ratio = (value: number | null): string => (value === null ? '-' : value.toFixed(3));
  const columns: readonly (readonly [head: string, cell: (result: BenchResult) => string, mean?: number | null])[] = [
    ['us', (r) => time(r.us)],
    ['QEMU', (r) => time(r.qemu)],
    ...(report.geomean_vs_v86 === null ? [] : [['v86', (r: BenchResult) => time(r.v86)] as const]),
    ['native', (r) => time(r.native)],
    ['QEMU/us', (r) => ratio(r.ratio), report.geomean_vs_qemu],
    ...(report.geomean_vs_v86 === null ? [] : [['v86/us', (r: BenchResult) => ratio(r.ratio_v86), report.geomean_vs_v86] as const]),
  ];
  const rows = [
    ['', ...columns.map(([head]) => head)],
    ...report.results.map((r) => [r.name, ...columns.map(([, cell]) => cell(r))]),
    ['geometric mean', ...columns.map(([, , mean]) => (mean === undefined ? '' : ratio(mean)))],
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => row.map((text, column) => (column === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[column]!))).join('  '));
  return `${[`${report.suite}, ${report.arch} on ${report.machine}`, ...lines].join('\n')}\n`;
}
