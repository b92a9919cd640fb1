/** A guest's timer on harts without Sstc: a timer of the host that makes VSTIP pending. */
import { cancelTimer, currentTicks, registerTimer, type CancelToken, type Ticks } from '@axvisor/axvisor_api/time';

export class HostTimer {
  readonly #fire: (pending: boolean) => void;
  #token: CancelToken | undefined;
  #deadline: Ticks | undefined;

  /** @param fire - sets the level of the timer interrupt */
  constructor(fire: (pending: boolean) => void) {
    this.#fire = fire;
  }

  get deadline(): Ticks | undefined {
    return this.#deadline;
  }

  /** Fires at `deadline` (host ticks), `undefined`: never. A timer interrupt that is pending goes away. */
  set(deadline: Ticks | undefined): void {
    this.cancel();
    const due = deadline !== undefined && deadline <= currentTicks();
    this.#fire(due);
    if (deadline === undefined || due) return;
    this.#deadline = deadline;
    this.#token = registerTimer(deadline, () => {
      this.#token = undefined;
      this.#deadline = undefined;
      this.#fire(true);
    });
  }

  cancel(): void {
    if (this.#token !== undefined) cancelTimer(this.#token);
    this.#token = undefined;
    this.#deadline = undefined;
  }
}
