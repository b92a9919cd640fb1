/**
 * What only 16- and 32-bit code has, in segments of both sizes, as QEMU's processor does it: decimal arithmetic, BOUND, INTO, ARPL, PUSHA, LDS, 16-bit
 * addresses, nested frames, counters of either width.
 */
import { expect, test } from 'vitest';
import { haveQemu, onLp, onQemu, protectedImage } from './oracle.ts';

const [CF, PF, AF, ZF, SF, OF] = [1, 4, 0x10, 0x40, 0x80, 0x800] as const;
const ALL = CF | PF | AF | ZF | SF | OF;

/** EAX and flags that tell decimal corrections apart. */
const DECIMAL: readonly (readonly [eax: number, flags: number])[] = [0, 0x0a, 0x0f, 0x99, 0x9a, 0xff, 0x12f5].flatMap((eax) => [0, CF, AF, ALL].map((flags) => [eax, flags] as const));
const FEW = [[0x1234, 0], [0xffff, ALL], [0x8001, OF]] as const;

/** An instruction, and which flags it defines; before it, what 32-bit code does. EBX is 0x6100, ECX 0x77, EDX 0x3333. */
interface Case {
  readonly before?: string;
  readonly code: string;
  readonly flags?: number;
  readonly inputs?: readonly (readonly [number, number])[];
}

/** A ModRM byte with [0x6000] as its operand. */
const direct = (reg: number, wide: boolean): string => (wide ? `${(reg << 3) | 5}\n .long 0x6000` : `${(reg << 3) | 6}\n .word 0x6000`);
const POINTER = 'mov dword ptr [0x6000], 0x00101234\n mov dword ptr [0x6004], 0x10';
const RANGE = 'mov dword ptr [0x6000], 0x12340003\n mov dword ptr [0x6004], 0x1234';

const casesOf = (wide: boolean): readonly Case[] => {
  const [address16, address32] = wide ? ['.byte 0x67\n', ''] : ['', '.byte 0x67\n'];
  return [
    ...['aaa', 'aas'].map((code) => ({ code, flags: CF | AF, inputs: DECIMAL })),
    ...['daa', 'das'].map((code) => ({ code, flags: ALL & ~OF, inputs: DECIMAL })),
    ...['0xd4, 10', '0xd4, 7', '0xd5, 10', '0xd5, 3'].map((bytes) => ({ code: `.byte ${bytes}`, flags: SF | ZF | PF, inputs: DECIMAL })),
    { code: '.byte 0xd4, 0' }, // AAM by 0
    { code: '.byte 0xd6' }, // SALC
    { code: 'lahf' }, { code: 'sahf' }, { code: 'into' }, { code: '.byte 0xd7' },
    ...[0x11, 0x22, 0x13, 0x30].map((selector) => ({ before: `mov edx, ${selector}\n mov ecx, 0x12`, code: '.byte 0x63, 0xca' })), // ARPL
    { before: RANGE, code: `.byte 0x62, ${direct(0, wide)}` }, { before: RANGE, code: `.byte 0x66, 0x62, ${direct(0, wide)}` }, // BOUND
    { before: 'mov esi, 0x51515151', code: '.byte 0x60\n .byte 0x5a' }, { before: 'mov esi, 0x51515151', code: '.byte 0x66, 0x60\n .byte 0x5a' }, // PUSHA; POP EDX
    { code: '.byte 0x60, 0x61' }, { code: '.byte 0x66, 0x60, 0x66, 0x61' }, // PUSHA; POPA
    { before: POINTER, code: `.byte 0xc4, ${direct(2, wide)}\n .byte 0x8c, 0xc1` }, { before: POINTER, code: `.byte 0x66, 0xc5, ${direct(2, wide)}` }, // LES; LDS
    { before: POINTER, code: `.byte 0x0f, 0xb2, ${direct(2, wide)}` }, // LSS
    { code: '.byte 0x06, 0x1e, 0x07, 0x5a' }, { code: '.byte 0x0e, 0x5a' }, // PUSH of segment registers
    // 16-bit addresses, and what of the registers is beyond them.
    ...[0, 1, 2, 3, 4, 5, 7].map((rm) => ({
      before: 'mov dword ptr [0x6110], 0x76543210\n mov dword ptr [0x6100], 0x89abcdef\n mov ebx, 0x36100\n mov ebp, 0x46100\n mov esi, 0x50010\n mov edi, 0x60010',
      code: `${rm === 4 || rm === 5 ? '.byte 0xbe\n .word 0x6100\n' + (wide ? '.word 0\n' : '') + '.byte 0xbf\n .word 0x6110\n' + (wide ? '.word 0\n' : '') : ''}${address16}.byte 0x8b, ${0x10 | rm}`,
    })),
    { before: 'mov dword ptr [0x6010], 0x89abcdef\n mov ebx, 0xfff0', code: `${address16}.byte 0x8b, 0x97\n .word 0x6020` }, // [BX + 0x6020] wraps
    { before: 'mov dword ptr [0x6100], 0x89abcdef', code: `${address32}.byte 0x8b, 0x13` },
    ...[0, 1, 2, 3].flatMap((level) =>
      ['', '0x66, '].map((prefix) => ({
        before: 'mov ebp, 0x6100\n mov dword ptr [0x60fc], 0x61f0\n mov dword ptr [0x60f8], 0x61e0',
        code: `.byte ${prefix}0xc8, 8, 0, ${level}\n .byte ${wide ? '' : '0x66, '}0x8b, 0xd5\n .byte ${wide ? '' : '0x66, '}0x29, 0xe2`, // ENTER; MOV EDX, EBP; SUB EDX, ESP
        flags: 0,
      })),
    ),
    // A counter whose low half is 1, then 0; over INC EDX.
    ...[0xe3, 0xe2, 0xe1, 0xe0].flatMap((opcode) =>
      ['', '.byte 0x67\n'].flatMap((prefix) => [0x2_0001, 0x2_0000, 1].map((count) => ({ before: `mov ecx, ${count}`, code: `${prefix}.byte ${opcode}, 1\n .byte 0x42`, flags: 0, inputs: [[0, ZF], [0, 0]] as const }))),
    ),
    { code: '.byte 0x42' }, { code: '.byte 0x4a' }, { code: '.byte 0x98, 0x99' }, { code: '.byte 0xf6, 0xea', flags: CF | OF }, // INC, DEC; CBW, CWD; IMUL DL
    { code: '.byte 0x9c, 0x5a' }, { code: '.byte 0x66, 0x9c, 0x66, 0x5a' }, // PUSHF
  ];
};

let labels = 0;
function attempt({ before = '', code, flags = ALL }: Case, [eax, old]: readonly [number, number], wide: boolean): string {
  const label = `case${labels++}`;
  const narrow = `.byte 0xea
        .long ${label}_in - 0xf0000
        .word SPARE
.code16
${label}_in: ${code}
        .byte 0x66, 0xea
        .long ${label}_out
        .word 8
.code32
${label}_out:`;
  return `
        mov dword ptr [NEXT], ${label}_faulted
        mov dword ptr [0x714], ${label}
        mov dword ptr [0x710], ${flags}
        mov ebx, 0x6100
        mov ecx, 0x77
        mov edx, 0x3333
        ${before}
        mov eax, ${eax}
        push ${0x3002 | old}
        popf
        ${wide ? code : narrow}
        call report
${label}_faulted: mov al, 10
        out 0xe9, al
${label}:`;
}

/** EAX, ECX, EDX and flags; the stack is as it was. */
const REPORT = `
report: pushf
        push edx
        push ecx
        push eax
        mov ax, 16
        mov ds, eax
        mov es, eax
        mov eax, dword ptr [0x710]
        and dword ptr [esp + 12], eax
        mov edi, 8
halves: mov ax, word ptr [esp]
        call print4
        add esp, 2
        dec edi
        jnz halves
        mov al, 10
        out 0xe9, al
        mov ebp, 0
        mov esp, TOP
        jmp dword ptr [0x714]
`;

test.runIf(haveQemu).each([['32-bit', true], ['16-bit', false]] as const)('%s code', (_name, wide) => {
  const cases = casesOf(wide);
  const image = protectedImage(`
        mov dword ptr [GDT + SPARE], 0x0000ffff
        mov dword ptr [GDT + SPARE + 4], 0x00009b0f
        jmp begin
${REPORT}
begin:
${cases.flatMap((c) => (c.inputs ?? FEW).map((input) => attempt(c, input, wide))).join('\n')}`);
  const [expected, actual] = [onQemu(image).split('\n'), onLp(image).split('\n')];
  const names = cases.flatMap((c) => (c.inputs ?? FEW).map((input) => `${c.code.replaceAll('\n', ';')} with ${input.map((n) => n.toString(16)).join()}`));
  // And a line that the image ends with.
  expect(expected.length).toBe(names.length + 2);
  expect(expected.map((line, i) => [names[i], line, actual[i]] as const).filter(([, line, other]) => line !== other)).toEqual([]);
});
