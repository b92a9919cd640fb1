/** A guest CPU's thread that fails: CPU 1 at its tenth sleep, CPU 2 at once. */
import { workerData } from 'node:worker_threads';

const { cpu } = workerData as { readonly cpu: number };
if (cpu === 2) throw new Error('not today');
if (cpu === 1) {
  const { wait } = Atomics;
  let left = 10;
  Object.defineProperty(Atomics, 'wait', {
    value: (...args: Parameters<typeof wait>) => {
      if (left-- === 0) throw new Error('out of luck');
      return wait(...args);
    },
  });
}
await import('../../src/threads/cpu_thread.ts');
