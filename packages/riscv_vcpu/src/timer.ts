/** A guest's timer on harts without Sstc: a timer of the host that makes VSTIP pending. */
import { OneShotTimer, currentTicks, type Ticks } from '@axvisor/axvisor_api/time';

export class HostTimer {
  readonly #fire: (pending: boolean) => void;
  readonly #timer: OneShotTimer;

  /** @param fire - sets the level of the timer interrupt */
  constructor(fire: (pending: boolean) => void) {
    this.#fire = fire;
    this.#timer = new OneShotTimer(() => fire(true));
  }

  get deadline(): Ticks | undefined {
    return this.#timer.deadline;
  }

  /** Fires at `deadline` (host ticks), `undefined`: never. A timer interrupt that is pending goes away. */
  set(deadline: Ticks | undefined): void {
    this.cancel();
    const due = deadline !== undefined && deadline <= currentTicks();
    this.#fire(due);
    if (deadline !== undefined && !due) this.#timer.set(deadline);
  }

  cancel(): void {
    this.#timer.cancel();
  }
}
