/** Arrays cut one after the other from words that threads may share. */
export class Space {
  readonly #words: Int32Array | undefined;
  #bytes = 0;

  /** @param words - where; absent: it is only counted what is needed */
  constructor(words?: Int32Array) {
    this.#words = words;
  }

  /** 32-bit words taken up to now. */
  get count(): number {
    return this.#bytes / 4;
  }

  bytes(count: number): Uint8Array {
    return this.#words === undefined ? this.#counted(count) : new Uint8Array(this.#words.buffer, this.#take(count), count);
  }

  int16(count: number): Int16Array {
    return this.#words === undefined ? (this.#counted(2 * count), new Int16Array(0)) : new Int16Array(this.#words.buffer, this.#take(2 * count), count);
  }

  words(count: number): Int32Array {
    return this.#words === undefined ? (this.#counted(4 * count), new Int32Array(0)) : new Int32Array(this.#words.buffer, this.#take(4 * count), count);
  }

  longs(count: number): BigUint64Array {
    return this.#words === undefined ? (this.#counted(8 * count), new BigUint64Array(0)) : new BigUint64Array(this.#words.buffer, this.#take(8 * count), count);
  }

  #counted(bytes: number): Uint8Array {
    this.#bytes += Math.ceil(bytes / 8) * 8;
    return new Uint8Array(0);
  }

  #take(bytes: number): number {
    const at = (this.#words?.byteOffset ?? 0) + this.#bytes;
    this.#counted(bytes);
    return at;
  }
}
