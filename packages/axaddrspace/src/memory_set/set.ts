/**
 * A set of areas that do not overlap, in the order of their addresses. Every operation is a transaction: it takes effect as a
 * whole, or throws and leaves both the set and what its back ends map as they were.
 */
import { ensure } from '@axvisor/axvisor_api/errors';
import { MemoryArea, type MappingBackend } from './area.ts';
import { findFreeRange, type FreeRangeRequest } from './free_range.ts';
import { Transaction } from './transaction.ts';

/** A range of addresses that no area covers. */
export interface Gap {
  readonly start: bigint;
  readonly end: bigint;
}

/** An area in up to three parts: before, inside and behind a range. */
interface Cut<F, B> {
  readonly before: MemoryArea<F, B>[];
  readonly inside: MemoryArea<F, B>;
  readonly behind: MemoryArea<F, B>[];
}

export class MemorySet<F, B extends MappingBackend<F, B>> {
  /** In ascending order. */
  #areas: MemoryArea<F, B>[] = [];

  /** Number of areas. */
  get length(): number {
    return this.#areas.length;
  }

  /** The areas in ascending order. */
  [Symbol.iterator](): IterableIterator<MemoryArea<F, B>> {
    return this.#areas.values();
  }

  /** The area that contains `address`. */
  find(address: bigint): MemoryArea<F, B> | undefined {
    const area = this.#areas[this.#firstEndingBehind(address)];
    return area !== undefined && area.start <= address ? area : undefined;
  }

  /** The areas that have an address in [start, start + size), in ascending order. */
  overlapping(start: bigint, size: bigint): readonly MemoryArea<F, B>[] {
    return this.#areas.slice(...this.#span(start, start + size));
  }

  /** Whether an area has an address in [start, start + size). */
  overlaps(start: bigint, size: bigint): boolean {
    const [from, to] = this.#span(start, start + size);
    return from < to;
  }

  /** What is not covered in [start, start + size), in ascending order. */
  gaps(start: bigint, size: bigint): Gap[] {
    const end = start + size;
    const gaps: Gap[] = [];
    let at = start;
    for (const area of this.overlapping(start, size)) {
      if (at < area.start) gaps.push({ start: at, end: area.start });
      at = area.end;
    }
    if (at < end) gaps.push({ start: at, end });
    return gaps;
  }

  /**
   * The start of a free range: the lowest that is not below the hint, or with `topDown` the highest within the limit.
   *
   * @throws {AxError} InvalidInput for size 0, or an alignment that is no power of two
   */
  findFreeArea(request: FreeRangeRequest): bigint | undefined {
    return findFreeRange(this, request);
  }

  /**
   * Maps an area. With `replace`, what it overlaps is unmapped first.
   *
   * @throws {AxError} AlreadyExists if it overlaps without `replace`; and what the back end throws
   */
  map(area: MemoryArea<F, B>, options: { readonly replace?: boolean } = {}): void {
    const { start, size, flags, backend } = area;
    const [from, to] = this.#span(start, area.end);
    ensure(from === to || options.replace === true, 'AlreadyExists', `0x${start.toString(16)}..0x${area.end.toString(16)} overlaps an area`);
    const cuts = this.#areas.slice(from, to).map((a) => cut(a, start, area.end));
    Transaction.run((transaction) => {
      unmapInside(cuts, transaction);
      transaction.step(
        () => backend.map(start, size, flags),
        () => backend.unmap(start, size),
      );
    });
    this.#replace(from, to, [...cuts.flatMap((c) => c.before), area, ...cuts.flatMap((c) => c.behind)]);
  }

  /**
   * Unmaps [start, start + size); areas that reach beyond are cut, holes do not matter.
   *
   * @throws {AxError} InvalidInput for size 0 or a range beyond 2^64; and what the back ends throw
   */
  unmap(start: bigint, size: bigint): void {
    const [from, to, cuts] = this.#cuts(start, size);
    Transaction.run((transaction) => unmapInside(cuts, transaction));
    this.#replace(from, to, cuts.flatMap((c) => [...c.before, ...c.behind]));
  }

  /** Unmaps everything. */
  clear(): void {
    const cuts = this.#areas.map((inside) => ({ inside, before: [], behind: [] }));
    Transaction.run((transaction) => unmapInside(cuts, transaction));
    this.#areas = [];
  }

  /**
   * Changes flags in [start, start + size): `update` gets those of each area in the range and returns the new ones, or
   * `undefined` to leave the area alone. Areas that reach beyond are cut, holes do not matter.
   *
   * @throws {AxError} InvalidInput for size 0 or a range beyond 2^64; and what the back ends throw
   */
  protect(start: bigint, size: bigint, update: (flags: F) => F | undefined): void {
    const [from, to, cuts] = this.#cuts(start, size);
    const areas = Transaction.run((transaction) =>
      cuts.flatMap((c, n): MemoryArea<F, B>[] => {
        const { inside } = c;
        const flags = update(inside.flags);
        if (flags === undefined || flags === inside.flags) return [this.#areas[from + n]!];
        transaction.step(
          () => inside.backend.protect(inside.start, inside.size, flags),
          () => inside.backend.protect(inside.start, inside.size, inside.flags),
        );
        return [...c.before, new MemoryArea(inside.start, inside.size, flags, inside.backend), ...c.behind];
      }),
    );
    this.#replace(from, to, areas);
  }

  /** The areas in a range, cut at its borders, and where they are. */
  #cuts(start: bigint, size: bigint): [from: number, to: number, cuts: Cut<F, B>[]] {
    ensure(size > 0n, 'InvalidInput', 'a range has at least one byte');
    ensure(start >= 0n && start + size <= 1n << 64n, 'InvalidInput', `0x${start.toString(16)} and 0x${size.toString(16)} bytes exceed 2^64`);
    const [from, to] = this.#span(start, start + size);
    return [from, to, this.#areas.slice(from, to).map((area) => cut(area, start, start + size))];
  }

  /** Puts `areas` in the place of those numbered [from, to), joining what can be joined at its borders and within. */
  #replace(from: number, to: number, areas: MemoryArea<F, B>[]): void {
    const first = Math.max(0, from - 1);
    const joined: MemoryArea<F, B>[] = [];
    for (const area of [...this.#areas.slice(first, from), ...areas, ...this.#areas.slice(to, to + 1)]) {
      const last = joined.at(-1);
      const backend = last !== undefined && last.end === area.start && last.flags === area.flags ? last.backend.merge?.(area.backend) : undefined;
      if (last === undefined || backend === undefined) joined.push(area);
      else joined[joined.length - 1] = new MemoryArea(last.start, last.size + area.size, last.flags, backend);
    }
    this.#areas.splice(first, to + 1 - first, ...joined);
  }

  /** The numbers [from, to) of the areas that have an address in [start, end). */
  #span(start: bigint, end: bigint): [from: number, to: number] {
    const from = this.#firstEndingBehind(start);
    let to = from;
    while (to < this.#areas.length && this.#areas[to]!.start < end) to++;
    return [from, to];
  }

  #firstEndingBehind(address: bigint): number {
    let low = 0;
    let high = this.#areas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#areas[middle]!.end > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function split<F, B extends MappingBackend<F, B>>(area: MemoryArea<F, B>, at: bigint): [MemoryArea<F, B>, MemoryArea<F, B>] {
  const { start, end, flags, backend } = area;
  const [left, right] = backend.split?.(at - start) ?? [backend, backend];
  return [new MemoryArea(start, at - start, flags, left), new MemoryArea(at, end - at, flags, right)];
}

/** Cuts `area`, which overlaps [start, end), at the borders of that range. */
function cut<F, B extends MappingBackend<F, B>>(area: MemoryArea<F, B>, start: bigint, end: bigint): Cut<F, B> {
  let inside = area;
  const before: MemoryArea<F, B>[] = [];
  const behind: MemoryArea<F, B>[] = [];
  if (area.start < start) {
    const [left, right] = split(inside, start);
    before.push(left);
    inside = right;
  }
  if (end < area.end) {
    const [left, right] = split(inside, end);
    behind.push(right);
    inside = left;
  }
  return { before, inside, behind };
}

function unmapInside<F, B extends MappingBackend<F, B>>(cuts: readonly Cut<F, B>[], transaction: Transaction): void {
  for (const { inside } of cuts) inside.backend.prepareUnmap?.(inside.start, inside.size);
  for (const { inside } of cuts)
    transaction.step(
      () => inside.backend.unmap(inside.start, inside.size),
      () => inside.backend.map(inside.start, inside.size, inside.flags),
    );
}
