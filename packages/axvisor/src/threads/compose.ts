/** A hypervisor whose vCPUs run on threads: this thread keeps the virtual machines, the others run their vCPUs. */
import { createHostShare, type HostOptions } from '@axvisor/axhost';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import type { PerCpuAreas } from '@axvisor/percpu';
import { compose } from '../compose/index.ts';
import type { ProcessorOptions } from '../compose/options.ts';
import type { CompilerThread } from './compiler.ts';
import { interpreterStore } from '../kept/interpreters.ts';
import { CpuThreads } from './start.ts';

export interface ThreadedOptions {
  /** Physical memory in bytes. */
  readonly memory: number;
  /** Threads that run vCPUs. */
  readonly guestCpus: number;
  readonly console: NonNullable<HostOptions['console']>;
  readonly logLevel: NonNullable<HostOptions['logLevel']>;
  readonly processor: ProcessorOptions;
  /** Compiles translations; default: each thread its own. */
  readonly compiler?: CompilerThread | undefined;
  /** What a guest CPU's thread executes, if not its own program. */
  readonly program?: URL;
}

/** Links this thread and starts the others, which the result ends. */
export async function composeThreads(arch: Architecture, { memory, guestCpus, console, logLevel, processor, compiler, program }: ThreadedOptions): Promise<CpuThreads> {
  const share = createHostShare({ memory, guestCpus });
  // They load their program while this thread is linked.
  const threads = new CpuThreads(arch, share, program);
  try {
    let areas: PerCpuAreas | undefined;
    await compose(arch, { share, cpu: guestCpus, console, logLevel }, { ...processor, ...interpreterStore() }, { onPerCpu: (created) => (areas = created) });
    areas?.initInPlace();
    const percpu = areas?.share();
    if (percpu === undefined) throw new RangeError(`the hypervisor for ${arch} has no per-CPU areas`);
    threads.run({ processor, percpu, logLevel }, compiler);
    return threads;
  } catch (e) {
    await threads[Symbol.asyncDispose]();
    throw e;
  }
}
