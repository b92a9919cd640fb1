/** Timers: a binary heap by deadline, first come first served among equals, with cancellation in O(log n). */
import type { CancelToken, Ticks } from '@axvisor/axvisor_api/time';

interface Timer {
  readonly token: CancelToken;
  readonly deadline: Ticks;
  readonly callback: (now: Ticks) => void;
  /** Where it is in the heap. */
  index: number;
}

const before = (a: Timer, b: Timer): boolean => a.deadline < b.deadline || (a.deadline === b.deadline && a.token < b.token);

export class TimerQueue {
  readonly #heap: Timer[] = [];
  readonly #byToken = new Map<CancelToken, Timer>();
  #nextToken = 1;

  add(deadline: Ticks, callback: (now: Ticks) => void): CancelToken {
    const timer: Timer = { token: this.#nextToken++ as CancelToken, deadline, callback, index: 0 };
    this.#insert(timer);
    return timer.token;
  }

  /** Forgets a timer; no effect if it is not there. */
  cancel(token: CancelToken): void {
    const timer = this.#byToken.get(token);
    if (timer !== undefined) this.#remove(timer);
  }

  nextDeadline(): Ticks | undefined {
    return this.#heap[0]?.deadline;
  }

  /**
   * Runs what is due at `now`. A timer that a callback registers waits for the next call even if it is due, so that a
   * callback which always registers another cannot keep the caller here. A timer is forgotten before its callback runs: if the
   * callback throws, the others stay.
   */
  expire(now: Ticks): number {
    const firstNew = this.#nextToken;
    const held: Timer[] = [];
    let count = 0;
    try {
      for (let timer = this.#heap[0]; timer !== undefined && timer.deadline <= now; timer = this.#heap[0]) {
        this.#remove(timer);
        if (timer.token >= firstNew) {
          held.push(timer);
          continue;
        }
        count++;
        timer.callback(now);
      }
    } finally {
      for (const timer of held) this.#insert(timer);
    }
    return count;
  }

  #insert(timer: Timer): void {
    timer.index = this.#heap.length;
    this.#heap.push(timer);
    this.#byToken.set(timer.token, timer);
    this.#up(timer);
  }

  #remove(timer: Timer): void {
    this.#byToken.delete(timer.token);
    const last = this.#heap.pop()!;
    if (last === timer) return;
    this.#place(last, timer.index);
    this.#up(last);
    this.#down(last);
  }

  #place(timer: Timer, index: number): void {
    this.#heap[index] = timer;
    timer.index = index;
  }

  #up(timer: Timer): void {
    while (timer.index > 0) {
      const parent = this.#heap[(timer.index - 1) >>> 1]!;
      if (!before(timer, parent)) return;
      const { index } = timer;
      this.#place(timer, parent.index);
      this.#place(parent, index);
    }
  }

  #down(timer: Timer): void {
    for (;;) {
      const left = this.#heap[2 * timer.index + 1];
      const right = this.#heap[2 * timer.index + 2];
      if (left === undefined) return;
      const child = right !== undefined && before(right, left) ? right : left;
      if (!before(child, timer)) return;
      const { index } = timer;
      this.#place(timer, child.index);
      this.#place(child, index);
    }
  }
}
