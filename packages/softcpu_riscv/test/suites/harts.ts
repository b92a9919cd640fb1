/** Test programs on several harts at once, each on a thread of its own, in one linear memory. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Execution } from '@axvisor/softcpu';
import { createMachineMemory, type SuiteMemories, type Verdict } from '../../src/testing/index.ts';

/** A program, by its folder and file. */
export type ProgramPath = readonly [folder: string, file: string];

/** What a thread is given: it runs all programs, beginning with another one than the others. */
export interface HartThreadData {
  readonly engine: Execution;
  readonly programs: readonly ProgramPath[];
  readonly memories: SuiteMemories;
  readonly number: number;
  readonly first: number;
}

/** One verdict for each program: it passed if it did on all harts. */
export async function runOnHarts(harts: number, engine: Execution, programs: readonly ProgramPath[]): Promise<Verdict[]> {
  const memories: SuiteMemories = { handled: createMachineMemory({ machines: harts }), trap: createMachineMemory({ machines: harts }) };
  const all = await Promise.all(
    Array.from({ length: harts }, async (_, number) => {
      const first = Math.floor((number * programs.length) / harts);
      const worker = new Worker(new URL('./hart_thread.ts', import.meta.url), { workerData: { engine, programs, memories, number, first } satisfies HartThreadData });
      let verdicts: readonly Verdict[] | undefined;
      worker.once('message', (told: readonly Verdict[]) => (verdicts = told));
      await once(worker, 'exit');
      if (verdicts === undefined) throw new Error(`the thread of hart ${number} ended without a word`);
      return verdicts;
    }),
  );
  return programs.map((_, i) => {
    const verdicts = all.map((of) => of[i] as Verdict);
    const failed = verdicts.findIndex(({ verdict }) => verdict === 'failed');
    const instructions = verdicts.reduce((sum, v) => sum + v.instructions, 0);
    const shown = verdicts[Math.max(0, failed)] as Verdict;
    return { ...shown, detail: failed < 0 ? shown.detail : `hart ${failed}: ${shown.detail}`, instructions };
  });
}
