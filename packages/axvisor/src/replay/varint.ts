/** Unsigned LEB128 numbers in growing and in given memory. */

const CHUNK = 1 << 16;

/** Collects bytes and hands them on in pieces. */
export class VarintWriter {
  readonly #flush: (bytes: Uint8Array) => void;
  #buffer: Uint8Array = new Uint8Array(CHUNK);
  #length = 0;

  constructor(flush: (bytes: Uint8Array) => void) {
    this.#flush = flush;
  }

  /** A number from 0 to 2^53 - 1. */
  number(value: number): void {
    if (this.#length + 8 > CHUNK) this.flush();
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  bytes(bytes: Uint8Array): void {
    this.flush();
    this.#flush(bytes.slice());
  }

  flush(): void {
    if (this.#length > 0) this.#flush(this.#buffer.slice(0, this.#length));
    this.#length = 0;
  }
}

export class VarintReader {
  readonly #bytes: Uint8Array;
  /** Where it stands. */
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  /** @throws {RangeError} if the bytes end first, or it is no number up to 2^53 - 1 */
  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined || scale > 2 ** 49) throw new RangeError('a number is cut off or too large');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('a number is too large');
    return value;
  }

  /** @throws {RangeError} if there are not so many */
  bytes(length: number): Uint8Array {
    if (length > this.#bytes.length - this.at) throw new RangeError('bytes are cut off');
    this.at += length;
    return this.#bytes.slice(this.at - length, this.at);
  }
}
