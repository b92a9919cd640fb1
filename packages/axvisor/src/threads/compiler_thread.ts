/** The program of the thread that compiles translations. */
import { workerData, type MessagePort } from 'node:worker_threads';
import { CompilerService } from '@axvisor/softcpu';
import { saveCompiled, useCompileCache } from '../compile_cache.ts';
import { keptRegions } from '../kept/regions.ts';
import type { CompilerThreadData } from './compiler.ts';

useCompileCache();
const { arch, share, ports } = workerData as CompilerThreadData;
const { loadCompiler } = await import('../compose/index.ts');
const compileBatch = await loadCompiler(arch);
saveCompiled();
new CompilerService(share, compileBatch, (cpu, module) => (ports[cpu] as MessagePort).postMessage(module, []), keptRegions(arch)).run();
