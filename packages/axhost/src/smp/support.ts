/** Whether this runtime lets threads share memory and wait for each other: what vCPUs on threads need. */
import { runtimeLogSink, type LogSink } from '../host/index.ts';
import { runtime } from '../runtime.ts';

/** What keeps vCPUs of a hypervisor that is linked in this thread from running on others, if anything does. */
export function threadObstacle(): string | undefined {
  // Pages without the headers Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy; no such thing in Node.
  if (runtime.crossOriginIsolated === false) return 'this page is not cross-origin isolated, so that its threads share no memory';
  if (runtime.SharedArrayBuffer === undefined) return 'this runtime shares no memory between threads';
  if ((Atomics as { readonly waitAsync?: unknown }).waitAsync === undefined) return 'this runtime has no Atomics.waitAsync';
  if (runtime.document !== undefined) return "a page's own thread may not block; link the hypervisor in a worker";
  return undefined;
}

/** How many of `wanted` threads can run vCPUs: all, or, as it then says, 1: this one, in slices. */
export function usableThreads(wanted: number, log: LogSink = runtimeLogSink): number {
  const obstacle = wanted > 1 ? threadObstacle() : undefined;
  if (obstacle === undefined) return wanted;
  log('warn', 'axhost', `vCPUs run in slices on one thread instead of on ${wanted}: ${obstacle}`);
  return 1;
}
