/**
 * The counters by which tier 0 tells what is hot: each of several places counts down the steps from jumps to it to the next ones. Places that were
 * translated in earlier runs are hot sooner.
 */
import { COUNTERS, recordShift } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import type { Isa } from '../isa.ts';
import type { Entries } from './entries.ts';
import type { RecordsHost } from './records.ts';

/** Steps from a place on before it is translated: before V8 optimizes it, translated code is no faster than tier 0. */
const THRESHOLD = 150_000;
/** The same where several processors of the guest run at once: translating, and V8's optimizing, take time from them that one alone leaves to others. */
const THRESHOLD_OF_SEVERAL = 1_000_000;
/** What was translated in an earlier run, and is kept, is translated after this part of that: it only has to be put in its place, and V8 to compile it. */
const KNOWN_PART = 1 / 10;
/** Other places with the same counter that are hot before the expected one: so many are passed over. */
const MISTAKES = 8;

/** Number of the counter of the record at `ip`. */
const counterOf = (ip: number): number => (ip >>> 4) % COUNTERS;

/** @param several - processors of the guest run at once. */
export const thresholdOf = (isa: Isa, several: boolean): number => (several ? THRESHOLD_OF_SEVERAL : (isa.threshold ?? THRESHOLD)) - 1;

export class Counters {
  readonly #host: Pick<RecordsHost, 'words' | 'bytes' | 'pages'>;
  readonly #isa: Isa;
  /** Number of the first one's word. */
  readonly #first: number;
  readonly #threshold: number;
  readonly #known: Entries;
  /** By counter: other places that may still be taken for the one expected. */
  readonly #expected = new Uint8Array(COUNTERS);

  /** @param known - what was translated in earlier runs. */
  constructor(host: Pick<RecordsHost, 'words' | 'bytes' | 'pages'>, isa: Isa, layout: Pick<Layout, 'counters'>, threshold: number, known: Entries) {
    this.#host = host;
    this.#isa = isa;
    this.#first = layout.counters >>> 2;
    this.#threshold = threshold;
    this.#known = known;
    this.reset();
  }

  reset(): void {
    this.#host.words.fill(this.#threshold, this.#first, this.#first + COUNTERS);
    this.#expected.fill(0);
  }

  #set(ip: number, steps: number): void {
    this.#host.words[this.#first + counterOf(ip)] = steps;
  }

  /** The record at `ip` is hot: it begins anew. */
  restart(ip: number): void {
    this.#set(ip, this.#threshold);
  }

  /** What was translated before in a page that got records is expected to be hot. */
  expectIn(page: number): void {
    if (this.#known.size === 0) return;
    const { bytes, pages } = this.#host;
    const records = pages.recordsOf(page);
    for (const offset of this.#known.in(bytes, pages.textOf(records), this.#isa.unit)) {
      const ip = records + (offset << recordShift(this.#isa));
      this.#set(ip, Math.floor(this.#threshold * KNOWN_PART));
      this.#expected[counterOf(ip)] = MISTAKES;
    }
  }

  /** Whether a record is hot only since another one was expected to be. @param mark - of the code there. */
  isMistaken(ip: number, mark: () => number): boolean {
    const counter = counterOf(ip);
    const mistakes = this.#expected[counter] as number;
    if (mistakes === 0) return false;
    const isKnown = this.#known.has(mark());
    this.#expected[counter] = isKnown ? 0 : mistakes - 1;
    if (!isKnown && mistakes > 1) this.#set(ip, Math.floor(this.#threshold * KNOWN_PART));
    return !isKnown;
  }
}
