/** Threads for guest CPUs, in Node. */
import { Worker } from 'node:worker_threads';
import { failCpu, type HostOptions, type HostShare } from '@axvisor/axhost';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import type { PerCpuShare } from '@axvisor/percpu';
import type { ProcessorOptions } from '../compose/options.ts';
import type { CompilerLink, CompilerThread } from './compiler.ts';

/** What a thread knows from its start. */
export interface CpuThreadData {
  readonly arch: Architecture;
  readonly share: HostShare;
  readonly cpu: number;
}

/** What it waits for. */
export interface CpuThreadOrder {
  readonly processor: ProcessorOptions;
  readonly percpu: PerCpuShare;
  readonly logLevel: NonNullable<HostOptions['logLevel']>;
  /** Where translations are compiled, if not in the thread itself. */
  readonly compiler?: CompilerLink;
}

/** As this module itself: from source, or compiled. */
const PROGRAM = new URL(import.meta.url.endsWith('.ts') ? './cpu_thread.ts' : './cpu_thread.js', import.meta.url);

/** Threads that run until they are disposed of. One that ends by itself is reported to the monitor, which fails its VMs. */
export class CpuThreads implements AsyncDisposable {
  readonly #workers: readonly Worker[];
  #stopping = false;

  constructor(arch: Architecture, share: HostShare, program: URL = PROGRAM) {
    this.#workers = Array.from({ length: share.guestCpus }, (_, cpu) => {
      const worker = new Worker(program, { name: `cpu${cpu}`, workerData: { arch, share, cpu } satisfies CpuThreadData });
      let failed = false;
      const fail = (reason: string): void => {
        if (!this.#stopping && !failed) failCpu(share, cpu, reason);
        failed = true;
      };
      worker.on('error', (e) => fail(e instanceof Error ? (e.stack ?? e.message) : String(e)));
      worker.on('exit', (code) => fail(`exit status ${code}`));
      return worker;
    });
  }

  /** Lets them run, once what they share is there. @param compiler - absent: each compiles its translations itself. */
  run(order: Omit<CpuThreadOrder, 'compiler'>, compiler?: CompilerThread): void {
    for (const [cpu, worker] of this.#workers.entries()) {
      const link = compiler?.link(cpu);
      if (link === undefined) worker.postMessage(order, []);
      else worker.postMessage({ ...order, compiler: link } satisfies CpuThreadOrder, [link.port]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
