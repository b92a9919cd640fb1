/** The program of the thread that compiles translations. */
import { parentPort, workerData } from 'node:worker_threads';
import type { RegionBatch } from '@axvisor/softcpu';
import { saveCompiled, useCompileCache } from '../compile_cache.ts';
import type { BatchCompiler } from '../compose/index.ts';
import type { CompileFailure, CompilerPort, CompilerThreadData } from './compiler.ts';

useCompileCache();
const { arch } = workerData as CompilerThreadData;
const { loadCompiler } = await import('../compose/index.ts');
const compileBatch = await loadCompiler(arch);
saveCompiled();

function answer(compile: BatchCompiler, batch: RegionBatch): ReturnType<BatchCompiler> | CompileFailure {
  try {
    return compile(batch);
  } catch (e) {
    return { failure: e instanceof Error ? (e.stack ?? e.message) : String(e) };
  }
}

parentPort?.on('message', ({ port, answered }: CompilerPort) => {
  port.on('message', (batch: RegionBatch) => {
    port.postMessage(answer(compileBatch, batch), []);
    Atomics.add(answered, 0, 1);
  });
});
