/** A thread that compiles the translations of all guest CPUs, in Node. */
import { Worker } from 'node:worker_threads';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import { connectCompiler, createCompilerShare, type CompilerShare, type RegionCompiler } from '@axvisor/softcpu';

/** What the thread knows from its start. */
export interface CompilerThreadData {
  readonly arch: Architecture;
  readonly share: CompilerShare;
}

/** As this module itself: from source, or compiled. */
const PROGRAM = new URL(import.meta.url.endsWith('.ts') ? './compiler_thread.ts' : './compiler_thread.js', import.meta.url);

/** The thread, until it is disposed of. */
export class CompilerThread implements AsyncDisposable {
  /** What guest CPUs on other threads connect to it with. */
  readonly share: CompilerShare;
  readonly #worker: Worker;

  constructor(arch: Architecture, guestCpus: number) {
    this.share = createCompilerShare(guestCpus);
    this.#worker = new Worker(PROGRAM, { name: 'compiler', workerData: { arch, share: this.share } satisfies CompilerThreadData });
    this.#worker.unref();
  }

  /** The compiler of a guest CPU that is this thread. */
  connect(cpu: number): RegionCompiler {
    return connectCompiler(this.share, cpu);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
