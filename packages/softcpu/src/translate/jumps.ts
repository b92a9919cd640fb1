/**
 * The jump caches: from where an indirect jump leads to, in a mode, to the region that begins there. Tier 0 enters what it finds
 * (`interp/enter.ts`), regions look it up (`emitter.ts`), and this voids it.
 */
import { ENGINE, FETCH_MODES, JUMP_CACHE_SIZE, JUMP_ENTRIES, JUMP_ENTRY_SIZE, JUMP_GENERATIONS, NO_REGION, PAGE_SIZE, REGION_MODES, SPACES, jumpKey } from '../interp/layout.ts';
import type { Layout } from '../interp/layout.ts';
import { MMU_MODES } from '../isa.ts';
import type { Isa } from '../isa.ts';

export class JumpCaches {
  readonly #isa: Pick<Isa, 'unit'>;
  readonly #layout: Pick<Layout, 'engine' | 'jumps' | 'jumpsUsed'>;
  #generation = 0;

  constructor(isa: Pick<Isa, 'unit'>, layout: Pick<Layout, 'engine' | 'jumps' | 'jumpsUsed'>) {
    this.#isa = isa;
    this.#layout = layout;
  }

  /** Voids all entries. */
  clear(words: Int32Array): void {
    const { engine, jumpsUsed } = this.#layout;
    words.fill(0, jumpsUsed >>> 2, (jumpsUsed >>> 2) + REGION_MODES);
    this.#generation = (this.#generation + 1) % JUMP_GENERATIONS;
    const spaces = jumpKey(this.#isa, SPACES, 0);
    const key = jumpKey(this.#isa, 0, this.#generation);
    const first = (engine + ENGINE.jumpKeys) >>> 2;
    for (let word = first; word < first + FETCH_MODES; word++) words[word] = ((words[word] as number) & spaces) | key;
    if (this.#generation === 0) this.erase(words);
  }

  /** Voids all entries, those that were void before too. */
  erase(words: Int32Array): void {
    const { jumps } = this.#layout;
    words.fill(NO_REGION, jumps >>> 2, (jumps + REGION_MODES * JUMP_CACHE_SIZE) >>> 2);
  }

  /** Voids the entries of a page, in the fetch modes of a set. */
  clearPage(words: Int32Array, vaLo: number, vaHi: number, modes: number): void {
    const { jumps, jumpsUsed } = this.#layout;
    const { unit } = this.#isa;
    // Those that `jumpEntry` may choose for the page; all of them where it spreads pages.
    const entries = Math.min(PAGE_SIZE / unit, JUMP_ENTRIES);
    const first = ((vaLo >>> 0) / unit) & (JUMP_ENTRIES - 1) & -entries;
    // What an entry is chosen by is not compared: the key is there.
    const page = -(JUMP_ENTRIES * unit);
    for (let mode = 0; mode < REGION_MODES; mode++) {
      if ((modes & (1 << Math.floor(mode / MMU_MODES))) === 0 || words[(jumpsUsed >>> 2) + mode] === 0) continue;
      const from = (jumps + mode * JUMP_CACHE_SIZE + first * JUMP_ENTRY_SIZE) >>> 2;
      for (let word = from; word < from + entries * (JUMP_ENTRY_SIZE / 4); word += JUMP_ENTRY_SIZE / 4) {
        if ((((words[word] as number) ^ vaLo) & page) === 0 && words[word + 1] === vaHi) words.fill(NO_REGION, word, word + JUMP_ENTRY_SIZE / 4);
      }
    }
  }
}
