/**
 * Address spaces: which translations, of all that are cached, the current accesses may use. Caches of translations are tagged with
 * the number of a space, so that a switch between spaces forgets nothing, and giving a space another number forgets all it has.
 *
 * Spaces of one regime share the pages that are called global: of data, these have the tag of the regime. For fetches, as long as the pages that a mode
 * uses are all global, they are entered for the regime, and every space finds them; one that is not ends that, for this mode, until all is forgotten.
 */
import { ENGINE, FETCH_MODES, SPACES, TAG_SPACE_SHIFT, jumpKey } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { MMU_MODES } from '../isa.ts';
import type { Isa } from '../isa.ts';

/** An address space. */
export class Space {
  /** What translations depend on, beside the page tables: the ISA's. */
  readonly key: string;
  /** The space of the pages it shares with others. */
  readonly regime: Space;
  /** 0: none, and nothing is cached for it. */
  number = 0;
  /** All that was cached for it is forgotten, and another object stands for its key. */
  dropped = false;

  /** @param regime - absent: it is a regime, or shares with nobody. */
  constructor(key: string, regime?: Space) {
    this.key = key;
    this.regime = regime ?? this;
  }
}

/** Told what becomes of the caches. */
export interface SpaceCaches {
  /** Everything that has a tag must be forgotten. */
  flushTagged(): void;
  /** Data accesses of an MMU mode use other translations than before. */
  flushMode(mode: number): void;
  /** The same, but for those that are global. */
  flushLocal(mode: number): void;
  /** Everything must be forgotten whose tag is not live: its number is about to be another space's. */
  flushDead(): void;
}

export class Spaces {
  readonly #layout: Pick<Layout, 'engine' | 'state'>;
  readonly #isa: Pick<Isa, 'state' | 'unit'>;
  readonly #caches: SpaceCaches;
  readonly #known = new Map<string, Space>();
  /** By fetch mode: all pages entered are global. */
  readonly #fetchGlobal: Uint8Array = new Uint8Array(FETCH_MODES).fill(1);
  /** By number of a space: something may be cached for it. */
  readonly #used: Uint8Array = new Uint8Array(SPACES + 1).fill(1, 0, 1);
  #last = 0;
  /** Numbers of spaces that are forgotten, of which nothing is cached any more. */
  #free: number[] = [];
  #data: Space | undefined;
  #fetch: Space | undefined;
  #alike: readonly number[] = [];
  #fetchAlike: readonly number[] = [];
  #words: Int32Array;

  constructor(words: Int32Array, isa: Pick<Isa, 'state' | 'unit'>, layout: Pick<Layout, 'engine' | 'state'>, caches: SpaceCaches) {
    this.#words = words;
    this.#layout = layout;
    this.#isa = isa;
    this.#caches = caches;
    for (let mode = 0; mode < MMU_MODES; mode++) words[this.#dataTag(mode)] = words[this.#globalTag(mode)] = mode;
    for (let mode = 0; mode < FETCH_MODES; mode++) words[this.#fetchTag(mode)] = mode;
    words.fill(0, this.#jumpKey(0), this.#jumpKey(FETCH_MODES));
  }

  set words(words: Int32Array) {
    this.#words = words;
  }

  #dataTag(mode: number): number {
    return ((this.#layout.engine + ENGINE.dataTags) >>> 2) + mode;
  }

  #globalTag(mode: number): number {
    return ((this.#layout.engine + ENGINE.globalTags) >>> 2) + mode;
  }

  #fetchTag(mode: number): number {
    return ((this.#layout.engine + ENGINE.fetchTags) >>> 2) + mode;
  }

  #jumpKey(mode: number): number {
    return ((this.#layout.engine + ENGINE.jumpKeys) >>> 2) + mode;
  }

  get #mmuIdx(): number {
    return this.#words[(this.#layout.state + this.#isa.state.mmuIdx) >>> 2] as number;
  }

  get #fetchIdx(): number {
    return this.#words[(this.#layout.state + this.#isa.state.fetchIdx) >>> 2] as number;
  }

  /** Tag of the data translations of the current mode, of those that are global or of the others. */
  dataTag(global: boolean): number {
    const mode = this.#mmuIdx;
    return this.#words[global ? this.#globalTag(mode) : this.#dataTag(mode)] as number;
  }

  /** Tag of the fetch translations of the current mode. */
  get fetchTag(): number {
    return this.#words[this.#fetchTag(this.#fetchIdx)] as number;
  }

  /** The space of a key; `regime`, the key of the one it shares global pages with. */
  space(key: string, regime?: string): Space {
    let space = this.#known.get(key);
    if (space === undefined) {
      space = new Space(key, regime === undefined ? undefined : this.space(regime));
      this.#known.set(key, space);
    }
    return space;
  }

  #live(space: Space): Space {
    return space.dropped ? this.space(space.key, space.regime === space ? undefined : space.regime.key) : space;
  }

  /** Whether a tag is one of a space that may still be entered. */
  isLive(tag: number): boolean {
    return this.#used[tag >>> TAG_SPACE_SHIFT] === 1;
  }

  /**
   * Data accesses and fetches of the modes in the state block are in these spaces from now on.
   *
   * @param alike - MMU modes that are used whatever mode is in the state block now, in the space of data.
   * @param fetchAlike - fetch modes, the same.
   */
  enter(data: Space, fetch: Space, alike: readonly number[] = [], fetchAlike: readonly number[] = []): void {
    this.#data = this.#live(data);
    this.#fetch = this.#live(fetch);
    this.#alike = alike;
    this.#fetchAlike = fetchAlike;
    if (!(this.#number(this.#data.regime) && this.#number(this.#data) && this.#number(this.#fetch.regime) && this.#number(this.#fetch))) {
      this.forget(() => true);
      return;
    }
    this.#enterData(this.#mmuIdx, this.#data);
    for (const mode of alike) this.#enterData(mode, this.#data);
    this.#enterFetch(this.#fetchIdx, this.#fetch);
    for (const mode of fetchAlike) this.#enterFetch(mode, this.#fetch);
  }

  #enterData(mode: number, data: Space): void {
    const words = this.#words;
    const shared = (data.regime.number << TAG_SPACE_SHIFT) | mode;
    const own = (data.number << TAG_SPACE_SHIFT) | mode;
    if (words[this.#globalTag(mode)] !== shared) this.#caches.flushMode(mode);
    else if (words[this.#dataTag(mode)] !== own) this.#caches.flushLocal(mode);
    words[this.#globalTag(mode)] = shared;
    words[this.#dataTag(mode)] = own;
  }

  #enterFetch(mode: number, fetch: Space): void {
    const space = this.#fetchGlobal[mode] === 1 ? fetch.regime : fetch;
    this.#words[this.#fetchTag(mode)] = (space.number << TAG_SPACE_SHIFT) | mode;
    const key = this.#words[this.#jumpKey(mode)] as number;
    this.#words[this.#jumpKey(mode)] = (key & ~jumpKey(this.#isa, SPACES, 0)) | jumpKey(this.#isa, space.number, 0);
  }

  /** Sees to it that a space has a number; false if there is none left. */
  #number(space: Space): boolean {
    if (space.number !== 0) return true;
    if (this.#last < SPACES - 1) {
      space.number = ++this.#last;
    } else {
      if (this.#free.length === 0) this.#reclaim();
      const number = this.#free.pop();
      if (number === undefined) return false;
      space.number = number;
    }
    this.#used[space.number] = 1;
    return true;
  }

  /** Frees the numbers of spaces that were forgotten. */
  #reclaim(): void {
    for (let number = SPACES - 1; number > 0; number--) if (this.#used[number] === 0) this.#free.push(number);
    if (this.#free.length === 0) return;
    this.#caches.flushDead();
    // Modes that were not used since: whoever gets the number must not be taken for the one they were last in.
    const words = this.#words;
    for (let mode = 0; mode < MMU_MODES; mode++) {
      if (!this.isLive(words[this.#globalTag(mode)] as number)) {
        this.#caches.flushMode(mode);
        words[this.#globalTag(mode)] = words[this.#dataTag(mode)] = mode;
      } else if (!this.isLive(words[this.#dataTag(mode)] as number)) {
        this.#caches.flushLocal(mode);
        words[this.#dataTag(mode)] = mode;
      }
    }
  }

  /** Forgets all that is cached for spaces whose keys a condition holds for. */
  forget(condition: (key: string) => boolean): void {
    for (const space of this.#known.values()) space.dropped = condition(space.key);
    for (const space of this.#known.values()) {
      if (!space.dropped && !space.regime.dropped) continue;
      space.dropped = true;
      if (space.number !== 0) this.#used[space.number] = 0;
      this.#known.delete(space.key);
    }
    if (this.#known.size === 0) {
      this.#fetchGlobal.fill(1);
      if (this.#last > SPACES / 2) {
        this.#last = 0;
        this.#free = [];
        this.#caches.flushTagged();
      }
    }
    if (this.#data !== undefined && this.#fetch !== undefined) this.enter(this.#data, this.#fetch, this.#alike, this.#fetchAlike);
  }

  /** Forgets all that is cached for spaces by their keys, which are no regimes. */
  drop(keys: Iterable<string>): void {
    let current = false;
    for (const key of keys) {
      const space = this.#known.get(key);
      if (space === undefined) continue;
      space.dropped = true;
      if (space.number !== 0) this.#used[space.number] = 0;
      this.#known.delete(space.key);
      current ||= space === this.#data || space === this.#fetch;
    }
    if (current && this.#data !== undefined && this.#fetch !== undefined) this.enter(this.#data, this.#fetch, this.#alike, this.#fetchAlike);
  }

  /** A page that is not global is about to be entered for fetches. */
  ownFetch(): void {
    const idx = this.#fetchIdx;
    if (this.#fetch === undefined || this.#fetch.regime === this.#fetch || this.#fetchGlobal[idx] === 0) return;
    this.#fetchGlobal[idx] = 0;
    this.enter(this.#data as Space, this.#fetch, this.#alike, this.#fetchAlike);
  }
}
