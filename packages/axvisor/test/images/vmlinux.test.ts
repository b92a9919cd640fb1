/** Kernels out of bzImages, packed by the tools that Linux is built with where they are installed. */
import { spawnSync } from 'node:child_process';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { vmlinuxOf } from '../../src/unpack/vmlinux.ts';

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
/** 20 calls and jumps, 30 times a word; by xz --x86 --lzma2 --check=crc32. */
const SMALL_XZ = '/Td6WFoAAAFpIt42AgEEACEBFgANhjUf4AIRAGJdAHQBfBk+B9MwPP3tyuBAEnYpYjKhAKwjiOlz4rYVuaMH9nlpChcZb4ygFhteMqXkBDEQwz7BgBTB4uDbu5a49du/Exg05vTRazJLKclwGt+hj4rkFwbJMtYttIFHndEiAhQAAAAAHM0rzgABepIEAAAAXRlITT4wDYsCAAAAAAFZWg==';
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

  // Many calls and jumps, for the filter for branches.
  const CODE = Uint8Array.from({ length: 60_000 }, (_, i) => ((i * 2_654_435_761) >>> 13) & (i % 11 < 3 ? 0xff : 0x03)).map((byte, i) => (i % 5 === 0 || (i >> 4) % 9 === 0 ? 0xe8 | (byte & 1) : byte % 4 === 3 ? 0xff : byte));
  const xz = (...args: readonly string[]): ReturnType<typeof spawnSync> => spawnSync('xz', ['-c', '--check=crc32', ...args], { input: CODE, maxBuffer: 1 << 24 });
  test.runIf(xz('-0').status === 0).each([[['--x86', '--lzma2=preset=6']], [['--x86', '--lzma2=preset=0,lc=1,lp=3,pb=0']], [['-9', '--check=none']], [['--x86', '--lzma2=preset=6,dict=4KiB', '--block-size=25000']]])('XZ packed with %j', (args) => {
    const packed = Buffer.concat([xz(...args).stdout as Uint8Array, Buffer.from(Uint32Array.of(CODE.length).buffer)]);
    expect(Buffer.compare(unpack(packed), CODE)).toBe(0);
  });

  test('XZ with a filter for branches', () => {
    const text = [...Array.from({ length: 20 }, () => [0xe8, 1, 0, 0, 0, 0xe9, 0xfe, 0xff, 0xff, 0xff]), ...Array.from({ length: 30 }, () => [...Buffer.from('hypervisor ')])].flat();
    expect([...unpack(Buffer.concat([Buffer.from(SMALL_XZ, 'base64'), Buffer.from(Uint32Array.of(text.length).buffer)]))]).toEqual(text);
  });

  test('XZ, or says that it is damaged', () => {
    const packed = Buffer.concat([Buffer.from(SMALL_XZ, 'base64'), Buffer.from(Uint32Array.of(530).buffer)]);
    const whole = unpack(packed);
    let damaged = 0;
    for (let bit = 8 * 6; bit < 8 * (packed.length - 4); bit++) {
      const changed = Uint8Array.from(packed);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      try {
        expect(Buffer.compare(unpack(changed), whole)).toBe(0);
      } catch (e) {
        expect((e as Error).message).toBe('kernel: damaged XZ data');
        damaged++;
      }
    }
    // The index and what follows repeat what is known.
    expect(damaged).toBeGreaterThan(8 * (packed.length - 4 - 6) - 8 * 32);
  });

  test('LZ4 with a copy that overlaps itself, in two blocks', () => {
    const blocks = [[0x10, 0x61, 1, 0, 0x30, 0x62, 0x63, 0x64], [0x20, 0x65, 0x66]].flatMap((b) => [b.length, 0, 0, 0, ...b]);
    const payload = Uint8Array.from([0x02, 0x21, 0x4c, 0x18, ...blocks, 10, 0, 0, 0]);
    expect(Buffer.from(unpack(payload)).toString()).toBe('aaaaabcdef');
  });
});

test.each([
  ['no bzImage', new Uint8Array(0x400), 'no bzImage'],
  ['XZ', bzImage(Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0, 0)), 'damaged XZ'],
  ['LZMA', bzImage(Uint8Array.of(0x5d, 0, 0, 0, 0, 0, 0, 0, 0)), 'packed as LZMA'],
  ['something else', bzImage(Uint8Array.of(1, 2, 3, 4, 5, 6)), 'packed as something unknown'],
  ['damaged gzip', bzImage(Uint8Array.of(0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0)), 'damaged gzip'],
  ['LZ4 that copies from outside', bzImage(Uint8Array.of(0x02, 0x21, 0x4c, 0x18, 4, 0, 0, 0, 0x10, 0x61, 2, 0, 9, 0, 0, 0)), 'damaged LZ4'],
  ['LZ4 that ends too early', bzImage(Uint8Array.of(0x02, 0x21, 0x4c, 0x18, 2, 0, 0, 0, 0xf0, 0xff, 9, 0, 0, 0)), 'damaged LZ4'],
  ['nothing', bzImage(new Uint8Array(0)), 'truncated'],
] as const)('says what is wrong: %s', (_, file, message) => {
  expect(() => vmlinuxOf(file, 'kernel x')).toThrow(message);
});
