/** The section of per-CPU variables: where each lies in an area, and the pristine image that areas are copies of. */
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { type PerCpuType, u64, viewsOf, type Views } from './types.ts';

/** Alignment of areas, and the granularity of their size. A cache line, so that CPUs do not share one. */
export const AREA_ALIGN = 64;

/** Offset of the hidden variable that holds the area's own address; so a pointer to an area can be told from any other. */
export const SELF_OFFSET = 0;

/** A variable in the section. */
export interface Slot {
  readonly name: string;
  readonly type: PerCpuType<unknown>;
  /** From the start of the area. */
  readonly offset: number;
}

/** A slot as another thread needs it. */
export interface SlotInfo {
  readonly name: string;
  readonly signature: string;
  readonly offset: number;
}

const up = (n: number, align: number): number => Math.ceil(n / align) * align;

/** The section. */
export class Template {
  readonly #slots = new Map<string, Slot>();
  #size: number = u64.size;
  #views: Views = viewsOf(new ArrayBuffer(AREA_ALIGN));

  /** Bytes in use, the hidden variable included; not rounded. */
  get size(): number {
    return this.#size;
  }

  get slots(): readonly Slot[] {
    return [...this.#slots.values()];
  }

  slot(name: string): Slot | undefined {
    return this.#slots.get(name);
  }

  /**
   * Adds a variable at the next suitable offset, or at `at`.
   *
   * @param limit - bytes an area has room for
   * @throws {AxError} AlreadyExists, InvalidInput (value or alignment), NoMemory (no room in areas that exist already)
   */
  add<T>(name: string, type: PerCpuType<T>, init: T, options: { readonly align?: number | undefined; readonly at?: number | undefined; readonly limit: number }): Slot {
    ensure(!this.#slots.has(name), 'AlreadyExists', `the per-CPU variable '${name}' is defined already`);
    const align = options.align ?? type.align;
    ensure(align % type.align === 0 && AREA_ALIGN % align === 0, 'InvalidInput', `'${name}' cannot be aligned to ${align} bytes`);
    type.check(init);
    const offset = options.at ?? up(this.#size, align);
    const end = offset + type.size;
    if (end > options.limit) throw axError('NoMemory', `'${name}' needs ${type.size} bytes, and the per-CPU areas have room for ${options.limit - this.#size} more`);
    this.#size = Math.max(this.#size, end);
    if (end > this.#views.u8.length) {
      const grown = viewsOf(new ArrayBuffer(up(end * 2, AREA_ALIGN)));
      grown.u8.set(this.#views.u8);
      this.#views = grown;
    }
    type.store(this.#views, offset, init);
    const slot: Slot = { name, type, offset };
    this.#slots.set(name, slot);
    return slot;
  }

  /** Moves every variable to where `layout` has it. @throws {AxError} InvalidInput if one is missing there or of another type */
  relocate(layout: readonly SlotInfo[]): void {
    const old = this.slots.map((slot) => ({ slot, value: slot.type.load(this.#views, slot.offset) }));
    const moved = old.map(({ slot, value }) => ({ slot, value, at: offsetIn(layout, slot.name, slot.type) }));
    this.#slots.clear();
    for (const { slot, value, at } of moved) this.add(slot.name, slot.type, value, { at, limit: Infinity });
  }

  /** Writes initial values to the area at `area`: of one variable, or of all with the hidden one. */
  copyTo(target: Views, area: number, only?: Slot): void {
    const [from, size] = only === undefined ? [0, this.#size] : [only.offset, only.type.size];
    target.u8.set(this.#views.u8.subarray(from, from + size), area + from);
    if (only === undefined) u64.store(target, area + SELF_OFFSET, BigInt(area));
  }
}

/** The offset that `layout` has for a variable. @throws {AxError} InvalidInput if it is missing there or of another type */
export function offsetIn(layout: readonly SlotInfo[], name: string, type: { readonly signature: string }): number {
  const info = layout.find((s) => s.name === name);
  ensure(info !== undefined, 'InvalidInput', `the shared per-CPU areas have no variable '${name}': define it before they are shared`);
  ensure(info.signature === type.signature, 'InvalidInput', `'${name}' is ${type.signature} here and ${info.signature} in the shared per-CPU areas`);
  return info.offset;
}
