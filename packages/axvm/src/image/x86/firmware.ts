/** Starts without a kernel format: firmware at the reset vector, and a stub in real mode for a kernel that wants multiboot's state alone. */
import { ensure } from '@axvisor/axvisor_api/errors';
import type { X86Start } from '@axvisor/axvisor_api/vcpu';
import type { LoadPiece } from '../kernel.ts';
import { startReal } from './start.ts';

const FOUR_GIB = 0x1_0000_0000n;
const ONE_MIB = 0x10_0000n;
const PARAGRAPH = 0x1_0000;
/** What is also seen below 1 MiB. */
const SHADOW = 0x2_0000;
const MAX_SIZE = 0x100_0000;

/** Firmware in memory: ROM below 4 GiB, the end of it also below 1 MiB, where the first instructions jump to. */
export interface FirmwarePlan {
  readonly start: X86Start;
  /** Not RAM: the machine has to have memory here. */
  readonly rom: LoadPiece;
  readonly shadow: LoadPiece;
}

/** The state after RESET (SDM volume 3, table 9-1): CS has a base that its selector would not give. */
export const RESET_START: X86Start = { mode: 'real', rip: 0xfff0n, code: 0xf000, codeBase: 0xffff_0000n, data: 0, registers: {} };

/** @throws {AxError} InvalidExecutable for a file that cannot be a BIOS image */
export function planFirmware(file: Uint8Array): FirmwarePlan {
  const size = file.length;
  ensure(size > 0 && size % PARAGRAPH === 0 && size <= MAX_SIZE, 'InvalidExecutable', `a BIOS image is a multiple of 64 KiB and at most 16 MiB, not ${size} bytes`);
  const low = file.subarray(size - Math.min(size, SHADOW));
  return {
    start: RESET_START,
    rom: { address: FOUR_GIB - BigInt(size), bytes: file, memorySize: BigInt(size) },
    shadow: { address: ONE_MIB - BigInt(low.length), bytes: low, memorySize: BigInt(low.length) },
  };
}

/** Where the stub is, and where the kernel it jumps to is by default. */
const STUB_ADDRESS = 0x8000n;
const STUB_KERNEL = 0x20_0000n;
const STACK = 0x7000;
const GDT_OFFSET = 0x48;
const GDTR_OFFSET = 0x60;

const bytes32 = (n: number): number[] => [n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, n >>> 24];

/**
 * A stub at 0x8000 that goes from real mode to protected mode with flat segments, ESP = 0x7000, EAX = the magic number of multiboot and EBX = 0,
 * and jumps to `kernel`.
 */
export function bootStub(kernel: bigint = STUB_KERNEL): { readonly start: X86Start; readonly piece: LoadPiece } {
  const base = Number(STUB_ADDRESS);
  const code: number[] = [];
  const emit = (...bytes: readonly number[]): void => void code.push(...bytes);
  emit(0xfa, 0xfc); // cli; cld
  emit(0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0); // xor ax, ax; mov ds, ax; mov es, ax; mov ss, ax
  emit(0x0f, 0x01, 0x16, (base + GDTR_OFFSET) & 0xff, (base + GDTR_OFFSET) >> 8); // lgdt [gdtr]
  emit(0x0f, 0x20, 0xc0, 0x66, 0x83, 0xc8, 0x01, 0x0f, 0x22, 0xc0); // mov eax, cr0; or eax, 1; mov cr0, eax
  emit(0x66, 0xea, ...bytes32(base + code.length + 8), 0x08, 0x00); // jmp 0x08:here
  emit(0x66, 0xb8, 0x10, 0x00); // mov ax, 0x10
  for (const segment of [0xd8, 0xc0, 0xd0, 0xe0, 0xe8]) emit(0x8e, segment); // mov ds, es, ss, fs, gs, ax
  emit(0xbc, ...bytes32(STACK)); // mov esp, 0x7000
  emit(0xb8, ...bytes32(0x2bad_b002), 0x31, 0xdb); // mov eax, magic; xor ebx, ebx
  emit(0xe9, ...bytes32((Number(kernel) - (base + code.length + 5)) >>> 0)); // jmp kernel
  const bytes = new Uint8Array(GDTR_OFFSET + 6);
  bytes.set(code);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(GDT_OFFSET + 8, 0x00cf_9a00_0000_ffffn, true);
  view.setBigUint64(GDT_OFFSET + 16, 0x00cf_9200_0000_ffffn, true);
  view.setUint16(GDTR_OFFSET, 23, true);
  view.setUint32(GDTR_OFFSET + 2, base + GDT_OFFSET, true);
  return { start: startReal(STUB_ADDRESS).start, piece: { address: STUB_ADDRESS, bytes, memorySize: BigInt(bytes.length) } };
}
