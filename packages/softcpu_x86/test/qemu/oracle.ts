/**
 * QEMU as an oracle for the privileged architecture: a BIOS image that tries many cases, whatever each raises is told through port 0xe9, and the next
 * one follows. The same image runs on the processor under test. Where QEMU is not installed it is not asked.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '@axvisor/tooling/testing';
import { assemble } from '../../src/isa/asm.ts';
import { Machine, RAM, toLongMode } from '../lp/machine.ts';

const QEMU = 'qemu-system-x86_64';

export const haveQemu: boolean = present(QEMU);

const IMAGE = 0x1_0000;
const BASE = 0xf_0000n;

/** Where tables and variables are; selectors. */
export const LAYOUT = `
NEXT = 0x500
GDT = 0x1000
IDT = 0x2000
TSS = 0x3000
LDT = 0x4000
TOP = 0x8000
SPARE = 0x58
OTHER = 0x60
`;

/** The GDT: null, code32, data32, user code32, user data32, code64, user code64, TSS (16 bytes), LDT (16 bytes), two spare ones. */
const GDT = [
  0n, 0x00cf_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn, 0x00cf_fb00_0000_ffffn, 0x00cf_f300_0000_ffffn, 0x00af_9b00_0000_ffffn, 0x00af_fb00_0000_ffffn,
  0x0000_8900_3000_0067n, 0n, 0x0000_8200_4000_007fn, 0n, 0n, 0n, 0n,
];

/** Vectors that push an error code. */
const WITH_ERROR = new Set([8, 10, 11, 12, 13, 14, 17, 21]);

const stubs: string =
  Array.from({ length: 256 }, (_, vector) => `
.align 16
${vector === 0 ? 'stubs:' : ''}
        ${WITH_ERROR.has(vector) ? '' : 'push 0'}
        .byte 0x68
        .long ${vector}
        jmp common`).join('\n');

/** Prints a character, or a register's low 16 bits. */
const PRINT = `
print4: # ax, four digits
        mov ecx, 4
digit:  rol ax, 4
        mov edx, eax
        and al, 15
        cmp al, 10
        jb decimal
        add al, 39
decimal: add al, 48
        out 0xe9, al
        mov eax, edx
        dec ecx
        jnz digit
        ret
`;

/** From the reset vector to 32-bit protected mode with the GDT in RAM. */
const ENTER_PROTECTED = `${LAYOUT}
.code16
start:  cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7000
        .byte 0x66, 0x2e, 0x0f, 0x01, 0x16
        .word gdtr - ${BASE}
        mov eax, cr0
        or al, 0x21
        mov cr0, eax
        .byte 0x66, 0xea
        .long wide
        .word 8
.code32
wide:   mov eax, 16
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov fs, eax
        mov gs, eax
        mov esp, TOP
        cld
        mov esi, gdt
        mov edi, GDT
        mov ecx, ${GDT.length * 2}
        rep movsd
        mov word ptr [TSS + 102], 0x68
        mov word ptr [0x600], 0x40cd # int 0x40, where 16-bit code reaches
`;

const FINISH = `
finish: mov al, 10
        out 0xe9, al
        mov al, 1
        out 0xf4, al
stop:   hlt
        jmp stop
`;

const TABLES = (idtLimit: number): string => `
.align 8
gdt:    .quad ${GDT.map((entry) => `0x${entry.toString(16)}`).join(', ')}
gdtr:   .word 0x7f
        .long gdt
gdtr2:  .word 0x7f
        .long GDT
        .long 0
idtr:   .word ${idtLimit}
        .long IDT
        .long 0
`;

/** An image whose cases run in 32-bit protected mode at privilege level 0, with IOPL 3, EBX being theirs. Handlers continue at [NEXT]. */
export function protectedImage(cases: string): Uint8Array {
  return image(`${ENTER_PROTECTED}
        lgdt [gdtr2]
        lidt [idtr]
        # Interrupt gates for all vectors, at privilege level 3.
        mov edi, IDT
        mov eax, stubs
        mov ecx, 256
gates:  mov edx, eax
        mov word ptr [edi], ax
        mov word ptr [edi + 2], 8
        shr edx, 16
        mov word ptr [edi + 6], dx
        mov word ptr [edi + 4], 0xee00
        add edi, 8
        add eax, 16
        dec ecx
        jnz gates
        mov dword ptr [TSS + 4], 0x9000
        mov dword ptr [TSS + 8], 16
        mov eax, 0x38
        ltr ax
        push 0x3002
        popf
${cases}
${FINISH}
common: mov eax, 16
        mov ds, eax
        mov es, eax
        mov ebp, esp
        mov ax, word ptr [ebp]
        call print4
        mov ax, word ptr [ebp + 4]
        call print4
        mov ax, word ptr [ebp + 12]
        call print4
        mov ax, word ptr [ebp + 8]
        call print4
        mov eax, dword ptr [ebp + 16]
        shr eax, 8
        and eax, 0xfe7f # without RF, which QEMU does not set for faults
        call print4
        test byte ptr [ebp + 12], 3
        jz inner
        mov ax, word ptr [ebp + 24]
        call print4
inner:  mov eax, 16
        mov ss, eax
        mov fs, eax
        mov gs, eax
        mov esp, TOP
        push 0x3002
        popf
        jmp dword ptr [NEXT]
${PRINT}
${stubs}
${TABLES(0x7ff)}`);
}

/** The same in 64-bit mode, RBX being the cases'. */
export function longImage(cases: string): Uint8Array {
  return image(`${ENTER_PROTECTED}
        lgdt [gdtr2]
        ${toLongMode('deep', 0x28)}deep:   lidt [rip + idtr]
        mov edi, IDT
        mov eax, offset_of_stubs
        mov ecx, 256
gates:  mov edx, eax
        mov word ptr [rdi], ax
        mov word ptr [rdi + 2], 0x28
        shr edx, 16
        mov dword ptr [rdi + 4], 0xee00
        mov word ptr [rdi + 6], dx
        mov qword ptr [rdi + 8], 0
        add edi, 16
        add eax, 16
        dec ecx
        jnz gates
        mov dword ptr [TSS + 4], 0x9000
        mov dword ptr [TSS + 36], 0xa000 # IST1
        mov eax, 0x38
        ltr ax
        push 0x3002
        popfq
${cases}
${FINISH}
common: mov rbp, rsp
        mov ax, word ptr [rbp]
        call print4
        mov ax, word ptr [rbp + 8]
        call print4
        mov ax, word ptr [rbp + 24]
        call print4
        mov ax, word ptr [rbp + 16]
        call print4
        mov eax, dword ptr [rbp + 32]
        shr eax, 8
        and eax, 0xfe7f
        call print4
        mov ax, word ptr [rbp + 48]
        call print4
        mov ax, word ptr [rbp + 40]
        call print4
        mov eax, 16
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov fs, eax
        mov gs, eax
        mov rsp, TOP
        push 0x3002
        popfq
        jmp qword ptr [NEXT]
${PRINT}
offset_of_stubs = stubs
${stubs}
${TABLES(0xfff)}`);
}

function image(source: string): Uint8Array {
  const { bytes: code, symbols } = assemble(source, { base: BASE, bits: 16 });
  if (code.length > IMAGE - 16) throw new RangeError(`the image has ${code.length} bytes`);
  const bytes = new Uint8Array(IMAGE);
  bytes.set(code);
  const entry = (symbols.get('start') as bigint) - BASE;
  bytes.set([0xea, Number(entry & 0xffn), Number(entry >> 8n), 0x00, 0xf0], IMAGE - 16);
  return bytes;
}

/** What QEMU prints. */
export function onQemu(bytes: Uint8Array): string {
  const directory = mkdtempSync(join(tmpdir(), 'x86-oracle-'));
  try {
    const bios = join(directory, 'bios.bin');
    const log = join(directory, 'log');
    writeFileSync(bios, bytes);
    try {
      execFileSync(QEMU, ['-M', 'pc', '-accel', 'tcg', '-cpu', 'max', '-m', '16', '-bios', bios, '-debugcon', `file:${log}`, '-device', 'isa-debug-exit,iobase=0xf4,iosize=1',
        '-display', 'none', '-monitor', 'none', '-serial', 'none', '-net', 'none', '-no-reboot'], { stdio: 'pipe', timeout: 60_000 });
    } catch (error) {
      // isa-debug-exit ends with status 3.
      if ((error as { status?: number }).status !== 3) throw error;
    }
    return readFileSync(log, 'latin1');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What the processor under test prints. */
export function onLp(bytes: Uint8Array): string {
  const m = new Machine('interpreter');
  m.bytes.set(bytes, RAM - IMAGE);
  m.lp.run(200_000_000);
  return m.output;
}
