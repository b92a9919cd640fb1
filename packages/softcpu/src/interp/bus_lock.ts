/** A lock that all processors of one memory share, for accesses that WebAssembly cannot make in one step. */

/** How long a holder may take, in ms. One that takes longer is a thread that was ended. */
const PATIENCE = 100;

export class BusLock {
  readonly #word: Int32Array;

  /** @param shared - 4 zeros at `offset`, kept by all. */
  constructor(shared: ArrayBufferLike, offset: number) {
    this.#word = new Int32Array(shared, offset, 1);
  }

  /** Does `work`, which is short, while no other processor does any. */
  hold<T>(work: () => T): T {
    const word = this.#word;
    while (Atomics.compareExchange(word, 0, 0, 1) !== 0) if (Atomics.wait(word, 0, 1, PATIENCE) === 'timed-out') break;
    try {
      return work();
    } finally {
      Atomics.store(word, 0, 0);
      Atomics.notify(word, 0);
    }
  }
}
