/** Compilers as if they were on other threads. */
import { compileBatch } from '../../src/index.ts';
import type { ReadyBatch, RegionBatch, RegionCompiler } from '../../src/index.ts';
import { wasm } from '../../src/wasm/api.ts';
import { toyIsa } from '../interp/toy.ts';

/** Compiles when it is told to, what was copied as between threads. */
export class Elsewhere implements RegionCompiler {
  readonly processors = 1;
  readonly waiting: RegionBatch[] = [];
  readonly ready: ReadyBatch[] = [];
  submit(batch: RegionBatch): void {
    this.waiting.push(structuredClone(batch));
  }
  take(): ReadyBatch | undefined {
    return this.ready.shift();
  }
  compile(): void {
    for (const batch of this.waiting.splice(0)) {
      const { id, code } = compileBatch(toyIsa, batch);
      this.ready.push({ id, module: new wasm.Module(code), bytes: code.length });
    }
  }
}

/** Compiles at once, and hands it out one slice later. */
export class Late extends Elsewhere {
  override submit(batch: RegionBatch): void {
    super.submit(batch);
    this.compile();
  }
}
