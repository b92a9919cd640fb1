/**
 * V8's own threads, which compile and collect garbage beside the guest. Node starts four whatever the machine has. Where it has fewer
 * processors than that to spare they would take turns with the vCPU, of which a boot takes a tenth longer; with a single one, code that a guest
 * executes waits while the interpreter is optimized. On Linux they can stand back: threads have priorities of their own there.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { availableParallelism, setPriority } from 'node:os';

const OPTION = '--v8-pool-size';
/** MiB that V8's young objects have from the start on. Usually they get room by and by, after some ten collections while the hypervisor is loaded. */
const YOUNG = '--min-semi-space-size=4';
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

/**
 * Lets them stand back if there are as many as processors or more, with others for the vCPU; starts this process over with fewer of them if nobody
 * chose a number, as how many there are can only be said when Node starts: as many as processors where they stand back, else one fewer. To be called
 * first of all. Without effect where a process cannot be replaced.
 */
export function limitPool(): void {
  const processors = availableParallelism();
  const tasks = threadsOfV8();
  const threads = Math.max(1, tasks.length > 0 ? processors : processors - 1);
  const chosen = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((option) => option.includes(OPTION));
  if (threads < USUAL && !chosen && !process.connected && process.platform !== 'win32' && typeof process.execve === 'function') {
    const [, ...args] = process.argv;
    process.execve(process.execPath, [process.execPath, `${OPTION}=${threads}`, YOUNG, ...process.execArgv, ...args], process.env);
  }
  if (tasks.length < processors) return;
  try {
    for (const task of tasks) setPriority(task, NICE);
  } catch {
    // As it was.
  }
}
