import { expect, test } from 'vitest';
import fc from 'fast-check';
import { planKernel, readElf } from '../src/index.ts';
import { checkPlaced, placeDtb, placeInitrd } from '../src/image/placement.ts';

const at = { arch: 'riscv64', ramBase: 0x8000_0000n, loadAddr: undefined } as const;

/** An ELF64 with one segment. */
function elf(options: { machine?: number; offset?: bigint; filesz?: bigint; memsz?: bigint; entry?: bigint; vaddr?: bigint; paddr?: bigint } = {}): Uint8Array {
  const { machine = 243, offset = 0x1000n, filesz = 16n, memsz = 32n, entry = 0xffff_ffff_8000_0004n, vaddr = 0xffff_ffff_8000_0000n, paddr = 0x8020_0000n } = options;
  const file = new Uint8Array(0x1010);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(18, machine, true);
  view.setBigUint64(24, entry, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  for (const [o, v] of [[8, offset], [16, vaddr], [24, paddr], [32, filesz], [40, memsz]] as const) view.setBigUint64(64 + o, v, true);
  return file;
}

function image(length = 4096, { flags = 0n, size = 0x10000n } = {}): Uint8Array {
  const file = new Uint8Array(length);
  const view = new DataView(file.buffer);
  view.setBigUint64(8, 0x20_0000n, true);
  view.setBigUint64(16, size, true);
  view.setBigUint64(24, flags, true);
  file.set(new TextEncoder().encode('RISCV\0\0\0'), 48);
  file.set(new TextEncoder().encode('RSC\x05'), 56);
  return file;
}

test('an ELF is loaded at its physical addresses and entered physically', () => {
  const plan = planKernel(elf(), at);
  expect(plan).toMatchObject({ kind: 'elf', entry: 0x8020_0004n });
  expect(plan.pieces).toMatchObject([{ address: 0x8020_0000n, memorySize: 32n }]);
});

test.each([
  ['another architecture', elf({ machine: 62 }), 'made for x86_64, this machine is riscv64'],
  ['a truncated segment', elf({ filesz: 0x100n, memsz: 0x100n }), 'segment 0 is truncated: it ends at byte 4352 of 4112'],
  ['a segment larger than its memory', elf({ memsz: 1n }), 'larger in the file than in memory'],
  ['a segment that wraps', elf({ paddr: 0xffff_ffff_ffff_fff0n }), 'wraps around'],
  ['a header alone', elf().subarray(0, 64), 'program headers are truncated'],
  ['a few bytes', elf().subarray(0, 20), 'header is incomplete'],
  ['a big-endian Image', image(4096, { flags: 1n }), 'big-endian'],
  ['an empty file', new Uint8Array(0), 'empty'],
  ['a text file', new TextEncoder().encode('#!/bin/sh\n'.repeat(20)), 'not a kernel: neither ELF nor RISC-V Image nor arm64 Image; a raw binary needs a load address'],
])('%s is refused with the reason', (_name, file, message) => {
  expect(() => planKernel(file, at)).toThrow(message);
});

test('an Image goes to its text offset, and a load address moves it; raw binaries need one', () => {
  expect(planKernel(image(), at)).toMatchObject({ kind: 'image', entry: 0x8020_0000n, pieces: [{ memorySize: 0x10000n }] });
  expect(planKernel(image(), { ...at, loadAddr: 0x9000_0000n }).entry).toBe(0x9000_0000n);
  expect(planKernel(Uint8Array.of(1, 2, 3), { ...at, loadAddr: 0x8020_0000n })).toMatchObject({ kind: 'raw', entry: 0x8020_0000n });
});

test('an Image whose section table reaches beyond the file is truncated', () => {
  const file = image(4096);
  const view = new DataView(file.buffer);
  view.setUint16(0, 0x5a4d, true);
  view.setUint32(60, 64, true);
  view.setUint32(64, 0x4550, true);
  view.setUint16(70, 1, true);
  view.setUint16(84, 0, true);
  view.setUint32(88 + 16, 0x2000, true);
  view.setUint32(88 + 20, 0x1000, true);
  expect(() => planKernel(file, at)).toThrow('truncated, 4096 bytes of at least 12288');
});

test('whatever the bytes, the ELF reader returns or reports an InvalidExecutable', () => {
  const base = elf();
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(127), fc.nat(255)), { maxLength: 30 }), (edits) => {
    const file = base.slice();
    for (const [i, v] of edits) file[i] = v;
    try {
      readElf(file);
    } catch (e) {
      expect((e as { kind?: string }).kind).toBe('InvalidExecutable');
    }
  }), { numRuns: 500 });
});

test('device tree and initrd find a place without overlap, or it is said that they do not fit', () => {
  const ram = { base: 0x8000_0000n, size: 0x1000_0000n };
  expect(placeDtb(0x2000, ram)).toBe(0x8fe0_0000n);
  const kernel = { what: 'kernel', start: 0x8020_0000n, end: 0x8220_0000n };
  const dtb = { what: 'device tree', start: 0x8fe0_0000n, end: 0x8fe0_2000n };
  const initrd = placeInitrd(0x1f_f000, ram, [kernel, dtb]);
  expect(() => checkPlaced([kernel, dtb, { what: 'initrd', start: initrd, end: initrd + 0x1f_f000n }], [ram])).not.toThrow();
  expect(() => placeInitrd(0x1000_0000, ram, [kernel, dtb])).toThrow('the initrd (268435456 bytes) does not fit');
  expect(() => checkPlaced([kernel, { ...kernel, what: 'initrd' }], [ram])).toThrow('the kernel (0x80200000 to 0x82200000) overlaps the initrd');
  expect(() => checkPlaced([{ what: 'kernel', start: 0n, end: 1n }], [ram])).toThrow("the kernel (0x0 to 0x1, 1 bytes) does not fit in the guest's memory (0x80000000 to 0x90000000)");
});
