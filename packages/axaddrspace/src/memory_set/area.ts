/** An area: a contiguous range of addresses with one set of flags and the back end that maps it. */
import { ensure } from '@axvisor/axvisor_api/errors';

/**
 * What maps the areas of a {@link MemorySet}. `F` is the type of the flags (compared with `===`), `B` the back end itself.
 *
 * Each operation either succeeds, or throws and leaves its range as it was. Back ends are immutable: {@link split} and
 * {@link merge} return other ones, so that an operation that fails halfway can drop them.
 */
export interface MappingBackend<F, B> {
  /** Maps [start, start + size). */
  map(start: bigint, size: bigint, flags: F): void;
  /** Does what can fail in an {@link unmap} of the range, without visible effect. Called for all ranges before the first is unmapped. */
  prepareUnmap?(start: bigint, size: bigint): void;
  /** Unmaps [start, start + size). */
  unmap(start: bigint, size: bigint): void;
  /** Changes the flags of [start, start + size). */
  protect(start: bigint, size: bigint, flags: F): void;
  /** The back ends of both parts when its area is cut `offset` bytes from the start. Default: the back end itself, twice. */
  split?(offset: bigint): readonly [left: B, right: B];
  /** The back end of an area joined with the one behind it, which has the same flags; `undefined` keeps them apart. */
  merge?(right: B): B | undefined;
}

const SPACE_END = 1n << 64n;

/** An area of a {@link MemorySet}; immutable. */
export class MemoryArea<F, B> {
  readonly start: bigint;
  readonly size: bigint;
  readonly flags: F;
  readonly backend: B;

  /** @throws {AxError} InvalidInput for size 0, OutOfRange beyond 2^64 */
  constructor(start: bigint, size: bigint, flags: F, backend: B) {
    ensure(size > 0n, 'InvalidInput', 'an area has at least one byte');
    ensure(start >= 0n && start + size <= SPACE_END, 'OutOfRange', `area at 0x${start.toString(16)} of 0x${size.toString(16)} bytes exceeds 2^64`);
    this.start = start;
    this.size = size;
    this.flags = flags;
    this.backend = backend;
  }

  /** The first address behind the area. */
  get end(): bigint {
    return this.start + this.size;
  }
}
