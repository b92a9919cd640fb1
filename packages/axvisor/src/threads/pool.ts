/**
 * V8's own threads, which compile and collect garbage beside the guest. Node starts four whatever the machine has. Where it has fewer
 * processors than that to spare they would take turns with the vCPU, of which a boot takes a tenth longer; with a single one, code that a guest
 * executes waits while the interpreter is optimized. On Linux they can stand back: threads have priorities of their own there.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { availableParallelism, setPriority } from 'node:os';

/** Node's option for how many there are. */
export const POOL_SIZE = '--v8-pool-size';
/** Threads that Node starts by itself. */
const USUAL = 4;
/** Their nice value: a third of the time where they share a processor, which is enough for threads that wait for what they do. */
const NICE = 5;
/** This process's threads. */
const TASKS = '/proc/self/task';

/** Numbers of V8's threads; none where there is no telling. */
function threadsOfV8(): number[] {
  try {
    return readdirSync(TASKS).filter((task) => readFileSync(`${TASKS}/${task}/comm`, 'latin1').includes('V8Worker')).map(Number);
  } catch {
    return [];
  }
}

/** The option for fewer of them, unless somebody chose a number: as many as processors where they stand back, else one fewer. None where there are no more anyway. */
export function poolOptions(): readonly string[] {
  const processors = availableParallelism();
  const threads = Math.max(1, threadsOfV8().length > 0 ? processors : processors - 1);
  const chosen = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((option) => option.includes(POOL_SIZE));
  return threads < USUAL && !chosen ? [`${POOL_SIZE}=${threads}`] : [];
}

/** Lets them stand back if there are as many as processors or more, with others for the vCPU. */
export function standBack(): void {
  const tasks = threadsOfV8();
  if (tasks.length < availableParallelism()) return;
  try {
    for (const task of tasks) setPriority(task, NICE);
  } catch {
    // As it was.
  }
}
