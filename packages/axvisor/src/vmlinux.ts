/** The kernel that is packed in a bzImage (Linux, Documentation/arch/x86/boot, payload_offset): an ELF file, which the PVH protocol starts. */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { usageError } from './errors.ts';

const HEADER_MAGIC = 0x5372_6448; // "HdrS"
const Header = { setupSects: 0x1f1, magic: 0x202, version: 0x206, payloadOffset: 0x248, payloadLength: 0x24c } as const;
/** The first protocol that says where the payload is. */
const OLDEST = 0x0208;
const SECTOR = 512;
/** Behind what most formats pack is the size unpacked. */
const SIZE_BYTES = 4;
/** More than any kernel has. */
const LARGEST = 1 << 30;

interface Packing {
  readonly name: string;
  readonly magic: readonly number[];
  /** Absent: not unpacked here. */
  readonly unpack?: (packed: Uint8Array, size: number) => Uint8Array;
}

const PACKINGS: readonly Packing[] = [
  { name: 'gzip', magic: [0x1f, 0x8b], unpack: (packed) => gunzipSync(packed) },
  { name: 'LZ4', magic: [0x02, 0x21, 0x4c, 0x18], unpack: unpackLz4 },
  { name: 'Zstandard', magic: [0x28, 0xb5, 0x2f, 0xfd], unpack: (packed) => zstdDecompressSync(packed.subarray(0, packed.length - SIZE_BYTES)) },
  { name: 'XZ', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: 'LZMA', magic: [0x5d, 0x00, 0x00] },
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68] },
  { name: 'LZO', magic: [0x89, 0x4c, 0x5a, 0x4f] },
];

/** @throws {CliError} if `file` is no bzImage, is damaged, or is packed as nothing here unpacks */
export function vmlinuxOf(file: Uint8Array, what: string): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  if (file.length < Header.payloadLength + 4 || view.getUint32(Header.magic, true) !== HEADER_MAGIC || view.getUint16(Header.version, true) < OLDEST)
    throw usageError(`${what}: no bzImage; there is no kernel to unpack`);
  const start = ((file[Header.setupSects] as number) + 1) * SECTOR + view.getUint32(Header.payloadOffset, true);
  const packed = file.subarray(start, start + view.getUint32(Header.payloadLength, true));
  if (packed.length <= SIZE_BYTES) throw usageError(`${what}: truncated; its kernel is not there`);
  const packing = PACKINGS.find(({ magic }) => magic.every((byte, i) => packed[i] === byte));
  if (packing?.unpack === undefined) throw usageError(`${what}: packed as ${packing?.name ?? 'something unknown'}; gzip, LZ4 and Zstandard are unpacked here, boot it as it is`);
  const size = view.getUint32(start + packed.length - SIZE_BYTES, true);
  if (size > LARGEST) throw usageError(`${what}: its kernel would have ${size} bytes`);
  try {
    return packing.unpack(packed, size);
  } catch (e) {
    throw usageError(`${what}: damaged ${packing.name} data`, e);
  }
}

/** LZ4's legacy frame: blocks with their lengths (LZ4, doc/lz4_Frame_format, doc/lz4_Block_format). */
function unpackLz4(packed: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  let to = 0;
  for (let at = 4; at + 4 <= packed.length - SIZE_BYTES; ) {
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
