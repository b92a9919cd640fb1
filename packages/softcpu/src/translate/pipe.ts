/**
 * Messages from one thread to another through memory that they share: a ring of words with one writer and one reader, neither of which waits for
 * the other. A message may be longer than the ring: what does not fit follows when there is room.
 */

/** Words in front of the ring, in cache lines of their own: how many were written and read so far, modulo 2^32. */
const WRITTEN = 0;
const READ = 16;
const HEADER = 32;

/** Words of a pipe whose ring has as many. @param ring - a power of two. */
export const pipeWords = (ring: number): number => HEADER + ring;

export class PipeWriter {
  readonly #words: Int32Array;
  readonly #ring: number;
  #waiting: Int32Array[] = [];
  #written = 0;

  /** @param words - {@link pipeWords} of them, zeros. */
  constructor(words: Int32Array) {
    this.#words = words;
    this.#ring = words.length - HEADER;
  }

  /** Sends a message, which is not changed any more. {@link flush} sends what is left of it. */
  write(message: Int32Array): void {
    this.#waiting.push(Int32Array.of(message.length), message);
    this.flush();
  }

  /** Sends what there is room for. @returns whether that was anything. */
  flush(): boolean {
    const before = this.#written;
    for (let part = this.#waiting.shift(); part !== undefined; part = this.#waiting.shift()) {
      const rest = part.subarray(this.#put(part));
      if (rest.length === 0) continue;
      this.#waiting.unshift(rest);
      break;
    }
    return this.#written !== before;
  }

  #put(part: Int32Array): number {
    const words = this.#words;
    const count = Math.min(part.length, this.#ring - ((this.#written - Atomics.load(words, READ)) | 0));
    const at = this.#written & (this.#ring - 1);
    const first = Math.min(count, this.#ring - at);
    words.set(part.subarray(0, first), HEADER + at);
    words.set(part.subarray(first, count), HEADER);
    this.#written = (this.#written + count) | 0;
    Atomics.store(words, WRITTEN, this.#written);
    return count;
  }
}

export class PipeReader {
  readonly #words: Int32Array;
  readonly #ring: number;
  readonly #onRoom: () => void;
  #read = 0;
  #message: Int32Array<ArrayBuffer> | undefined;
  #filled = 0;

  /** @param onRoom - called when the writer can send more. */
  constructor(words: Int32Array, onRoom: () => void = () => {}) {
    this.#words = words;
    this.#ring = words.length - HEADER;
    this.#onRoom = onRoom;
  }

  /** The next message, if all of it is there. */
  read(): Int32Array<ArrayBuffer> | undefined {
    const words = this.#words;
    let available = (Atomics.load(words, WRITTEN) - this.#read) | 0;
    if (available === 0) return undefined;
    if (this.#message === undefined) {
      this.#message = new Int32Array(words[this.#at] as number);
      this.#filled = 0;
      this.#read = (this.#read + 1) | 0;
      available--;
    }
    const message = this.#message;
    const count = Math.min(available, message.length - this.#filled);
    const first = Math.min(count, HEADER + this.#ring - this.#at);
    message.set(words.subarray(this.#at, this.#at + first), this.#filled);
    message.set(words.subarray(HEADER, HEADER + count - first), this.#filled + first);
    this.#filled += count;
    this.#read = (this.#read + count) | 0;
    Atomics.store(words, READ, this.#read);
    this.#onRoom();
    if (this.#filled < message.length) return undefined;
    this.#message = undefined;
    return message;
  }

  get #at(): number {
    return HEADER + (this.#read & (this.#ring - 1));
  }
}
