/**
 * LPIs for a CPU whose thread is not that of its redistributor: the one that comes first lies in a shared word, from which the CPU takes it. Both
 * sides work on it under the controller's lock.
 */
import type { LpiView, PendingLpi } from './lpis.ts';

/** Bits 15:0 the INTID, 23:16 its priority, 25:24 one of these. */
const State = { none: 0, offered: 1, held: 2, done: 3 } as const;
const INTID = 0xffff;
const stateOf = (word: number): number => word >>> 24;
const pack = (state: number, word: number): number => (state << 24) | (word & 0xff_ffff);

/** The CPU's side. */
export class OfferedLpi implements LpiView {
  readonly enabled = true;
  readonly #word: Int32Array;
  readonly #done: () => void;

  /** @param done - the redistributor has to look at the word */
  constructor(word: Int32Array, done: () => void) {
    this.#word = word;
    this.#done = done;
  }

  get #value(): number {
    return this.#word[0] as number;
  }

  #is(state: number, intid: number): boolean {
    return stateOf(this.#value) === state && (this.#value & INTID) === intid;
  }

  waiting(): readonly PendingLpi[] {
    const value = this.#value;
    return stateOf(value) === State.offered ? [{ intid: value & INTID, priority: (value >>> 16) & 0xff }] : [];
  }

  hold(intid: number): void {
    if (this.#is(State.offered, intid)) this.#word[0] = pack(State.held, this.#value);
  }

  release(intid: number, pending: boolean): void {
    if (!this.#is(State.held, intid)) return;
    this.#word[0] = pack(pending ? State.offered : State.done, this.#value);
    if (!pending) this.#done();
  }

  acknowledge(intid: number): void {
    if (!this.#is(State.offered, intid)) return;
    this.#word[0] = pack(State.done, this.#value);
    this.#done();
  }
}

/** What the redistributor's side keeps its LPIs in. */
interface LpiStore extends LpiView {
  readonly pending: ReadonlySet<number>;
  readonly held: ReadonlySet<number>;
}

/** Takes note of what the CPU did: before the redistributor is asked or changed. */
export function collectLpi(word: Int32Array, lpis: LpiStore): void {
  const value = word[0] as number;
  const intid = value & INTID;
  switch (stateOf(value)) {
    case State.offered:
      lpis.release(intid, true);
      return;
    case State.held:
      lpis.hold(intid);
      return;
    case State.done:
      if (lpis.held.has(intid)) lpis.release(intid, false);
      else lpis.acknowledge(intid);
      word[0] = State.none;
  }
}

/** Offers the most urgent one, unless the CPU has one that is still to be given. */
export function offerLpi(word: Int32Array, lpis: LpiStore): void {
  const value = word[0] as number;
  if (stateOf(value) === State.held && lpis.held.has(value & INTID)) return;
  let best: PendingLpi | undefined;
  if (lpis.enabled) for (const lpi of lpis.waiting()) if (best === undefined || lpi.priority < best.priority || (lpi.priority === best.priority && lpi.intid < best.intid)) best = lpi;
  word[0] = best === undefined ? State.none : pack(State.offered, best.intid | (best.priority << 16));
}
