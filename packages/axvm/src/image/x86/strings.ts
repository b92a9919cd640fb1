/** Strings in low memory: command lines and names, each ended by a zero. */
import { ensure } from '@axvisor/axvisor_api/errors';
import type { LoadPiece } from '../kernel.ts';
import { Low } from './start.ts';

const ROOM = 0x1_0000;

/** `text` in UTF-8. Every runtime has this way to it. */
export const utf8 = (text: string): number[] =>
  [...encodeURIComponent(text.toWellFormed()).matchAll(/%(..)|./gs)].map(([c, hex]) => (hex === undefined ? c.charCodeAt(0) : Number.parseInt(hex, 16)));

export class Strings {
  readonly #bytes: number[] = [];

  /** Adds `text` and returns its address. @throws {AxError} InvalidInput if the room is used up */
  add(text: string): bigint {
    const at = Low.strings + BigInt(this.#bytes.length);
    this.#bytes.push(...utf8(text));
    this.#bytes.push(0);
    ensure(this.#bytes.length <= ROOM, 'InvalidInput', `the command line is longer than ${ROOM} bytes`);
    return at;
  }

  piece(): LoadPiece {
    return { address: Low.strings, bytes: Uint8Array.from(this.#bytes), memorySize: BigInt(this.#bytes.length) };
  }
}
