/** The part of the logical processor that compiles translations on another thread: nothing else of it is loaded. */
import { compileBatch as compile, type CompiledBatch, type RegionBatch, type RegionStore } from '@axvisor/softcpu';
import { isa } from './emit/isa.ts';

/** Compiles what a logical processor of this package submitted to its `compiler`. */
export function compileBatch(batch: RegionBatch, store?: RegionStore): CompiledBatch {
  return compile(isa, batch, store);
}
