import { expect, test } from 'vitest';
import { haveQemu, onLp, onQemu, protectedImage } from './oracle.ts';

/** Tries an operation with every access byte and RPL. `%S` is the selector. */
function everyAccess(name: string, operation: string, skip = ''): string {
  return `
        xor ebx, ebx
loop_${name}:
        ${skip.replaceAll('%N', `skip_${name}`)}
${[0, 1, 2, 3].map((rpl) => `
        mov dword ptr [GDT + SPARE], 0x0000ffff
        mov eax, ebx
        shl eax, 8
        or eax, 0x00cf0000
        mov dword ptr [GDT + SPARE + 4], eax
        mov dword ptr [NEXT], after_${name}_${rpl}
        ${operation.replaceAll('%S', `(SPARE + ${rpl})`).replaceAll('%L', `${name}_${rpl}`)}
        mov eax, 0x4b4b
        call print4
after_${name}_${rpl}:
        mov ax, word ptr [GDT + SPARE + 5]
        and eax, 0xff
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
        mov word ptr [0x600], 0x40cd # int 0x40, where 16-bit gates reach
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
        .word OTHER`],
};

/** Code of any size that comes back. */
const TARGET = `
        jmp begin
target: int 0x40
begin:
`;

test.runIf(haveQemu).each(Object.keys(OPERATIONS))('32-bit protected mode: %s with every descriptor type', (name) => {
  const [operation, skip] = OPERATIONS[name] as readonly [string, string?];
  const image = protectedImage(TARGET + everyAccess(name, operation, skip));
  const expected = onQemu(image).split('\n');
  const actual = onLp(image).split('\n');
  const wrong = expected.map((line, i) => [i, line, actual[i]] as const).filter(([, line, other]) => line !== other);
  expect(expected.length).toBeGreaterThan(150);
  expect(wrong.slice(0, 12)).toEqual([]);
});
