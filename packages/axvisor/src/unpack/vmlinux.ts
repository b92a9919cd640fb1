/** The kernel that is packed in a bzImage (Linux, Documentation/arch/x86/boot, payload_offset): an ELF file, which the PVH protocol starts. */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { usageError } from '../errors.ts';
import { unpackLz4 } from './lz4.ts';
import { unpackXz } from './xz.ts';

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
  { name: 'LZ4', magic: [0x02, 0x21, 0x4c, 0x18], unpack: (packed, size) => unpackLz4(packed.subarray(0, packed.length - SIZE_BYTES), size) },
  { name: 'Zstandard', magic: [0x28, 0xb5, 0x2f, 0xfd], unpack: (packed) => zstdDecompressSync(packed.subarray(0, packed.length - SIZE_BYTES)) },
  { name: 'XZ', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], unpack: (packed, size) => unpackXz(packed.subarray(0, packed.length - SIZE_BYTES), size) },
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
  if (packing?.unpack === undefined) throw usageError(`${what}: packed as ${packing?.name ?? 'something unknown'}; gzip, LZ4, XZ and Zstandard are unpacked here, boot it as it is`);
  const size = view.getUint32(start + packed.length - SIZE_BYTES, true);
  if (size > LARGEST) throw usageError(`${what}: its kernel would have ${size} bytes`);
  try {
    return packing.unpack(packed, size);
  } catch (e) {
    throw usageError(`${what}: damaged ${packing.name} data`, e);
  }
}
