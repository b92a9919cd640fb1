/** Compilers as if they were on other threads. */
import { compileBatch } from '../../src/index.ts';
import type { Isa, ReadyBatch, RegionBatch, RegionCompiler, RegionStore } from '../../src/index.ts';
import { wasm } from '../../src/wasm/api.ts';
import { toyIsa } from '../interp/toy.ts';

/** Keeps regions as long as it is there itself. */
export class MemoryStore implements RegionStore {
  readonly marks: number[] = [];
  /** Contents that were looked for in vain. */
  missed = 0;
  readonly #kept = new Map<string, Uint8Array>();

  find(content: Uint8Array): Uint8Array | undefined {
    const kept = this.#kept.get(content.join());
    if (kept === undefined) this.missed++;
    return kept;
  }

  keep(content: Uint8Array, object: Uint8Array, mark: number): void {
    this.#kept.set(content.join(), object.slice());
    this.marks.push(mark);
  }
}

/** Compiles when it is told to, what was copied as between threads. */
export class Elsewhere implements RegionCompiler {
  readonly processors = 1;
  readonly waiting: RegionBatch[] = [];
  readonly ready: ReadyBatch[] = [];
  readonly #store: MemoryStore | undefined;
  readonly #isa: Isa;

  constructor(store?: MemoryStore, isa: Isa = toyIsa) {
    this.#store = store;
    this.#isa = isa;
  }

  known(): Int32Array {
    return Int32Array.from(this.#store?.marks ?? []);
  }

  submit(batch: RegionBatch): void {
    this.waiting.push(structuredClone(batch));
  }
  take(): ReadyBatch | undefined {
    return this.ready.shift();
  }
  compile(): void {
    for (const batch of this.waiting.splice(0)) {
      const { id, code, kept } = compileBatch(this.#isa, batch, this.#store);
      this.ready.push({ id, module: new wasm.Module(code), bytes: code.length, kept });
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
