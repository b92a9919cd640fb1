/**
 * A nested page table: real tables in frames of physical memory, in the format of the architecture, walked by the processor.
 *
 * Addresses are `number`s here: no format translates more than 52 bits. Entries are pairs of 32-bit words, so that no `bigint` is
 * made on the way. Three things are always true: a table other than the root has at least one entry that is not zero; an
 * entry that the processor would call reserved or misconfigured is never written; after an error the table translates what
 * it translated before.
 */
import type { MappingFlags } from '@axvisor/axvisor_api/addrspace';
import { ensure } from '@axvisor/axvisor_api/errors';
import { PhysFrame } from '../frame/phys_frame.ts';
import { EntryCodec } from './entry.ts';
import { LEVEL_SIZES, MAX_LEAF_LEVEL, rootFrames, type TableFormat } from './format.ts';
import { Shootdown } from './shootdown.ts';
import { ENTRIES, TABLE_WORDS, Tables } from './tables.ts';

const PAGE = 4096;
const GIB = 2 ** 30;

/** What a walk ends at. */
export interface LeafInfo {
  /** The host address of the whole leaf, and the guest address it is mapped at. */
  readonly hpa: number;
  readonly gpa: number;
  /** Bytes: 4 KiB, 2 MiB or 1 GiB. */
  readonly size: number;
  readonly flags: MappingFlags;
  readonly dirty: boolean;
}

/** Called for a leaf that was taken out; the frames are still in use until the end of the batch. */
export type OnUnmapped = (hpa: number, size: number) => void;

export class NestedPageTable extends Tables implements Disposable {
  readonly format: TableFormat;
  /** Collects what the processor has to be told; {@link Shootdown.batch} joins operations. */
  readonly shootdown: Shootdown;
  /** Bytes from the last {@link locate}d address to the end of its leaf. */
  limit = 0;

  readonly #codec: EntryCodec;
  readonly #root: PhysFrame;
  readonly #rootWord: number;
  /** The level at which the last walk ended. */
  #level = 0;

  // Copied from the format for the walk.
  readonly #topLevel: number;
  readonly #readLo: number;
  readonly #writeLo: number;
  readonly #writeHi: number;
  readonly #dirtyLo: number;

  /**
   * An empty table whose translations are tagged with `vmid`.
   *
   * @throws {AxError} NoMemory
   */
  constructor(format: TableFormat, vmid: number) {
    const { entry, levels } = format;
    const frames = rootFrames(format);
    super(entry);
    this.format = format;
    this.shootdown = new Shootdown(vmid);
    this.#codec = new EntryCodec(entry);
    this.#root = PhysFrame.allocZero(frames, Math.log2(frames));
    this.#rootWord = Number(this.#root.start) / 4;
    this.#topLevel = levels - 1;
    this.#readLo = entry.read[0];
    [this.#writeLo, this.#writeHi] = entry.write;
    this.#dirtyLo = entry.dirty[0];
  }

  /** Address of the root table. */
  get root(): PhysFrame['start'] {
    return this.#root.start;
  }

  /** Whether an entry of the format can express the permissions in `flags`. */
  canExpress(flags: MappingFlags): boolean {
    return this.#codec.canExpress(flags);
  }

  /**
   * Maps [gpa, gpa + size) to the host memory from `hpa`, with the largest pages that alignment allows, or with 4 KiB pages
   * if not `huge`. Leaves begin accessed and dirty. All three are multiples of 4 KiB.
   *
   * @throws {AxError} InvalidInput for a range out of reach or permissions that the format cannot express; AlreadyExists if
   * something in the range is mapped; NoMemory for the tables
   */
  map(gpa: number, hpa: number, size: number, flags: MappingFlags, huge: boolean = true): void {
    this.#checkRange(gpa, size);
    ensure(hpa >= 0 && hpa % PAGE === 0 && hpa + size <= 2 ** this.format.hpaBits, 'InvalidInput', `host range at 0x${hpa.toString(16)}`);
    ensure(this.canExpress(flags), 'InvalidInput', `${this.format.entry.name} cannot express the permissions ${flags & 7} (1 read, 2 write, 4 execute)`);
    const taken = this.some(gpa, size, () => true);
    ensure(!taken, 'AlreadyExists', `something in 0x${gpa.toString(16)} + 0x${size.toString(16)} is mapped already`);
    this.shootdown.batch(() => {
      try {
        this.#map(this.#rootWord, this.#topLevel, 0, gpa, gpa + size, hpa - gpa, flags, huge);
      } catch (e) {
        this.#clear(this.#rootWord, this.#topLevel, 0, gpa, gpa + size, () => {});
        throw e;
      }
    });
  }

  /**
   * Splits larger pages at the borders of [gpa, gpa + size), so that {@link unmap} and {@link protect} of it cannot fail.
   *
   * @throws {AxError} NoMemory for the tables
   */
  prepare(gpa: number, size: number): void {
    this.#checkRange(gpa, size);
    this.#splitAt(gpa);
    if (gpa + size < 2 ** this.format.gpaBits) this.#splitAt(gpa + size);
  }

  /**
   * Unmaps what is mapped in [gpa, gpa + size). Tables that become empty are given back.
   *
   * @throws {AxError} InvalidInput for a range out of reach; NoMemory if a larger page must be split
   */
  unmap(gpa: number, size: number, onUnmapped: OnUnmapped = () => {}): void {
    this.prepare(gpa, size);
    this.shootdown.batch(() => this.#clear(this.#rootWord, this.#topLevel, 0, gpa, gpa + size, onUnmapped));
  }

  /**
   * Gives all that is mapped in [gpa, gpa + size) other flags. Address and dirty state stay.
   *
   * @throws {AxError} InvalidInput for a range out of reach or permissions that the format cannot express; NoMemory if a
   * larger page must be split
   */
  protect(gpa: number, size: number, flags: MappingFlags): void {
    ensure(this.canExpress(flags), 'InvalidInput', `${this.format.entry.name} cannot express the permissions ${flags & 7} (1 read, 2 write, 4 execute)`);
    this.prepare(gpa, size);
    const words = this.words;
    this.shootdown.batch(() =>
      this.some(gpa, size, (i, level, at) => {
        const dirty = this.#codec.isDirty(words[i]!, words[i + 1]!);
        this.writeEntry(i, this.leafAddress(i), this.#codec.encode(flags, level, dirty));
        this.shootdown.changed(at, LEVEL_SIZES[level]!);
        return false;
      }),
    );
  }

  /** Marks the page at `gpa` written, if something is mapped there. */
  markDirty(gpa: number): void {
    const i = this.#walk(gpa);
    const lo = this.words[i]!;
    const hi = this.words[i + 1]!;
    if ((lo | hi) === 0 || this.#codec.isDirty(lo, hi)) return;
    const flags = this.#codec.decode(lo, hi);
    this.writeEntry(i, this.leafAddress(i), this.#codec.encode(flags, this.#level, true));
  }

  /** Calls `found` for each written page in [gpa, gpa + size), in ascending order, and makes it clean again if `reset`. */
  collectDirty(gpa: number, size: number, reset: boolean, found: (gpa: number, size: number) => void): void {
    const words = this.words;
    this.shootdown.batch(() =>
      this.some(gpa, size, (i, level, at) => {
        const lo = words[i]!;
        const hi = words[i + 1]!;
        if (!this.#codec.isDirty(lo, hi)) return false;
        found(at, LEVEL_SIZES[level]!);
        if (!reset) return false;
        const { dirty, dirtyReadOnly } = this.format.entry;
        words[i] = lo & ~(dirty[0] | dirtyReadOnly[0]);
        words[i + 1] = hi & ~(dirty[1] | dirtyReadOnly[1]);
        this.shootdown.changed(at, LEVEL_SIZES[level]!);
        return false;
      }),
    );
  }

  /** The leaf that maps `gpa`, also one without permissions. */
  query(gpa: number): LeafInfo | undefined {
    if (!(gpa >= 0 && gpa < 2 ** this.format.gpaBits)) return undefined;
    const i = this.#walk(gpa);
    const lo = this.words[i]!;
    const hi = this.words[i + 1]!;
    if ((lo | hi) === 0) return undefined;
    const size = LEVEL_SIZES[this.#level]!;
    return { hpa: this.leafAddress(i), gpa: gpa - (gpa % size), size, flags: this.#codec.decode(lo, hi), dirty: this.#codec.isDirty(lo, hi) };
  }

  /** The host address of `gpa`, -1 if it is not mapped or has no permissions. Sets {@link limit}. `gpa` must be in reach. */
  translate(gpa: number): number {
    const i = this.#walk(gpa);
    return (this.words[i]! & this.present) === 0 ? -1 : this.#hostAddress(i, gpa);
  }

  /**
   * The host address of `gpa` for an access that the entry permits, else -1. Sets {@link limit}. A page that is located for
   * writing counts as written. `gpa` must be in reach.
   */
  locate(gpa: number, write: boolean): number {
    const words = this.words;
    const i = this.#walk(gpa);
    const lo = words[i]!;
    if ((lo & this.present) === 0) return -1;
    if (write) {
      if (((lo & this.#writeLo) | (words[i + 1]! & this.#writeHi)) === 0) return -1;
      if ((lo & this.#dirtyLo) === 0) words[i] = lo | this.#dirtyLo;
    } else if ((lo & this.#readLo) === 0) return -1;
    return this.#hostAddress(i, gpa);
  }

  /**
   * Calls `visit` for each leaf that overlaps [gpa, gpa + size), in ascending order, until it returns `true`; tells whether it
   * did. `entry` is the index of the leaf's lower word in physical memory, `at` the guest address of the leaf.
   */
  some(gpa: number, size: number, visit: (entry: number, level: number, at: number) => boolean): boolean {
    return this.#some(this.#rootWord, this.#topLevel, 0, gpa, gpa + size, visit);
  }

  /** Gives all tables back. What is mapped is left alone. @throws {AxError} BadState the second time */
  [Symbol.dispose](): void {
    const root = Number(this.#root.start);
    this.shootdown.batch(() => {
      this.#clear(this.#rootWord, this.#topLevel, 0, 0, 2 ** this.format.gpaBits, () => {});
      this.shootdown.retire(root, 1, () => this.#root[Symbol.dispose]());
    });
  }

  #checkRange(gpa: number, size: number): void {
    ensure(gpa >= 0 && size > 0 && gpa % PAGE === 0 && size % PAGE === 0, 'InvalidInput', `0x${gpa.toString(16)} + 0x${size.toString(16)} is no range of 4 KiB pages`);
    ensure(gpa + size <= 2 ** this.format.gpaBits, 'InvalidInput', `0x${gpa.toString(16)} + 0x${size.toString(16)} exceeds ${this.format.gpaBits} bits`);
  }

  /** The index of the entry at which the walk for `gpa` ends: a leaf, or zero. Sets the level. */
  #walk(gpa: number): number {
    const words = this.words;
    const upper = Math.floor(gpa / GIB);
    const lower = gpa - upper * GIB;
    let level = this.#topLevel;
    // The root is not masked: it may have more than 512 entries.
    let i = this.#rootWord + (upper >>> (9 * (level - 2))) * 2;
    for (;;) {
      const lo = words[i]!;
      if (level === 0 || (lo & this.present) === 0 || ((lo & this.block) ^ this.blockFlip) !== 0) {
        this.#level = level;
        return i;
      }
      level--;
      const index = level >= 2 ? (upper >>> (9 * (level - 2))) & 511 : (lower >>> (12 + 9 * level)) & 511;
      i = (lo >>> this.frameShift) * TABLE_WORDS + index * 2;
    }
  }

  #hostAddress(i: number, gpa: number): number {
    const size = LEVEL_SIZES[this.#level]!;
    const offset = gpa % size;
    this.limit = size - offset;
    return this.leafAddress(i) + offset;
  }

  #map(table: number, level: number, base: number, start: number, end: number, delta: number, flags: MappingFlags, huge: boolean): void {
    const span = LEVEL_SIZES[level]!;
    const attributes = this.#codec.encode(flags, level, true);
    const canLeaf = level === 0 || (huge && level <= MAX_LEAF_LEVEL && (base + delta) % span === 0);
    for (let at = start; at < end; ) {
      const index = Math.floor((at - base) / span);
      const slot = base + index * span;
      const stop = Math.min(end, slot + span);
      const i = table + index * 2;
      if (canLeaf && stop - at === span) this.writeEntry(i, at + delta, attributes);
      else {
        if ((this.words[i]! | this.words[i + 1]!) === 0) this.link(i, this.newTable());
        this.#map(this.child(i), level - 1, slot, at, stop, delta, flags, huge);
      }
      at = stop;
    }
  }

  /** Empties [start, end), at whose borders no larger page lies. */
  #clear(table: number, level: number, base: number, start: number, end: number, onUnmapped: OnUnmapped): void {
    const words = this.words;
    const span = LEVEL_SIZES[level]!;
    for (let at = start; at < end; ) {
      const index = Math.floor((at - base) / span);
      const slot = base + index * span;
      const stop = Math.min(end, slot + span);
      const i = table + index * 2;
      if ((words[i]! | words[i + 1]!) !== 0) {
        if (this.isTable(i, level)) {
          const child = this.child(i);
          this.#clear(child, level - 1, slot, at, stop, onUnmapped);
          if (stop - at === span || this.isEmpty(child)) {
            this.clearEntry(i);
            this.shootdown.retire(child * 4, 1);
          }
        } else {
          const hpa = this.leafAddress(i);
          this.clearEntry(i);
          this.shootdown.changed(slot, span);
          onUnmapped(hpa, span);
        }
      }
      at = stop;
    }
  }

  #some(table: number, level: number, base: number, start: number, end: number, visit: (entry: number, level: number, at: number) => boolean): boolean {
    const words = this.words;
    const span = LEVEL_SIZES[level]!;
    const last = Math.ceil((end - base) / span);
    for (let index = Math.floor((start - base) / span); index < last; index++) {
      const i = table + index * 2;
      if ((words[i]! | words[i + 1]!) === 0) continue;
      const slot = base + index * span;
      if (!this.isTable(i, level)) {
        if (visit(i, level, slot)) return true;
      } else if (this.#some(this.child(i), level - 1, slot, Math.max(start, slot), Math.min(end, slot + span), visit)) return true;
    }
    return false;
  }

  /** Splits larger pages until none lies across `gpa`. */
  #splitAt(gpa: number): void {
    for (;;) {
      const i = this.#walk(gpa);
      const level = this.#level;
      const size = LEVEL_SIZES[level]!;
      if (gpa % size === 0 || (this.words[i]! | this.words[i + 1]!) === 0) return;
      const hpa = this.leafAddress(i);
      const table = this.newTable();
      const lo = this.words[i]!;
      const hi = this.words[i + 1]!;
      const attributes = this.#codec.encode(this.#codec.decode(lo, hi), level - 1, this.#codec.isDirty(lo, hi));
      for (let n = 0; n < ENTRIES; n++) this.writeEntry(table + 2 * n, hpa + (n * size) / ENTRIES, attributes);
      this.link(i, table);
    }
  }
}
