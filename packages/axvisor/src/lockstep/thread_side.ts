/** A side that runs in a thread of its own. */
import { MessageChannel, Worker } from 'node:worker_threads';
import type { RawRunOptions } from '../commands/run_options.ts';
import type { MachineData } from './machine.ts';
import type { MachineState, Side } from './state.ts';

/** The thread's program: beside this file, source or built. */
const PROGRAM = new URL(`./worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** Starts a side. @param program - for tests: another program that does the same but for a fault */
export function threadSide(name: string, files: readonly string[], options: RawRunOptions, program: URL = PROGRAM): Side {
  const { port1, port2 } = new MessageChannel();
  const signal = new Int32Array(new SharedArrayBuffer(4));
  const workerData: MachineData = { files, options, port: port2, signal };
  const worker = new Worker(program, { workerData, transferList: [port2] });
  const failed = new Promise<never>((_resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`side ${name} ended with ${code}`)));
  });
  // Nobody may be waiting when it fails, and it is ended by force.
  failed.catch(() => {});
  return {
    name,
    run: (order) => {
      const answer = new Promise<MachineState>((resolve) => port1.once('message', resolve));
      port1.postMessage(order);
      Atomics.add(signal, 0, 1);
      Atomics.notify(signal, 0);
      return Promise.race([answer, failed]);
    },
    close: async () => {
      port1.close();
      await worker.terminate();
    },
  };
}
