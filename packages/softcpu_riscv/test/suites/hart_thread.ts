/** A thread with a hart that runs test programs, see `harts.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { SuiteRunner, type Verdict } from '../../src/testing/index.ts';
import { readProgram } from './folder.ts';
import type { HartThreadData, ProgramPath } from './harts.ts';

const { engine, programs, memories, number, first } = workerData as HartThreadData;
const runner = new SuiteRunner(engine, { memories, number });
const verdicts: Verdict[] = [];
for (let i = 0; i < programs.length; i++) {
  const at = (first + i) % programs.length;
  verdicts[at] = runner.run(readProgram(...(programs[at] as ProgramPath)));
}
parentPort?.postMessage(verdicts, []);
