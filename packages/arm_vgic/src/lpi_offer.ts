/**
 * LPIs for a CPU whose thread is not that of its redistributor: those that come first lie in shared words, from which the CPU takes them. Both
 * sides work on them under the controller's lock.
 */
import type { LpiView, PendingLpi } from './lpis.ts';

/** Words for a CPU: more than processors have list registers for. */
export const OFFERED_LPIS = 16;

/** Bits 15:0 the INTID, 23:16 its priority, 25:24 one of these. */
const State = { none: 0, offered: 1, held: 2, done: 3 } as const;
const INTID = 0xffff;
const stateOf = (word: number): number => word >>> 24;
const pack = (state: number, word: number): number => (state << 24) | (word & 0xff_ffff);

/** The CPU's side. */
export class OfferedLpis implements LpiView {
  readonly enabled = true;
  readonly #words: Int32Array;
  readonly #done: () => void;

  /** @param done - the redistributor has to look at the words: nothing is offered any more */
  constructor(words: Int32Array, done: () => void) {
    this.#words = words;
    this.#done = done;
  }

  *waiting(): Generator<PendingLpi> {
    for (const word of this.#words) if (stateOf(word) === State.offered) yield { intid: word & INTID, priority: (word >>> 16) & 0xff };
  }

  hold(intid: number): void {
    this.#change(intid, State.offered, State.held);
  }

  release(intid: number, pending: boolean): void {
    this.#change(intid, State.held, pending ? State.offered : State.done);
  }

  acknowledge(intid: number): void {
    this.#change(intid, State.offered, State.done);
  }

  #change(intid: number, from: number, to: number): void {
    const words = this.#words;
    const i = words.findIndex((word) => stateOf(word) === from && (word & INTID) === intid);
    if (i < 0) return;
    words[i] = pack(to, words[i] as number);
    if (to === State.done && !words.some((word) => stateOf(word) === State.offered)) this.#done();
  }
}

/** What the redistributor's side keeps its LPIs in. */
interface LpiStore extends LpiView {
  readonly pending: ReadonlySet<number>;
  readonly held: ReadonlySet<number>;
}

/** Takes note of what the CPU did: before the redistributor is asked or changed. */
export function collectLpis(words: Int32Array, lpis: LpiStore): void {
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    const intid = word & INTID;
    switch (stateOf(word)) {
      case State.offered:
        lpis.release(intid, true);
        break;
      case State.held:
        lpis.hold(intid);
        break;
      case State.done:
        if (lpis.held.has(intid)) lpis.release(intid, false);
        else lpis.acknowledge(intid);
        words[i] = State.none;
    }
  }
}

/** Offers the most urgent ones, beside those that the CPU has and may give back. */
export function offerLpis(words: Int32Array, lpis: LpiStore): void {
  const best = lpis.enabled && lpis.pending.size > 0 ? [...lpis.waiting()].sort((a, b) => a.priority - b.priority || a.intid - b.intid) : [];
  let next = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    if (stateOf(word) === State.held && lpis.held.has(word & INTID)) continue;
    const lpi = best[next++];
    words[i] = lpi === undefined ? State.none : pack(State.offered, lpi.intid | (lpi.priority << 16));
  }
}
