/**
 * Starts of x86, judged by QEMU's processor: a ROM brings it into the state that a plan asks for, memory is as the plan says, and small kernels print
 * the command line that they are handed. Where QEMU is not installed it is not asked.
 */
import { component as memoryAddr } from '@axvisor/memory_addr';
import { resolve } from '@axvisor/axvisor_api';
import type { X86Start } from '@axvisor/axvisor_api/vcpu';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '@axvisor/tooling/testing';
import { describe, expect, test } from 'vitest';
import type { LoadPiece } from '../src/image/kernel.ts';
import { bootStub } from '../src/image/x86/firmware.ts';
import { planPcBoot } from '../src/image/x86/plan.ts';

const QEMU = 'qemu-system-x86_64';
const haveQemu = present(QEMU);

const le = (n: bigint | number, size: number): number[] => Array.from({ length: size }, (_, i) => Number((BigInt(n) >> BigInt(8 * i)) & 0xffn));
const GPRS = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'] as const;

/** A BIOS image of 64 KiB that makes `start` of RESET's state. */
function rom(start: X86Start): Uint8Array {
  const image = new Uint8Array(0x1_0000);
  const gdtr = 0x200;
  const code: number[] = [0xfa, 0x31, 0xc0, 0x8e, 0xd8]; // cli; xor ax, ax; mov ds, ax
  const registers = (opcode: (r: number) => readonly number[], size: number): number[] =>
    GPRS.flatMap((name, r) => (start.registers[name] === undefined ? [] : [...opcode(r), ...le(start.registers[name], size)]));
  const segments = [0x66, 0xb8, ...le(start.data, 2), 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0x8e, 0xe0, 0x8e, 0xe8]; // mov ds, es, ss, fs, gs
  if (start.mode === 'real') code.push(0xea, ...le(start.rip, 2), ...le(start.code, 2)); // ljmp
  else {
    image.set([...le(start.gdt!.limit, 2), ...le(start.gdt!.base, 4)], gdtr);
    code.push(0x2e, 0x66, 0x0f, 0x01, 0x16, ...le(gdtr, 2)); // lgdt cs:[gdtr]
    if (start.mode === 'long') {
      code.push(0x0f, 0x20, 0xe0, 0x66, 0x83, 0xc8, 0x20, 0x0f, 0x22, 0xe0); // cr4.PAE
      code.push(0x66, 0xb8, ...le(start.cr3!, 4), 0x0f, 0x22, 0xd8); // cr3
      code.push(0x66, 0xb9, ...le(0xc000_0080n, 4), 0x0f, 0x32, 0x66, 0x0d, ...le(0x100, 4), 0x0f, 0x30); // efer.LME
    }
    code.push(0x0f, 0x20, 0xc0, 0x66, 0x0d, ...le(start.mode === 'long' ? 0x8000_0001n : 1n, 4), 0x0f, 0x22, 0xc0); // cr0
    code.push(0x66, 0xea, ...le(0xf_0000 + code.length + 8, 4), ...le(start.code, 2), ...segments); // ljmp; segments
    if (start.mode === 'long') code.push(...registers((r) => [0x48, 0xb8 + r], 8), 0x49, 0xbb, ...le(start.rip, 8), 0x41, 0xff, 0xe3); // jmp r11
    else code.push(...registers((r) => [0xb8 + r], 4), 0x68, ...le(start.rip, 4), 0xc3); // push; ret
  }
  image.set(code);
  image.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0); // ljmp f000:0000
  return image;
}

/** What the machine prints until the kernel ends it by the test device, and with which result. */
function run(start: X86Start, pieces: readonly LoadPiece[]): { readonly printed: string; readonly status: number | null } {
  const folder = mkdtempSync(join(tmpdir(), 'x86-'));
  try {
    writeFileSync(join(folder, 'rom'), rom(start));
    const loaders = pieces.flatMap(({ address, bytes }, i) => {
      writeFileSync(join(folder, `piece${i}`), bytes);
      return ['-device', `loader,file=piece${i},addr=0x${address.toString(16)},force-raw=on`];
    });
    const { stdout, status } = spawnSync(
      QEMU,
      ['-machine', 'pc', '-m', '64', '-bios', 'rom', '-nodefaults', '-display', 'none', '-serial', 'stdio', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-no-reboot', ...loaders],
      { cwd: folder, encoding: 'latin1', timeout: 20_000 },
    );
    return { printed: stdout, status };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Prints the string at ESI and ends with 42: 32- and 64-bit code alike. */
const PRINT = [
  0x66, 0xba, 0xf8, 0x03, // mov dx, 0x3f8
  0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, // 1: lodsb; test al, al; jz 2f; out dx, al; jmp 1b
  0xb0, 0x15, 0xe6, 0xf4, // 2: mov al, 21; out 0xf4, al
  0xf4, 0xeb, 0xfd, // hlt
];
const MULTIBOOT = [0x02, 0xb0, 0xad, 0x1b, 0, 0, 0, 0, 0xfe, 0x4f, 0x52, 0xe4];

/** An ELF file of 64 bits with `code` at 2 MiB + 32. */
function elf(code: readonly number[], { head = [], pvh = false }: { readonly head?: readonly number[]; readonly pvh?: boolean } = {}): Uint8Array {
  const file = new Uint8Array(0x400);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(18, 62, true);
  view.setBigUint64(24, 0x20_0020n, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, pvh ? 2 : 1, true);
  const program = (at: number, type: number, ...fields: readonly number[]): void => {
    view.setUint32(at, type, true);
    fields.forEach((f, i) => view.setBigUint64(at + 8 + 8 * i, BigInt(f), true));
  };
  program(64, 1, 0x200, 0x20_0000, 0x20_0000, 0x200, 0x200);
  program(120, 4, 0x180, 0, 0, 20, 20);
  file.set([4, 0, 0, 0, 4, 0, 0, 0, 18, 0, 0, 0, 0x58, 0x65, 0x6e, 0, 0x20, 0, 0x20, 0], 0x180);
  file.set(head, 0x200);
  file.set(code, 0x220);
  return file;
}

/** A bzImage whose 64-bit entry point has `code64`, and whose 32-bit one `code32`. */
function bzImage(is64: boolean, code32: readonly number[], code64: readonly number[]): Uint8Array {
  const file = new Uint8Array(0x400 + 0x400);
  const view = new DataView(file.buffer);
  file[0x1f1] = 1;
  view.setUint16(0x1fe, 0xaa55, true);
  file.set([0xeb, 0x66, 0x48, 0x64, 0x72, 0x53, 0x0f, 0x02], 0x200);
  view.setUint32(0x22c, 0x7fff_ffff, true);
  view.setUint32(0x230, 0x20_0000, true);
  file[0x234] = 1;
  file[0x236] = is64 ? 1 : 0;
  view.setUint32(0x238, 255, true);
  view.setBigUint64(0x258, 0x100_0000n, true);
  file.set(code32, 0x400);
  file.set(code64, 0x600);
  return file;
}

describe.runIf(haveQemu)('on QEMU', () => {
  const CMDLINE = 'hello from the command line';
  const FROM_ZERO_PAGE = [0x8b, 0xb6, 0x28, 0x02, 0x00, 0x00, ...PRINT]; // mov esi, [rsi + 0x228]
  const FROM_START_INFO = [0x8b, 0x73, 0x18, ...PRINT]; // mov esi, [ebx + 24]
  // cmp eax, magic; jne: prints nothing
  const FROM_MULTIBOOT = [0x3d, 0x02, 0xb0, 0xad, 0x2b, 0x75, 0x0f, 0x8b, 0x73, 0x10, ...PRINT]; // mov esi, [ebx + 16]

  test.each([
    ['bzImage, 64-bit protocol', 'bzImage', bzImage(true, [0xf4], FROM_ZERO_PAGE)],
    ['bzImage, 32-bit protocol', 'bzImage', bzImage(false, FROM_ZERO_PAGE, [0xf4])],
    ['PVH', 'PVH', elf(FROM_START_INFO, { pvh: true })],
    ['multiboot', 'multiboot', elf(FROM_MULTIBOOT, { head: MULTIBOOT })],
    ['ELF', 'ELF', elf(FROM_ZERO_PAGE)],
  ])('%s', (_name, kind, kernel) => {
    const plan = resolve([memoryAddr]).run(() => planPcBoot({ kernel, initrd: undefined, cmdline: CMDLINE, ram: [{ base: 0n, size: 64n << 20n }], reserved: [], rsdp: undefined }));
    expect(plan.kind).toBe(kind);
    expect(run(plan.start, plan.pieces)).toEqual({ printed: CMDLINE, status: 43 });
  });

  test('the stub in real mode', () => {
    const { start, piece } = bootStub();
    // cmp eax, magic; jne; cmp esp, 0x7000; jne; mov esi, text
    const code = [0x3d, 0x02, 0xb0, 0xad, 0x2b, 0x75, 0x14, 0x81, 0xfc, 0x00, 0x70, 0x00, 0x00, 0x75, 0x0c, 0xbe, 0x40, 0x00, 0x20, 0x00, ...PRINT];
    const bytes = new Uint8Array(0x80);
    bytes.set(code);
    bytes.set([...CMDLINE].map((c) => c.charCodeAt(0)), 0x40);
    expect(run(start, [piece, { address: 0x20_0000n, bytes, memorySize: 0x80n }])).toEqual({ printed: CMDLINE, status: 43 });
  });
});
