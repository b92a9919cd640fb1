/**
 * The state of a run of interrupts, 32 private ones of a CPU or the shared ones (GIC specification IHI 0069, 2.2 and 4.1): enabled, pending, active,
 * priority, group, edge or level. An interrupt that is in a list register is held: what it becomes is known when it comes back.
 */
import type { Space } from './space.ts';

/** Five bits of priority are implemented. */
export const PRIORITY_MASK = 0xf8;

/** No CPU. */
export const NOBODY = -1;

export class Bank {
  /** The first INTID. */
  readonly first: number;
  readonly count: number;
  readonly enabled: Uint8Array;
  /** Pending by an edge, a message or software. */
  readonly latch: Uint8Array;
  /** The wire. */
  readonly line: Uint8Array;
  readonly active: Uint8Array;
  readonly group: Uint8Array;
  /** Edge-triggered; otherwise level-sensitive. */
  readonly edge: Uint8Array;
  readonly priority: Uint8Array;
  /** In a list register of {@link owner}. */
  readonly held: Uint8Array;
  /** What the list register was given was latched, not a level. */
  readonly heldLatch: Uint8Array;
  /** The wire was asserted when the list register took it, which tells of its end then. */
  readonly #heldLine: Uint8Array;
  /** The CPU that holds it or has acknowledged it. */
  readonly owner: Int16Array;
  /** A bit for each of those that are pending, active or held. */
  readonly #live: Int32Array;
  /** Registers of SGIs do not change how they are triggered. */
  readonly #fixedEdges: number;

  /** @param sgis - how many of the first are software-generated, and so edge-triggered */
  constructor(space: Space, first: number, count: number, sgis: number) {
    this.first = first;
    this.count = count;
    this.#fixedEdges = sgis;
    const bytes = (): Uint8Array => space.bytes(count);
    [this.enabled, this.latch, this.line, this.active, this.group, this.edge] = [bytes(), bytes(), bytes(), bytes(), bytes(), bytes()];
    [this.priority, this.held, this.heldLatch, this.#heldLine] = [bytes(), bytes(), bytes(), bytes()];
    this.owner = space.int16(count);
    this.#live = space.words(Math.ceil(count / 32));
  }

  /** The first index from `i` on that is pending, active or held; -1: none. */
  next(i: number): number {
    const live = this.#live;
    if (i >= this.count) return -1;
    let bits = (live[i >> 5] as number) & (-1 << (i & 31));
    for (let n = i >> 5; ; bits = live[n] as number) {
      if (bits !== 0) return 32 * n + 31 - Math.clz32(bits & -bits);
      if (++n >= live.length) return -1;
    }
  }

  has(intid: number): boolean {
    return intid >= this.first && intid < this.first + this.count;
  }

  isPending(i: number): boolean {
    return this.latch[i] === 1 || (this.edge[i] === 0 && this.line[i] === 1);
  }

  /** Sets the latch: an edge came. */
  setLatch(i: number, pending: boolean): void {
    this.latch[i] = pending ? 1 : 0;
    if (!pending) this.heldLatch[i] = 0;
    this.refresh(i);
  }

  /** The wire changed; returns whether it did. */
  setLine(i: number, level: boolean): boolean {
    if ((this.line[i] === 1) === level) return false;
    this.line[i] = level ? 1 : 0;
    if (level && this.edge[i] === 1) this.latch[i] = 1;
    this.refresh(i);
    return true;
  }

  setActive(i: number, active: boolean, owner: number): void {
    this.active[i] = active ? 1 : 0;
    this.owner[i] = active ? owner : NOBODY;
    this.refresh(i);
  }

  setEdge(i: number, edge: boolean): void {
    if (i < this.#fixedEdges) return;
    this.edge[i] = edge ? 1 : 0;
    this.refresh(i);
  }

  /** A list register of `owner` takes it. */
  hold(i: number, owner: number): void {
    this.held[i] = 1;
    this.heldLatch[i] = this.latch[i] as number;
    this.#heldLine[i] = this.line[i] as number;
    this.latch[i] = 0;
    this.owner[i] = owner;
  }

  /** It came again since a list register took it, and that will tell nobody when there is room for it. */
  isHeldAgain(i: number): boolean {
    return this.held[i] === 1 && (this.latch[i] === 1 || (this.edge[i] === 0 && this.line[i] === 1 && this.#heldLine[i] === 0));
  }

  /** The list register gives it back. */
  release(i: number, pending: boolean, active: boolean): void {
    if (this.held[i] === 0) return;
    if (pending && this.heldLatch[i] === 1) this.latch[i] = 1;
    this.held[i] = this.heldLatch[i] = 0;
    this.setActive(i, active, this.owner[i] as number);
  }

  refresh(i: number): void {
    const live = this.isPending(i) || this.active[i] === 1 || this.held[i] === 1;
    const word = this.#live[i >> 5] as number;
    this.#live[i >> 5] = live ? word | (1 << (i & 31)) : word & ~(1 << (i & 31));
  }

  /** Power-on state; the wires stay as they are. */
  reset(): void {
    for (const array of [this.enabled, this.latch, this.active, this.group, this.priority, this.held, this.heldLatch, this.#heldLine]) array.fill(0);
    this.edge.fill(0).fill(1, 0, this.#fixedEdges);
    this.owner.fill(NOBODY);
    for (let i = 0; i < this.count; i++) this.refresh(i);
  }
}
