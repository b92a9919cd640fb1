/** Waiting without spinning: one turn of the event loop, or sleep until a deadline, until input or until {@link Idler.wake}. */
import { runtime, type TimeoutHandle } from '../runtime.ts';

/** The longest delay that `setTimeout` takes. */
const MAX_DELAY = 0x7fff_ffff;

/** Calls back after one turn of the event loop, in which I/O and messages arrive. */
const nextTurn: (callback: () => void) => void =
  runtime.setImmediate ??
  ((callback) => {
    const { port1, port2 } = new runtime.MessageChannel();
    port1.onmessage = () => {
      port1.onmessage = null;
      callback();
    };
    port2.postMessage(null);
  });

export class Idler {
  /** Ends the sleep that is under way. */
  #end: (() => void) | undefined;
  #pending = false;

  /** Ends the sleep under way, or makes the next one a mere turn of the event loop. */
  wake(): void {
    if (this.#end === undefined) this.#pending = true;
    else this.#end();
  }

  /** Gives the event loop one turn. */
  turn(): Promise<void> {
    this.#pending = false;
    return new Promise((resolve) => nextTurn(resolve));
  }

  /**
   * Sleeps for `ms` (`Infinity`: until woken). Rounded up to whole milliseconds, the resolution of the runtime's timers: rounding
   * down would make the caller spin for the rest.
   */
  sleep(ms: number): Promise<void> {
    if (this.#pending || ms <= 0) return this.turn();
    return new Promise((resolve) => {
      let handle: TimeoutHandle = undefined;
      const earlier = this.#end;
      const end = (): void => {
        runtime.clearTimeout(handle);
        if (this.#end === end) this.#end = undefined;
        earlier?.();
        resolve();
      };
      // Even the endless sleep holds a timer: Node would exit when nothing else keeps its event loop alive.
      handle = runtime.setTimeout(end, Math.min(Math.ceil(ms), MAX_DELAY));
      this.#end = end;
    });
  }
}
