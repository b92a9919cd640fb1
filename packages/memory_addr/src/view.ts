/** Addresses of a linear memory as typed views, and back: what pointers are elsewhere. */
import type { Addr } from '@axvisor/axvisor_api/addr';
import { axError } from '@axvisor/axvisor_api/errors';
import type { AddrKind } from './kind.ts';

/** A typed array's constructor. */
export interface ViewConstructor<V> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): V;
}

/**
 * `length` elements of `buffer` from `address` on. Addresses are offsets in `buffer`.
 *
 * @throws {AxError} BadAddress if they are not all inside; InvalidInput if `address` is not aligned to the element size
 */
export function viewAt<V>(View: ViewConstructor<V>, buffer: ArrayBufferLike, address: Addr, length = 1): V {
  const size = View.BYTES_PER_ELEMENT;
  if (address + BigInt(length * size) > BigInt(buffer.byteLength))
    throw axError('BadAddress', `${length * size} bytes from 0x${address.toString(16)} exceed a memory of 0x${buffer.byteLength.toString(16)}`);
  if (address % BigInt(size) !== 0n) throw axError('InvalidInput', `0x${address.toString(16)} is not aligned to ${size} bytes`);
  return new View(buffer, Number(address), length);
}

/** The address of a view's first element in its buffer. */
export function addressOf<A extends Addr>(kind: AddrKind<A>, view: ArrayBufferView): A {
  return kind(BigInt(view.byteOffset));
}
