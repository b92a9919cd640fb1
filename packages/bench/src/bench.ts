/** The suites: who runs what, one after the other, and what comes out. */

import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageError, openImage } from '@axvisor/axvisor/images';
import { axvisorCommand, qemuCommand, toolchains, type BenchArchitecture, type GuestFiles } from './contenders.ts';
import { compileGuest, compileNative, kernels, type Kernel } from './kernels.ts';
import { BenchError, isInstalled, measure, type Command, type Span } from './process.ts';
import { geometricMean, median, significant } from './statistics.ts';

/** One line of the result; seconds. */
export interface BenchResult {
  readonly name: string;
  readonly us: number;
  readonly qemu: number | null;
  readonly native: number | null;
  /** QEMU's time divided by ours. */
  readonly ratio: number | null;
}

/** What a bench says. */
export interface BenchReport {
  readonly arch: BenchArchitecture;
  /** Processor and number of them. */
  readonly machine: string;
  readonly suite: Suite;
  readonly results: readonly BenchResult[];
  readonly geomean_vs_qemu: number | null;
}

/** Suites by name. */
export const SUITES = ['kernels', 'boot'] as const;

export type Suite = (typeof SUITES)[number];

/** What to measure. */
export interface BenchOptions {
  readonly arch: BenchArchitecture;
  readonly suite: Suite;
  /** How often each contender runs each thing. */
  readonly runs: number;
  /** Kernels to run; all when absent. */
  readonly only?: readonly Kernel[] | undefined;
  /** How many times over each kernel does its work. */
  readonly scale: number;
  /** For one run, in seconds. */
  readonly timeout: number;
  /** Told what is going on. */
  readonly note?: ((line: string) => void) | undefined;
}

/** The contenders of one thing to be measured; QEMU and the machine itself may be missing. */
interface Contest {
  readonly name: string;
  readonly span: Span;
  readonly us: Command;
  readonly qemu: Command | undefined;
  readonly native: Command | undefined;
}

const CONTENDERS = ['us', 'qemu', 'native'] as const;
type Contender = (typeof CONTENDERS)[number];

const KERNEL_SPAN: Span = { from: /^begin\r?$/m, to: /^checksum ([0-9a-f]{16})\r?$/m };

/** Memory of the guests, in MiB. */
const KERNEL_MEMORY = 128;
const BOOT_MEMORY = 256;

async function hold(contest: Contest, options: BenchOptions): Promise<BenchResult> {
  const seconds: Record<Contender, number[]> = { us: [], qemu: [], native: [] };
  const said = new Map<string, Contender>();
  for (let run = 0; run < options.runs; run++) {
    for (const contender of CONTENDERS) {
      const command = contest[contender];
      if (command === undefined) continue;
      const timing = await measure(`${contest.name}, ${contender}`, command, contest.span, options.timeout);
      seconds[contender].push(timing.seconds);
      said.set(timing.match, contender);
      options.note?.(`${contest.name} ${run + 1}/${options.runs} ${contender} ${timing.seconds.toFixed(3)} s`);
      if (said.size > 1) throw new BenchError(`${contest.name}: the results differ: ${[...said].map(([what, who]) => `${who} ${what}`).join(', ')}`);
    }
  }
  const middle = (contender: Contender): number | null => (seconds[contender].length === 0 ? null : significant(median(seconds[contender])));
  const us = significant(median(seconds.us));
  const qemu = middle('qemu');
  return { name: contest.name, us, qemu, native: middle('native'), ratio: qemu === null ? null : significant(qemu / us) };
}

async function kernelContests(options: BenchOptions, withQemu: boolean, folder: string): Promise<Contest[]> {
  const { arch, scale, timeout } = options;
  const { compiler } = toolchains[arch];
  if (!(await isInstalled(compiler))) throw new BenchError(`${compiler} is not on this machine: on Debian, install gcc-riscv64-linux-gnu`);
  const withNative = await isInstalled('gcc');
  const contests: Contest[] = [];
  for (const name of options.only ?? kernels) {
    const guest: GuestFiles = { kernel: await compileGuest(name, arch, scale, folder), memory: KERNEL_MEMORY };
    const native = withNative ? { program: await compileNative(name, scale, folder), args: [] } : undefined;
    contests.push({ name, span: KERNEL_SPAN, us: axvisorCommand(arch, guest, timeout), qemu: withQemu ? qemuCommand(arch, guest) : undefined, native });
  }
  return contests;
}

async function bootContests(options: BenchOptions, withQemu: boolean): Promise<Contest[]> {
  const { arch, timeout } = options;
  const image = await openImage(toolchains[arch].bootImage).catch((error: unknown) => {
    throw error instanceof ImageError ? new BenchError(error.message, { cause: error }) : error;
  });
  const guest: GuestFiles = { kernel: image.kernel, initrd: image.initramfs, append: image.append, memory: BOOT_MEMORY };
  const marker = image.spec.boot?.marker ?? '';
  const span: Span = { to: new RegExp(marker.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')) };
  return [{ name: image.spec.name, span, us: axvisorCommand(arch, guest, timeout), qemu: withQemu ? qemuCommand(arch, guest) : undefined, native: undefined }];
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
    const contests = suite === 'kernels' ? await kernelContests(options, withQemu, folder) : await bootContests(options, withQemu);
    const results: BenchResult[] = [];
    for (const contest of contests) results.push(await hold(contest, options));
    const ratios = results.flatMap(({ ratio }) => (ratio === null ? [] : [ratio]));
    const mean = geometricMean(ratios);
    const processors = cpus();
    const machine = `${processors[0]?.model.trim() ?? 'unknown'}, ${processors.length} CPUs`;
    return { arch, machine, suite, results, geomean_vs_qemu: mean === null ? null : significant(mean) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The report as a table for people. */
export function table(report: BenchReport): string {
  const cell = (value: number | null, digits: number): string => (value === null ? '-' : value.toFixed(digits));
  const rows = [
    ['', 'us [s]', 'QEMU [s]', 'native [s]', 'QEMU/us'],
    ...report.results.map((r) => [r.name, cell(r.us, 3), cell(r.qemu, 3), cell(r.native, 3), cell(r.ratio, 3)]),
    ['geometric mean', '', '', '', cell(report.geomean_vs_qemu, 3)],
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => row.map((text, column) => (column === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[column]!))).join('  '));
  return `${[`${report.suite}, ${report.arch} on ${report.machine}`, ...lines].join('\n')}\n`;
}
