/** A contest: the same jobs for each contender, one after the other, and the medians that come out. */

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchArchitecture } from './contenders.ts';
import type { Kernel } from './kernels.ts';
import { BenchError, measure, type Command, type Span } from './process.ts';
import { median, significant } from './statistics.ts';

/** One line of the result; seconds. */
export interface BenchResult {
  readonly name: string;
  readonly us: number;
  readonly qemu: number | null;
  readonly v86: number | null;
  readonly native: number | null;
  /** QEMU's time divided by ours. */
  readonly ratio: number | null;
  /** v86's time divided by ours. */
  readonly ratio_v86: number | null;
}

/** What a suite needs to know. */
export interface SuiteOptions {
  readonly arch: BenchArchitecture;
  /** How often each contender runs each thing. */
  readonly runs: number;
  /** Kernels to run; all when absent. */
  readonly only?: readonly Kernel[] | undefined;
  /** How many times over the work is done. */
  readonly scale: number;
  /** For one run, in seconds. */
  readonly timeout: number;
  /** Measure what was built instead of the sources. */
  readonly built?: boolean | undefined;
  /** Each run of ours is the first one on a machine: nothing was compiled or translated before. */
  readonly first?: boolean | undefined;
  /** Whether QEMU is there. */
  readonly withQemu: boolean;
  /** A folder for files, which is deleted afterwards. */
  readonly folder: string;
  /** Told what is going on. */
  readonly note?: ((line: string) => void) | undefined;
}

/** Something of which the time is taken. */
export interface Job {
  readonly name: string;
  readonly span: Span;
  /** The result is the time of one of so many operations; 1 when absent. */
  readonly operations?: number;
}

const CONTENDERS = ['us', 'qemu', 'v86', 'native'] as const;
type Contender = (typeof CONTENDERS)[number];

/** Jobs that one run of each contender does; all but ourselves may be missing. */
export interface Contest extends Readonly<Partial<Record<Contender, Command | undefined>>> {
  readonly jobs: readonly Job[];
  readonly us: Command;
}

/**
 * Runs every contender in turn, `runs` times.
 *
 * @throws {BenchError} when a contender fails or the results differ
 */
export async function hold({ jobs, ...commands }: Contest, options: SuiteOptions): Promise<BenchResult[]> {
  const what = jobs.map(({ name }) => name).join(', ');
  const times = jobs.map((): Record<Contender, number[]> => ({ us: [], qemu: [], v86: [], native: [] }));
  const said = jobs.map(() => new Map<string, Contender>());
  for (let run = 0; run < options.runs; run++) {
    for (const contender of CONTENDERS) {
      const command = commands[contender];
      if (command === undefined) continue;
      const env = contender === 'us' && options.first === true ? { NODE_COMPILE_CACHE: await mkdtemp(join(options.folder, 'first-')) } : undefined;
      const timings = await measure(`${what}, ${contender}`, { ...command, env }, jobs.map(({ span }) => span), options.timeout);
      timings.forEach(({ seconds, match }, i) => {
        const { name, operations = 1 } = jobs[i] as Job;
        times[i]?.[contender].push(seconds / operations);
        options.note?.(`${name} ${run + 1}/${options.runs} ${contender} ${seconds.toFixed(3)} s`);
        said[i]?.set(match, contender);
      });
      said.forEach((results, i) => {
        if (results.size > 1) throw new BenchError(`${jobs[i]?.name}: the results differ: ${[...results].map(([result, who]) => `${who} ${result}`).join(', ')}`);
      });
    }
  }
  return jobs.map(({ name }, i) => {
    const middle = (contender: Contender): number | null => {
      const all = times[i]?.[contender] ?? [];
      return all.length === 0 ? null : significant(median(all));
    };
    const us = middle('us') as number;
    const qemu = middle('qemu');
    const v86 = middle('v86');
    const ratio = (other: number | null): number | null => (other === null ? null : significant(other / us));
    return { name, us, qemu, v86, native: middle('native'), ratio: ratio(qemu), ratio_v86: ratio(v86) };
  });
}
