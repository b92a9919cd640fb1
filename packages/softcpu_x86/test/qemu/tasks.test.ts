import { expect, test } from 'vitest';
import { haveQemu, onLp, onQemu, protectedImage } from './oracle.ts';

const print = (source: string): string => `mov eax, ${source}\n call print4`;
const newLine = 'mov al, 10\n out 0xe9, al';
let labels = 0;

/** Tries something; a fault continues behind it. */
function attempt(source: string): string {
  const label = `after_${labels++}`;
  return `\nmov dword ptr [NEXT], ${label}\n${source}\n${print('0x4b4b')}\n${label}:\n${newLine}\n`;
}

/** Runs 8086 code at 0060:0000 with flags. */
function v86(code: readonly number[], flags: number): string {
  const bytes = code.map((byte, i) => `mov byte ptr [${0x600 + i}], ${byte}`).join('\n');
  return attempt(`${bytes}
        push 0x100
        push 0x101
        push 0x102
        push 0x103
        push 0x50
        push 0x800
        push ${0x2_0002 | flags}
        push 0x60
        push 0
        iret`);
}

const V86_CODE: Readonly<Record<string, readonly number[]>> = {
  int: [0xcd, 0x40], int3: [0xcc], cli: [0xfa, 0xcd, 0x40], sti: [0xfb, 0xcd, 0x40], hlt: [0xf4], pushf: [0x9c, 0xcd, 0x40], popf: [0x9d, 0xcd, 0x40], iret: [0xcf],
  movcr: [0x0f, 0x20, 0xc0], lgdt: [0x0f, 0x01, 0x16, 0, 0], sldt: [0x0f, 0x00, 0xc0], out: [0xb0, 0x41, 0xe6, 0xe9, 0xcd, 0x40], ud: [0x0f, 0x0b],
  farjump: [0xea, 5, 0, 0x60, 0, 0xcd, 0x40], into: [0xce, 0xcd, 0x40],
};

test.runIf(haveQemu)('virtual-8086 mode', () => {
  const cases = Object.values(V86_CODE).flatMap((code) => [v86(code, 0), v86(code, 0x3000), v86(code, 0x3200)]);
  const image = protectedImage(cases.join('\n'));
  expect(onLp(image)).toBe(onQemu(image));
});

/** A second task: TSS at 0x5000, descriptor OTHER. */
const SETUP = `
        mov edi, 0x5000
        xor eax, eax
        mov ecx, 30
        rep stosd
        mov dword ptr [0x5020], task
        mov dword ptr [0x5024], 0x3002
        mov dword ptr [0x5038], 0x9800
        mov dword ptr [0x5048], 16
        mov dword ptr [0x504c], 8
        mov dword ptr [0x5050], 16
        mov dword ptr [0x5054], 16
        mov dword ptr [0x5058], 16
        mov dword ptr [0x505c], 16
        mov dword ptr [0x5064], 0x680000
        mov dword ptr [GDT + OTHER], 0x50000067
        mov dword ptr [GDT + OTHER + 4], 0x00008900
        mov dword ptr [GDT + 0x3c], 0x00008b00
`;
const REPORT = `
        str eax
        call print4
        pushf
        pop eax
        shr eax, 8
        call print4
        ${print('dword ptr [0x5000]')}
        ${print('dword ptr [GDT + OTHER + 5]')}
        ${print('dword ptr [GDT + 0x3d]')}
        mov eax, cr0
        call print4
        clts
        ${newLine}`;

test.runIf(haveQemu)('task switches by CALL, JMP, IRET and a gate', () => {
  const change = (field: string, value: number | string): string => `mov dword ptr [${field}], ${value}\n`;
  const call = (): string => attempt('.byte 0x9a\n .long 0\n .word OTHER');
  const jump = attempt('mov dword ptr [0x700], 1\n .byte 0xea\n .long 0\n .word OTHER');
  const cases = `
        jmp begin
task:   ${REPORT}
        mov eax, dword ptr [0x700]
        mov dword ptr [0x700], 0
        test eax, eax
        jnz back
        iret
        jmp task
back:   .byte 0xea
        .long 0
        .word 0x38
begin:  mov dword ptr [0x700], 0
        ${SETUP} ${call()} ${REPORT}
        ${SETUP} ${jump} ${REPORT}
        ${SETUP}
        mov dword ptr [IDT + 0x48 * 8], 0x00600000
        mov dword ptr [IDT + 0x48 * 8 + 4], 0x0000e500
        ${attempt('int 0x48')} ${REPORT}
        ${SETUP} ${change('GDT + OTHER + 4', 0x8b00)} ${call()}
        ${SETUP} ${change('GDT + OTHER + 4', 0x0900)} ${call()}
        ${SETUP} ${change('GDT + OTHER', 0x5000_0066)} ${call()}
        ${attempt('push 0x7002\n popf\n mov word ptr [TSS], 0\n iret')}
        ${attempt('push 0x7002\n popf\n mov word ptr [TSS], 0x60\n iret')}
`;
  const image = protectedImage(cases);
  expect(onLp(image)).toBe(onQemu(image));
});
