/** The program of a thread that is a guest CPU. */
import { once } from 'node:events';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { saveCompiled, useCompileCache } from '../compile_cache.ts';
import { interpreterStore } from '../kept/interpreters.ts';
import { connectLink } from './compiler.ts';
import type { CpuThreadData, CpuThreadOrder } from './start.ts';

const { arch, share, cpu } = workerData as CpuThreadData;
const told = once(parentPort as MessagePort, 'message') as Promise<[CpuThreadOrder]>;
useCompileCache();
const { loadCpu } = await import('../compose/index.ts');
const compose = await loadCpu(arch);
saveCompiled();
const [{ processor, percpu, logLevel, compiler }] = await told;
compose({
  host: { share, cpu, logLevel },
  processor: { ...processor, ...interpreterStore(), ...(compiler === undefined ? {} : { compiler: connectLink(compiler, cpu) }) },
  percpu,
})();
