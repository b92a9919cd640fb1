/** A set of the 256 interrupt vectors, as IRR, ISR and TMR hold them: eight words of 32 bits. */
export class VectorSet {
  readonly words: Uint32Array = new Uint32Array(8);

  has(vector: number): boolean {
    return (((this.words[vector >>> 5] as number) >>> (vector & 31)) & 1) === 1;
  }

  set(vector: number, member: boolean): void {
    const bit = 1 << (vector & 31);
    const word = this.words[vector >>> 5] as number;
    this.words[vector >>> 5] = member ? word | bit : word & ~bit;
  }

  /** The highest vector: by the architecture also the most urgent one. */
  highest(): number | undefined {
    for (let i = 7; i >= 0; i--) {
      const word = this.words[i] as number;
      if (word !== 0) return 32 * i + 31 - Math.clz32(word);
    }
    return undefined;
  }

  clear(): void {
    this.words.fill(0);
  }
}
