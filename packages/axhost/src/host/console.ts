/** The console of the host, as a small interface, and one in memory for tests and browsers. */
import { runtime } from '../runtime.ts';

/** A terminal, pipe or window that the hypervisor's console is connected to. */
export interface HostConsole {
  /** Shows bytes at once. */
  write(bytes: Uint8Array): void;
  /**
   * When a slow reader has taken what was written; `undefined` if little waits. While it waits no more should be written: it would
   * pile up in memory.
   */
  drained?(): Promise<void> | undefined;
  /** Takes the bytes that arrived since the last call; never waits. */
  read(): Uint8Array;
  /** Sets who is told that input has arrived (one listener, the last one set). */
  onInput(listener: () => void): void;
}

const NOTHING = new Uint8Array(0);

/** A queue of input that is taken as a whole. */
export class InputQueue {
  #chunks: Uint8Array[] = [];
  #length = 0;

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  /** Everything that waits; the queue is empty then. */
  take(): Uint8Array {
    if (this.#length === 0) return NOTHING;
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [];
    this.#length = 0;
    return all;
  }
}

/** A console whose other side is the program: a terminal widget in a page, or a test. */
export interface MemoryConsole extends HostConsole {
  /** Types bytes, or text as UTF-8. */
  type(input: Uint8Array | string): void;
  /** Takes what was written since the last call. Without an `onOutput` it grows until it is taken. */
  output(): Uint8Array;
}

/** A console in memory. With `onOutput`, output goes there instead of being collected. */
export function memoryConsole(options: { readonly onOutput?: (bytes: Uint8Array) => void } = {}): MemoryConsole {
  const input = new InputQueue();
  const output = new InputQueue();
  const onOutput = options.onOutput ?? ((bytes) => output.push(bytes));
  let listener = (): void => {};
  return {
    // The caller may reuse its buffer.
    write: (bytes) => onOutput(bytes.slice()),
    read: () => input.take(),
    onInput: (l) => {
      listener = l;
    },
    type: (typed) => {
      input.push(typeof typed === 'string' ? new runtime.TextEncoder().encode(typed) : typed.slice());
      listener();
    },
    output: () => output.take(),
  };
}
