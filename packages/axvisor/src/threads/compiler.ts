/** A thread that compiles the translations of all guest CPUs, in Node. */
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import { connectCompiler, createCompilerShare, type CompilerShare, type RegionCompiler, type WasmModule } from '@axvisor/softcpu';
import { keptMarks } from '../kept/marks.ts';

/** What the thread knows from its start. */
export interface CompilerThreadData {
  readonly arch: Architecture;
  readonly share: CompilerShare;
  /** Where the modules for each guest CPU are posted. */
  readonly ports: readonly MessagePort[];
}

/** What a guest CPU connects to the thread with. May be posted to its thread, with its port transferred. */
export interface CompilerLink {
  readonly arch: Architecture;
  readonly share: CompilerShare;
  readonly port: MessagePort;
}

/** As this module itself: from source, or compiled. */
const PROGRAM = new URL(import.meta.url.endsWith('.ts') ? './compiler_thread.ts' : './compiler_thread.js', import.meta.url);

/** The compiler of guest CPU `cpu`. Modules come as such: making one of its bytes would take the guest's time. */
export const connectLink = ({ arch, share, port }: CompilerLink, cpu: number): RegionCompiler =>
  connectCompiler(share, cpu, () => (receiveMessageOnPort(port) as { readonly message: WasmModule }).message, keptMarks(arch));

/** The thread, until it is disposed of. */
export class CompilerThread implements AsyncDisposable {
  readonly #arch: Architecture;
  readonly #share: CompilerShare;
  readonly #ports: readonly MessagePort[];
  readonly #worker: Worker;

  constructor(arch: Architecture, guestCpus: number) {
    this.#arch = arch;
    this.#share = createCompilerShare(guestCpus);
    const channels = Array.from({ length: guestCpus }, () => new MessageChannel());
    this.#ports = channels.map(({ port1 }) => port1);
    const ports = channels.map(({ port2 }) => port2);
    this.#worker = new Worker(PROGRAM, { name: 'compiler', workerData: { arch, share: this.#share, ports } satisfies CompilerThreadData, transferList: ports });
    this.#worker.unref();
  }

  /** To be used once for each guest CPU, by its thread. */
  link(cpu: number): CompilerLink {
    return { arch: this.#arch, share: this.#share, port: this.#ports[cpu] as MessagePort };
  }

  /** The compiler of a guest CPU that is this thread. */
  connect(cpu: number): RegionCompiler {
    return connectLink(this.link(cpu), cpu);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
