/** A thread that compiles the translations of all guest CPUs, in Node. */
import { MessageChannel, Worker, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import type { CompiledBatch, RegionCompiler } from '@axvisor/softcpu';

/** One CPU's end of its channel to the thread. May be transferred. */
export interface CompilerPort {
  readonly port: MessagePort;
  /** Batches that were answered, modulo 2^32: asking costs less than looking for a message. */
  readonly answered: Int32Array;
}

/** Why a batch was not compiled. */
export interface CompileFailure {
  readonly failure: string;
}

/** What the thread knows from its start. */
export interface CompilerThreadData {
  readonly arch: Architecture;
}

/** As this module itself: from source, or compiled. */
const PROGRAM = new URL(import.meta.url.endsWith('.ts') ? './compiler_thread.ts' : './compiler_thread.js', import.meta.url);

/** The thread, until it is disposed of. */
export class CompilerThread implements AsyncDisposable {
  readonly #worker: Worker;

  constructor(arch: Architecture) {
    this.#worker = new Worker(PROGRAM, { name: 'compiler', workerData: { arch } satisfies CompilerThreadData });
    this.#worker.unref();
  }

  /** Opens a channel for one more CPU. */
  connect(): CompilerPort {
    const { port1, port2 } = new MessageChannel();
    const answered = new Int32Array(new SharedArrayBuffer(4));
    this.#worker.postMessage({ port: port2, answered } satisfies CompilerPort, [port2]);
    return { port: port1, answered };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

/** The compiler of the CPU whose end this is. */
export function connectedCompiler({ port, answered }: CompilerPort): RegionCompiler {
  let taken = 0;
  return {
    submit: (batch) => port.postMessage(batch),
    take: () => {
      if (Atomics.load(answered, 0) === taken) return undefined;
      taken = (taken + 1) | 0;
      const { message } = receiveMessageOnPort(port) as { readonly message: CompiledBatch | CompileFailure };
      if ('failure' in message) throw new Error(`a translation could not be compiled: ${message.failure}`);
      return message;
    },
  };
}
