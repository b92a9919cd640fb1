/** XZ as kernels are packed (.xz file format 1.2): one stream of LZMA2 with the filter for x86 branches, and CRC32 or nothing to check it by. */
import { crc32 } from 'node:zlib';
import { decodeBranches } from './branches.ts';
import { Lzma2Decoder } from './lzma.ts';

const HEADER = 12;
const FOOTER = 12;
const Check = { none: 0, crc32: 1 } as const;
const Filter = { x86: 0x04, lzma2: 0x21 } as const;
/** Block flags: sizes are there; how many filters, less one. */
const Flag = { packedSize: 0x40, size: 0x80, reserved: 0x3c, filters: 3 } as const;

const damaged = (what: string): RangeError => new RangeError(`XZ: ${what}`);

/** Reads fields one after the other. */
class Reader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  byte(): number {
    if (this.at >= this.#bytes.length) throw damaged('ends too early');
    return this.#bytes[this.at++] as number;
  }

  /** Seven bits a byte, the lowest first. */
  integer(): number {
    let value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
    throw damaged('a number of more than 63 bits');
  }
}

/** Whether the four bytes behind `from` … `to` are their CRC32. */
function isIntact(file: Uint8Array, from: number, to: number): boolean {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  return to + 4 <= file.length && crc32(file.subarray(from, to)) === view.getUint32(to, true);
}

/** The filters of a block behind its sizes, which all readers pass over. @returns whether branches are filtered */
function filtersOf(reader: Reader, flags: number): boolean {
  if ((flags & Flag.reserved) !== 0) throw damaged('a block of another kind');
  if ((flags & Flag.packedSize) !== 0) reader.integer();
  if ((flags & Flag.size) !== 0) reader.integer();
  const filters = Array.from({ length: (flags & Flag.filters) + 1 }, () => {
    const id = reader.integer();
    const properties = Array.from({ length: reader.integer() }, () => reader.byte());
    // Branches could be counted from somewhere else, which nobody does.
    if (id === Filter.x86 && properties.length !== 0) throw damaged('branches from elsewhere');
    return id;
  });
  const [first, second] = filters;
  if (filters.length === 1 && first === Filter.lzma2) return false;
  if (filters.length === 2 && first === Filter.x86 && second === Filter.lzma2) return true;
  throw damaged(`filters ${filters.map((id) => `0x${id.toString(16)}`).join(', ')}`);
}

/** @throws {RangeError} for damaged data, for filters and checks of other uses, and if it is not `size` bytes */
export function unpackXz(file: Uint8Array, size: number): Uint8Array {
  const check = file[7];
  if (file.length < HEADER + FOOTER || !isIntact(file, 6, 8)) throw damaged('no header');
  if (check !== Check.none && check !== Check.crc32) throw damaged(`check ${check}`);
  const output = new Uint8Array(size);
  let to = 0;
  let at = HEADER;
  // What is no block is the index.
  while (file[at] !== 0) {
    const end = at + 4 * (file[at] as number);
    if (!isIntact(file, at, end)) throw damaged('a header of a block');
    const reader = new Reader(file, at + 1);
    const filtersBranches = filtersOf(reader, reader.byte());
    const decoder = new Lzma2Decoder(file, end + 4, output, to);
    decoder.run();
    const block = output.subarray(to, decoder.to);
    to = decoder.to;
    if (filtersBranches) decodeBranches(block);
    at = end + 4 + Math.ceil((decoder.at - end - 4) / 4) * 4;
    if (check === Check.crc32) {
      const view = new DataView(file.buffer, file.byteOffset, file.length);
      if (at + 4 > file.length || crc32(block) !== view.getUint32(at, true)) throw damaged('a block');
      at += 4;
    }
  }
  if (to !== size) throw damaged(`${to} bytes instead of ${size}`);
  return output;
}
