/**
 * Copies of pages of code, for processors that share memory with others.
 *
 * Stores of other processors are not noticed. If there are any, instructions are decoded from a copy of each page, made when
 * its records were allocated, as an instruction cache would hold it; {@link CodeCopies.fence} compares copies with memory, of
 * pages that anybody was in a position to write to, or has them compared before their records are used again if there are many.
 */
import { PAGE_SIZE } from './layout.ts';
import type { Layout } from './layout.ts';
import type { PageWrites } from './page_writes.ts';

/** Copies that a fence compares itself. */
const FEW = 48;

/** Comparisons after which those for whom they are made are asked to give up writing. */
const PATIENCE = 512;

/** Bytes of the copies of all pages that can have records. */
export const copiesSize = (layout: Pick<Layout, 'poolPages'>): number => layout.poolPages * PAGE_SIZE;

/** What processors that write the same memory share. */
export interface SharedCode {
  /** Place of {@link copiesSize} bytes of this processor's for copies of pages. */
  readonly copies: number;
  readonly writes: PageWrites;
  /** Number of this processor. */
  readonly self: number;
}

/** Copies by number of the record page. */
export class CodeCopies {
  words: Int32Array;
  readonly #first: number;
  readonly #writes: PageWrites;
  readonly #self: number;
  readonly #owner: Int32Array;
  /** Fences so far, and how many a copy has seen. */
  #fences = 0;
  readonly #seen: Float64Array;
  /** This processor has written to the page, and fetches its own stores. */
  readonly #dirty: Uint8Array;
  /** Others may have been writing to the page while its copy was made or compared. */
  readonly #uncertain: Uint8Array;
  /** {@link PageWrites.events} of the copy. */
  readonly #events: Int32Array;
  /** {@link PageWrites.notesOfOthers} when no page could differ. */
  #notes: number | undefined;
  /** {@link PageWrites.requests} that were granted. */
  #requests = 0;
  /** Comparisons since others were last asked to give up writing. */
  #comparisons = 0;

  /** @param owner - number of the page whose records a record page has, -1 if none. */
  constructor(words: Int32Array, { copies, writes, self }: SharedCode, owner: Int32Array) {
    this.words = words;
    this.#first = copies;
    this.#writes = writes;
    this.#self = self;
    this.#owner = owner;
    this.#seen = new Float64Array(owner.length);
    this.#events = new Int32Array(owner.length);
    this.#dirty = new Uint8Array(owner.length);
    this.#uncertain = new Uint8Array(owner.length);
  }

  /** Place of a copy. */
  place(index: number): number {
    return this.#first + index * PAGE_SIZE;
  }

  /** Copies the page that a record page is for now. */
  make(index: number): void {
    const number = this.#owner[index] as number;
    this.#events[index] = this.#writes.events(number);
    this.#uncertain[index] = this.#writes.byOthers(number, this.#self) === 0 ? 0 : 1;
    if (this.#uncertain[index] === 1) this.#notes = undefined;
    this.words.copyWithin(this.place(index) >>> 2, (number * PAGE_SIZE) >>> 2, ((number + 1) * PAGE_SIZE) >>> 2);
    this.#seen[index] = this.#fences;
    this.#dirty[index] = 0;
  }

  /** Whether a copy is that of the page as it was at the last fence, or later. */
  isCurrent(index: number): boolean {
    return this.#seen[index] === this.#fences || !this.#mayDiffer(index) || this.#compare(index);
  }

  /** Whether a page holds what was copied. */
  #compare(index: number): boolean {
    const number = this.#owner[index] as number;
    // Both before the comparison: who comes later is seen to by the next one.
    const events = this.#writes.events(number);
    const isOpen = this.#writes.byOthers(number, this.#self) !== 0;
    const { words } = this;
    const copy = this.place(index) >>> 2;
    for (let i = 0, at = (number * PAGE_SIZE) >>> 2; i < PAGE_SIZE / 4; i++) if (words[copy + i] !== words[at + i]) return false;
    this.#seen[index] = this.#fences;
    this.#events[index] = events;
    this.#uncertain[index] = isOpen ? 1 : 0;
    return true;
  }

  /** Whether the page of a record page may have been written to since its copy was made. */
  #mayDiffer(index: number): boolean {
    const number = this.#owner[index] as number;
    return number >= 0 && (this.#uncertain[index] === 1 || this.#writes.events(number) !== this.#events[index] || this.#writes.byOthers(number, this.#self) !== 0);
  }

  /** The record pages that may differ, at most one more than {@link FEW}. Mostly nothing was noted since there were none. */
  #suspects(): readonly number[] {
    const found: number[] = [];
    const notes = this.#writes.notesOfOthers(this.#self);
    if (notes === this.#notes) return found;
    for (let index = 0; index < this.#owner.length && found.length <= FEW; index++) if (this.#mayDiffer(index)) found.push(index);
    if (found.length === 0) this.#notes = notes;
    return found;
  }

  /** Instructions that are looked up from now on are those that memory holds now. @returns the record pages to be given up, `all`: each has to be asked about */
  fence(): readonly number[] | 'all' {
    const suspects = this.#suspects();
    if (suspects.length === 0) return suspects;
    let writers = 0;
    for (const index of suspects) writers |= this.#writes.byOthers(this.#owner[index] as number, this.#self);
    const areMany = suspects.length > FEW;
    const stale = areMany ? 'all' : suspects.filter((index) => !this.#compare(index));
    if (areMany) this.#fences++;
    if (writers !== 0) {
      this.#comparisons += suspects.length;
      if (this.#comparisons >= PATIENCE) {
        this.#comparisons = 0;
        this.#writes.askToClose(writers);
      }
    }
    return stale;
  }

  /** This processor writes to the page of a record page. @param isFetched - and fetches what it wrote */
  written(index: number, isFetched: boolean): void {
    // The copy stays as it is until the next fence, or until an instruction of the page is decoded that may be what is written.
    if (isFetched) this.#dirty[index] = 1;
    this.#events[index] = this.#writes.events(this.#owner[index] as number) - 1;
    this.#notes = undefined;
  }

  /** Makes the copy of a page anew that this processor has written to; what others have changed, too, is told as offset and length. */
  refresh(index: number, changed: (number: number, offset: number, length: number) => void): void {
    if (this.#dirty[index] === 0) return;
    this.#dirty[index] = 0;
    const { words } = this;
    const number = this.#owner[index] as number;
    const copy = this.place(index) >>> 2;
    for (let i = 0, at = (number * PAGE_SIZE) >>> 2; i < PAGE_SIZE / 4; i++) {
      const now = words[at + i] as number;
      if (words[copy + i] === now) continue;
      words[copy + i] = now;
      changed(number, 4 * i, 4);
    }
  }

  /** This processor is about to write to a page, by its number, or to be able to. */
  opened(number: number): void {
    this.#writes.opened(number, this.#self);
  }

  /** Whether others have asked since the last time that this processor give up writing. */
  get isAskedToClose(): boolean {
    const requests = this.#writes.requests(this.#self);
    if (requests === this.#requests) return false;
    this.#requests = requests;
    return true;
  }

  /** This processor is able to write to no page any more. */
  closed(): void {
    this.#writes.closed(this.#self);
  }
}
