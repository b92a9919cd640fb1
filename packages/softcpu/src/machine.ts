/** The ISA's side of an engine: what addresses mean, how exceptions are taken, how instructions are decoded. */
import type { Status } from './interp/layout.ts';

/** Kinds of memory access. */
export const Access = { load: 0, store: 1, fetch: 2 } as const;
export type Access = (typeof Access)[keyof typeof Access];

/** Bits of {@link Machine.permissions}. `global`: the translation is that of all address spaces of the regime. */
export const Permission = { read: 1, write: 2, execute: 4, global: 8 } as const;

/**
 * The ISA's side of the engine. Guest addresses are pairs of int32 words; exceptions are recorded first and taken by
 * {@link Machine.trap} with the pc in the state block on the instruction.
 */
export interface Machine {
  /** After a successful translation: accesses of the current mode to the whole page that need not ask again. */
  permissions(): number;
  /**
   * Translates an access that lies within a page; `offset` is how far into the instruction's access it begins.
   * @returns the physical address, or -1 with an exception recorded.
   */
  translate(lo: number, hi: number, access: Access, size: number, offset: number): number;
  /** Place in linear memory of a physical address, or -1 if no memory is there. Pages stay together. */
  place(physical: number): number;
  /** Records that nothing answers at an address. */
  accessFault(lo: number, hi: number, access: Access, offset: number): void;
  /** Records that an address is not aligned as the access demands. */
  misaligned(lo: number, hi: number, access: Access): void;
  /**
   * Takes the recorded exception of the instruction whose record is given, 0 if it could not be fetched.
   * @returns {@link Status.refetch} or {@link Status.leave}.
   */
  trap(record: number): Status;
  /** Reads a device: puts `size` bytes at `place`. False if nothing answers. */
  deviceRead(physical: number, size: number, place: number): boolean;
  /** Writes `size` bytes at `place` to a device. False if nothing answers. */
  deviceWrite(physical: number, size: number, place: number): boolean;
  /**
   * Decodes the instruction at `place`, of which `available` bytes are there, into the record at `record`; its address
   * ends in `offset` (within the page).
   * @returns its length in bytes, negative if execution may not go on behind it, 0 if it is longer than `available`.
   */
  decode(place: number, available: number, record: number, offset: number): number;
}
