/** A lock in a word of shared memory: 0 free, 1 taken, 2 taken and perhaps waited for. */
const FREE = 0;
const TAKEN = 1;
const WAITED_FOR = 2;

/** How often a thread looks again before it sleeps; whoever has the lock needs about a microsecond. */
const LOOKS = 200;

export class Lock {
  readonly #word: Int32Array;

  /** @param word - one word */
  constructor(word: Int32Array) {
    this.#word = word;
  }

  acquire(): void {
    const word = this.#word;
    for (let looks = 0; looks < LOOKS; looks++) if (Atomics.compareExchange(word, 0, FREE, TAKEN) === FREE) return;
    while (Atomics.exchange(word, 0, WAITED_FOR) !== FREE) Atomics.wait(word, 0, WAITED_FOR);
  }

  release(): void {
    if (Atomics.exchange(this.#word, 0, FREE) === WAITED_FOR) Atomics.notify(this.#word, 0, 1);
  }
}
