/** The console of one VM: what it prints goes to a sink, what is typed waits in a bounded queue until the guest takes it. */
import type { ConsolePort } from '@axvisor/axvisor_api/device';

/** Typed ahead and not read; more than this is dropped, as a real line would. */
const INPUT_LIMIT = 1 << 20;

export class VmConsole implements ConsolePort {
  readonly #sink: (bytes: Uint8Array) => void;
  #input: Uint8Array[] = [];
  #waiting = 0;
  #listeners: (() => void)[] = [];

  constructor(sink: (bytes: Uint8Array) => void) {
    this.#sink = sink;
  }

  write(bytes: Uint8Array): void {
    this.#sink(bytes);
  }

  read(max: number): Uint8Array {
    const first = this.#input[0];
    if (first === undefined || max <= 0) return new Uint8Array(0);
    const taken = first.subarray(0, max);
    if (taken.length === first.length) this.#input.shift();
    else this.#input[0] = first.subarray(max);
    this.#waiting -= taken.length;
    return taken;
  }

  onInput(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Types `bytes`. */
  type(bytes: Uint8Array): void {
    const room = INPUT_LIMIT - this.#waiting;
    if (bytes.length === 0 || room <= 0) return;
    const accepted = bytes.slice(0, room);
    this.#input.push(accepted);
    this.#waiting += accepted.length;
    for (const listener of this.#listeners) listener();
  }
}
