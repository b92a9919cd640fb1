/** LZ4's legacy frame: blocks with their lengths (LZ4, doc/lz4_Frame_format, doc/lz4_Block_format). */

/** @throws {RangeError} for damaged data, and if it is not `size` bytes */
export function unpackLz4(packed: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  let to = 0;
  for (let at = 4; at + 4 <= packed.length; ) {
    const length = view.getUint32(at, true);
    at += 4;
    to = unpackBlock(packed.subarray(at, at + length), out, to);
    at += length;
  }
  if (to !== size) throw new RangeError(`${to} bytes instead of ${size}`);
  return out;
}

/** Sequences of literals and a copy of what was there `offset` bytes before; the last one has literals only. */
function unpackBlock(block: Uint8Array, out: Uint8Array, start: number): number {
  let [at, to] = [0, start];
  const byte = (): number => {
    if (at >= block.length) throw new RangeError('the block ends too early');
    return block[at++] as number;
  };
  /** 15 goes on in further bytes, as long as they are 255. */
  const length = (nibble: number): number => {
    let sum = nibble;
    if (nibble === 15)
      for (let more = 255; more === 255; sum += more) more = byte();
    return sum;
  };
  while (at < block.length) {
    const token = byte();
    const literals = length(token >> 4);
    if (at + literals > block.length || to + literals > out.length) throw new RangeError('literals beyond the end');
    out.set(block.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    if (at === block.length) break;
    const offset = byte() | (byte() << 8);
    const copied = length(token & 15) + 4;
    if (offset === 0 || offset > to || to + copied > out.length) throw new RangeError('a copy from outside');
    // What is copied may overlap what it makes.
    if (offset >= copied) out.copyWithin(to, to - offset, to - offset + copied);
    else for (let i = 0; i < copied; i++) out[to + i] = out[to + i - offset] as number;
    to += copied;
  }
  return to;
}
