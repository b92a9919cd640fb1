/**
 * V8's own threads, which compile and collect garbage beside the guest. Node starts four whatever the machine has. Where it has fewer
 * processors than that to spare they take turns with the vCPU: on two processors a boot takes a tenth longer.
 */
import { availableParallelism } from 'node:os';

const OPTION = '--v8-pool-size';
/** MiB that V8's young objects have from the start on. Usually they get room by and by, after some ten collections while the hypervisor is loaded. */
const YOUNG = '--min-semi-space-size=4';
/** Threads that Node starts by itself. */
const USUAL = 4;

/**
 * Starts this process over with no more of them than there are processors besides one, if that is fewer and nobody chose a number: how
 * many there are can only be said when Node starts. To be called first of all. Without effect where a process cannot be replaced.
 */
export function limitPool(): void {
  const threads = Math.max(1, availableParallelism() - 1);
  const chosen = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((option) => option.includes(OPTION));
  if (threads >= USUAL || chosen || process.connected || process.platform === 'win32' || typeof process.execve !== 'function') return;
  const [, ...args] = process.argv;
  process.execve(process.execPath, [process.execPath, `${OPTION}=${threads}`, YOUNG, ...process.execArgv, ...args], process.env);
}
