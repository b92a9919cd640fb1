/** A set of the 256 interrupt vectors, as IRR, ISR and TMR hold them: eight words of 32 bits, which threads may share. */
export const VECTOR_WORDS = 8;

export class VectorSet {
  readonly words: Int32Array;

  constructor(words: Int32Array = new Int32Array(VECTOR_WORDS)) {
    this.words = words;
  }

  has(vector: number): boolean {
    return ((Atomics.load(this.words, vector >>> 5) >>> (vector & 31)) & 1) === 1;
  }

  set(vector: number, member: boolean): void {
    const bit = 1 << (vector & 31);
    if (member) Atomics.or(this.words, vector >>> 5, bit);
    else Atomics.and(this.words, vector >>> 5, ~bit);
  }

  /** The highest vector: by the architecture also the most urgent one. */
  highest(): number | undefined {
    for (let i = VECTOR_WORDS - 1; i >= 0; i--) {
      const word = Atomics.load(this.words, i);
      if (word !== 0) return 32 * i + 31 - Math.clz32(word);
    }
    return undefined;
  }

  clear(): void {
    for (let i = 0; i < VECTOR_WORDS; i++) Atomics.store(this.words, i, 0);
  }
}
