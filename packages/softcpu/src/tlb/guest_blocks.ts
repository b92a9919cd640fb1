/** What a second stage makes of guest physical addresses, by 2 MiB, where walks in generated code look for it (see `walk.ts`): memory alone, below 4 GiB. */
import { GUEST_BLOCKS } from '../interp/layout.ts';
import { placeIn, type RamWindow } from '../physical.ts';

/** Bytes of guest physical addresses that are known as one. */
export const GUEST_BLOCK_SIZE = 0x20_0000;

/** Linear memory, and where RAM lies in it. */
export interface GuestMemory {
  /** Replaced when the memory has grown. */
  readonly words: Int32Array;
  readonly ram: readonly RamWindow[];
}

export class GuestBlocks {
  readonly #memory: GuestMemory;
  /** First word of the table, if there is one. */
  readonly #table: number | undefined;
  #isEmpty = true;

  /** @param table - byte offset of `Layout.guestBlocks`. Absent: there are no such walks. */
  constructor(memory: GuestMemory, table: number | undefined) {
    this.#memory = memory;
    this.#table = table === undefined ? undefined : table >>> 2;
  }

  /**
   * Enters a block all of which lies in memory that may be cached.
   *
   * @param number - of a 4 KiB page in it.
   * @param pa - physical address of that page.
   * @param permissions - reads and writes of all of the block that need not be asked about.
   */
  add(number: number, pa: number, permissions: number): void {
    const block = Math.floor((number * 4096) / GUEST_BLOCK_SIZE);
    if (this.#table === undefined || block >= GUEST_BLOCKS) return;
    const place = placeIn(this.#memory.ram, pa - (pa % GUEST_BLOCK_SIZE), GUEST_BLOCK_SIZE);
    if (place < 0 || place % GUEST_BLOCK_SIZE !== 0) return;
    this.#memory.words[this.#table + block] = place | permissions;
    this.#isEmpty = false;
  }

  /** Forgets all of them: the second stage is another. */
  clear(): void {
    if (this.#isEmpty || this.#table === undefined) return;
    this.#isEmpty = true;
    this.#memory.words.fill(0, this.#table, this.#table + GUEST_BLOCKS);
  }
}
