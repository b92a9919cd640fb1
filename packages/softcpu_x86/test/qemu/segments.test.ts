import { expect, test } from 'vitest';
import { haveQemu, longImage, onLp, onQemu, protectedImage } from './oracle.ts';

/** Tries an operation with every access byte and RPL. `%S` is the selector. */
function everyAccess(name: string, operation: string, skip = '', flags = 0xc): string {
  return `
        xor ebx, ebx
loop_${name}:
        ${skip.replaceAll('%N', `skip_${name}`)}
${[0, 1, 2, 3].map((rpl) => `
        mov dword ptr [GDT + SPARE], 0x0000ffff
        mov eax, ebx
        shl eax, 8
        or eax, 0x00${flags.toString(16)}f0000
        mov dword ptr [GDT + SPARE + 4], eax
        mov dword ptr [NEXT], after_${name}_${rpl}
        ${operation.replaceAll('%S', `(SPARE + ${rpl})`).replaceAll('%L', `${name}_${rpl}`)}
        mov eax, 0x4b4b
        call print4
after_${name}_${rpl}:
        mov ax, word ptr [GDT + SPARE + 5]
        and eax, ${name === 'ds' || name === 'ss' ? '0xff' : '0xfe # QEMU does not mark code segments accessed'}
        call print4`).join('\n')}
        mov al, 10
        out 0xe9, al
skip_${name}:
        inc bl
        jnz loop_${name}
        mov al, 10
        out 0xe9, al
`;
}

/** Not types that are task gates and TSSs: they would switch tasks. */
const NO_TASKS = `
        mov al, bl
        and al, 0x1f
        cmp al, 1
        je %N
        cmp al, 3
        je %N
        cmp al, 5
        je %N
        cmp al, 9
        je %N
        cmp al, 11
        je %N`;
/** Absent segments: QEMU looks at P before, and for JMP through gates with #GP. */
const PRESENT = `
        test bl, 0x80
        jz %N`;
/** System types that long mode does not have, and QEMU takes there. */
const NO_NARROW = `
        mov al, bl
        and al, 0x1f
        cmp al, 1
        je %N
        cmp al, 3
        je %N
        cmp al, 4
        je %N
        cmp al, 5
        je %N`;
const zf = 'setz cl\n movzx ecx, cl\n mov eax, edx\n rol eax, 16\n push ecx\n call print4\n mov eax, edx\n pop eax\n call print4';

const OPERATIONS: Readonly<Record<string, readonly [operation: string, skip?: string]>> = {
  ds: ['mov eax, %S\n mov ds, eax\n mov eax, 16\n mov ds, eax'],
  ss: ['mov eax, %S\n mov ecx, 16\n mov ss, eax\n mov ss, ecx'],
  lar: [`mov eax, %S\n xor edx, edx\n lar edx, eax\n ${zf}`],
  lsl: [`mov eax, %S\n xor edx, edx\n lsl edx, eax\n ${zf}`],
  verr: [`mov eax, %S\n xor edx, edx\n verr ax\n ${zf}`],
  verw: [`mov eax, %S\n xor edx, edx\n verw ax\n ${zf}`],
  lldt: ['mov eax, %S\n lldt ax\n mov eax, 0x48\n lldt ax'],
  ltr: ['mov eax, %S\n ltr ax\n and byte ptr [GDT + 0x3d], 0xfd\n mov eax, 0x38\n ltr ax'],
  jmp: ['.byte 0xea\n .long target\n .word %S', NO_TASKS],
  call: ['.byte 0x9a\n .long target\n .word %S', NO_TASKS],
  retf: ['push 0x23\n push 0x7000\n push %S\n push target\n retf', ''],
  iret: ['push 0x23\n push 0x7000\n push 0x3002\n push %S\n push target\n iret', ''],
  gate: [`
        mov eax, dword ptr [GDT + SPARE]
        mov dword ptr [IDT + 0x48 * 8], 0x00080600
        mov eax, ebx
        shl eax, 8
        mov dword ptr [IDT + 0x48 * 8 + 4], eax
        int 0x48`, NO_TASKS],
  intcode: [`
        mov dword ptr [IDT + 0x48 * 8], (%S << 16) + (target - 0xf0000)
        mov dword ptr [IDT + 0x48 * 8 + 4], 0x000fee00
        int 0x48`],
  callgate: [`
        mov eax, ebx
        shl eax, 8
        mov dword ptr [GDT + OTHER + 4], 0x000fec00
        mov dword ptr [GDT + OTHER], (%S << 16) + (target - 0xf0000)
        .byte 0x9a
        .long 0
        .word OTHER`],
  jmpgate: [`
        mov dword ptr [GDT + OTHER + 4], 0x000fec00
        mov dword ptr [GDT + OTHER], (%S << 16) + (target - 0xf0000)
        .byte 0xea
        .long 0
        .word OTHER`, PRESENT],
};

/** Code of any size that comes back. */
const TARGET = `
        jmp begin
target: int 0x40
begin:
`;

/** Far pointers in memory, for the indirect forms. */
const POINTER = 'mov dword ptr [0x700], target\n mov word ptr [0x704], %S';

const LONG_OPERATIONS: Readonly<Record<string, readonly [operation: string, skip?: string]>> = {
  ds: ['mov eax, %S\n mov ds, eax\n mov eax, 16\n mov ds, eax'],
  ss: ['mov eax, %S\n mov ecx, 16\n mov ss, eax\n mov ss, ecx'],
  lar: [`mov eax, %S\n xor edx, edx\n lar edx, eax\n ${zf.replaceAll('ecx\n', 'rcx\n').replace('pop eax', 'pop rax').replace('movzx rcx', 'movzx ecx')}`, NO_NARROW],
  lsl: [`mov eax, %S\n xor edx, edx\n lsl edx, eax\n ${zf.replaceAll('ecx\n', 'rcx\n').replace('pop eax', 'pop rax')}`, NO_NARROW],
  lldt: ['mov eax, %S\n lldt ax\n mov eax, 0x48\n lldt ax'],
  ltr: ['mov eax, %S\n ltr ax\n and byte ptr [GDT + 0x3d], 0xfd\n mov eax, 0x38\n ltr ax', NO_NARROW],
  jmp: [`${POINTER}\n .byte 0xff, 0x2c, 0x25\n .long 0x700`],
  call: [`${POINTER}\n .byte 0xff, 0x1c, 0x25\n .long 0x700`],
  retf: ['push 0x23\n push 0x7000\n push %S\n push target\n .byte 0x48, 0xcb'],
  iret: ['push 0x23\n push 0x7000\n push 0x3002\n push %S\n push target\n iretq'],
  gate: ['mov dword ptr [IDT + 0x48 * 16], 0x00280600\n mov eax, ebx\n shl eax, 8\n mov dword ptr [IDT + 0x48 * 16 + 4], eax\n int 0x48'],
  ist: ['mov dword ptr [IDT + 0x48 * 16], 0x00280600\n mov eax, ebx\n shl eax, 8\n or eax, 1\n mov dword ptr [IDT + 0x48 * 16 + 4], eax\n int 0x48'],
  intcode: ['mov dword ptr [IDT + 0x48 * 16], (%S << 16) + 0x600\n mov dword ptr [IDT + 0x48 * 16 + 4], 0xee00\n int 0x48'],
  callgate: [`
        mov dword ptr [GDT + OTHER + 4], 0x000fec00
        mov dword ptr [GDT + OTHER], (%S << 16) + (target - 0xf0000)
        mov dword ptr [0x704], OTHER
        .byte 0xff, 0x1c, 0x25
        .long 0x700`],
};

function compare(image: Uint8Array, corrected: (output: string) => string = (output) => output): void {
  const expected = corrected(onQemu(image)).split('\n');
  const actual = onLp(image).split('\n');
  const wrong = expected.map((line, i) => [i, line, actual[i]] as const).filter(([, line, other]) => line !== other);
  expect(expected.length).toBeGreaterThan(100);
  expect(wrong.slice(0, 12)).toEqual([]);
}

test.runIf(haveQemu).each(Object.keys(OPERATIONS))('32-bit protected mode: %s with every descriptor type', (name) => {
  const [operation, skip] = OPERATIONS[name] as readonly [string, string?];
  compare(protectedImage(TARGET + everyAccess(name, operation, skip)));
});

/** Operations for which D and L matter; QEMU lets the far transfers load code segments that have both. */
const CODE_SIZE = new Set(['jmp', 'call', 'retf', 'iret', 'intcode', 'callgate', 'lar', 'lsl']);
const flagsOf = (name: string): readonly number[] => (name === 'intcode' || name === 'callgate' ? [0xa, 0xc, 0xe] : CODE_SIZE.has(name) ? [0xa, 0xc] : [0xa]);

test.runIf(haveQemu).each(Object.keys(LONG_OPERATIONS).flatMap((name) => flagsOf(name).map((flags) => [name, flags] as const)))(
  '64-bit mode: %s with every descriptor type, G, D and L of %i',
  (name, flags) => {
    const [operation, skip] = LONG_OPERATIONS[name] as readonly [string, string?];
    // A segment with both L and D, or none for an interrupt, is refused before P is looked at.
    const absent = flags === 0xe || (flags === 0xc && name === 'intcode') ? PRESENT : '';
    // Error codes have the vector times 8 in any mode; QEMU's in long mode times 16.
    compare(longImage(TARGET + everyAccess(name, operation, (skip ?? '') + absent, flags)), (output) => output.replaceAll('000d0482', '000d0242').replaceAll('000b0482', '000b0242')
      // SS becomes null where the privilege level changes; QEMU's also where an interrupt stack is used.
      .replaceAll('003000009fd8', '003000109fd8'));
  },
);
