/** Kernels out of bzImages, packed by the tools that Linux is built with where they are installed. */
import { spawnSync } from 'node:child_process';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { vmlinuxOf } from '../../src/vmlinux.ts';

const KERNEL = Uint8Array.from({ length: 300_000 }, (_, i) => (i % 7 === 0 ? (i * i) >> 5 : i >> 9) & 0xff);

/** A bzImage of one setup sector with this payload. */
function bzImage(payload: Uint8Array): Uint8Array {
  const file = new Uint8Array(1024 + 64 + payload.length + 100);
  const view = new DataView(file.buffer);
  file[0x1f1] = 1;
  view.setUint32(0x202, 0x5372_6448, true);
  view.setUint16(0x206, 0x020f, true);
  view.setUint32(0x248, 64, true);
  view.setUint32(0x24c, payload.length, true);
  file.set(payload, 1024 + 64);
  return file;
}
const sized = (packed: Uint8Array): Uint8Array => Buffer.concat([packed, Buffer.from(Uint32Array.of(KERNEL.length).buffer)]);
const unpack = (payload: Uint8Array): Uint8Array => vmlinuxOf(bzImage(payload), 'kernel');

describe('unpacks', () => {
  test('gzip and Zstandard', () => {
    expect(Buffer.compare(unpack(gzipSync(KERNEL)), KERNEL)).toBe(0);
    expect(Buffer.compare(unpack(sized(zstdCompressSync(KERNEL))), KERNEL)).toBe(0);
  });

  const lz4 = spawnSync('lz4', ['-l', '-9', '-c'], { input: KERNEL, maxBuffer: 1 << 24 });
  test.runIf(lz4.status === 0)('LZ4', () => {
    expect(Buffer.compare(unpack(sized(lz4.stdout)), KERNEL)).toBe(0);
  });

  test('LZ4 with a copy that overlaps itself, in two blocks', () => {
    const blocks = [[0x10, 0x61, 1, 0, 0x30, 0x62, 0x63, 0x64], [0x20, 0x65, 0x66]].flatMap((b) => [b.length, 0, 0, 0, ...b]);
    const payload = Uint8Array.from([0x02, 0x21, 0x4c, 0x18, ...blocks, 10, 0, 0, 0]);
    expect(Buffer.from(unpack(payload)).toString()).toBe('aaaaabcdef');
  });
});

test.each([
  ['no bzImage', new Uint8Array(0x400), 'no bzImage'],
  ['XZ', bzImage(Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0, 0)), 'packed as XZ'],
  ['something else', bzImage(Uint8Array.of(1, 2, 3, 4, 5, 6)), 'packed as something unknown'],
  ['damaged gzip', bzImage(Uint8Array.of(0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0)), 'damaged gzip'],
  ['LZ4 that copies from outside', bzImage(Uint8Array.of(0x02, 0x21, 0x4c, 0x18, 4, 0, 0, 0, 0x10, 0x61, 2, 0, 9, 0, 0, 0)), 'damaged LZ4'],
  ['LZ4 that ends too early', bzImage(Uint8Array.of(0x02, 0x21, 0x4c, 0x18, 2, 0, 0, 0, 0xf0, 0xff, 9, 0, 0, 0)), 'damaged LZ4'],
  ['nothing', bzImage(new Uint8Array(0)), 'truncated'],
] as const)('says what is wrong: %s', (_, file, message) => {
  expect(() => vmlinuxOf(file, 'kernel x')).toThrow(message);
});
