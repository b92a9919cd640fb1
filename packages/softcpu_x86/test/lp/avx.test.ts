/** When AVX instructions exist, and what keeps their registers (SDM vol. 1, 13.5, 14.3; vol. 3, 2.5). */
import { expect, test } from 'vitest';
import { CR0, CR4, V } from '../../src/priv/fields.ts';
import { Machine, TABLES, toProtectedMode } from './machine.ts';

/** In 32-bit mode from 0x1000 on, exceptions to handlers that write their number and halt. */
function machine(source: string): Machine {
  const m = new Machine();
  const handlers = [V.UD, V.NM, V.GP].map((vector) => `handler${vector}: mov al, ${0x40 + vector}\nout 0xe9, al\nhlt`).join('\n');
  const gate = (vector: number): string => `mov dword ptr [${0x900 + 8 * vector}], offset handler${vector} + 0x80000\nmov dword ptr [${0x904 + 8 * vector}], 0x8e00`;
  m.load(0x1000, `${toProtectedMode()}
        lidt [idtr]
        ${[V.UD, V.NM, V.GP].map(gate).join('\n')}
        mov eax, ${CR4.OSFXSR}
        mov cr4, eax
        ${source}
        hlt
idtr:   .word 0x1ff
        .long 0x900
        ${handlers}
${TABLES}`);
  m.boot(0x1000);
  return m;
}
const ENABLE = `mov eax, ${CR4.OSFXSR | CR4.OSXSAVE}\nmov cr4, eax\nxor ecx, ecx\nxor edx, edx`;
const XCR0 = (value: number): string => `mov eax, ${value}\nxsetbv`;
const letter = (vector: number): string => String.fromCharCode(0x40 + vector);

test('there is no AVX without CR4.OSXSAVE and XCR0, and none while CR0.TS is set', () => {
  expect(machine('vaddps ymm0, ymm1, ymm2').output).toBe(letter(V.UD));
  expect(machine(`${ENABLE}\nvaddps ymm0, ymm1, ymm2`).output).toBe(letter(V.UD));
  expect(machine(`${ENABLE}\n${XCR0(3)}\nvaddps ymm0, ymm1, ymm2`).output).toBe(letter(V.UD));
  expect(machine(`${ENABLE}\n${XCR0(7)}\nvaddps ymm0, ymm1, ymm2`).output).toBe('');
  expect(machine(`${ENABLE}\n${XCR0(7)}\nmov eax, cr0\nor eax, ${CR0.TS}\nmov cr0, eax\nvaddps ymm0, ymm1, ymm2`).output).toBe(letter(V.NM));
  // CR0.EM is not looked at.
  expect(machine(`${ENABLE}\n${XCR0(7)}\nmov eax, cr0\nor eax, ${CR0.EM}\nmov cr0, eax\nvaddps ymm0, ymm1, ymm2`).output).toBe('');
});

test('XCR0 takes AVX with SSE only', () => {
  expect(machine(`${ENABLE}\n${XCR0(5)}`).output).toBe(letter(V.GP));
  expect(machine(`${ENABLE}\n${XCR0(15)}`).output).toBe(letter(V.GP));
});

test('VZEROUPPER clears upper halves, VZEROALL registers', () => {
  const after = (instruction: string): bigint[] => {
    const m = machine(`${ENABLE}\n${XCR0(7)}\nmov dword ptr [0x5000], 7\nvbroadcastss ymm0, dword ptr [0x5000]\nvmovaps ymm7, ymm0\n${instruction}\nvmovups [0x5020], ymm0\nvmovups [0x5040], ymm7`);
    return [0x5020, 0x5038, 0x5040, 0x5058].map((at) => m.view.getBigUint64(at, true));
  };
  const sevens = 0x7_0000_0007n;
  expect(after('nop')).toEqual([sevens, sevens, sevens, sevens]);
  expect(after('vzeroupper')).toEqual([sevens, 0n, sevens, 0n]);
  expect(after('vzeroall')).toEqual([0n, 0n, 0n, 0n]);
});

test('XSAVE keeps upper halves, and XRSTOR initializes what is not in the area', () => {
  const m = machine(`${ENABLE}\n${XCR0(7)}
    mov dword ptr [0x5000], 9
    vbroadcastss ymm3, dword ptr [0x5000]
    xor edx, edx
    mov eax, 7
    xsave [0x6000]
    vzeroall
    mov eax, 7
    xrstor [0x6000]
    vmovups [0x5020], ymm3
    and dword ptr [0x6200], ~4
    xrstor [0x6000]
    vmovups [0x5040], ymm3`);
  expect(m.view.getBigUint64(0x6000 + 576 + 48, true)).toBe(0x9_0000_0009n);
  expect([0, 8, 16, 24].map((at) => m.view.getBigUint64(0x5020 + at, true))).toEqual(Array(4).fill(0x9_0000_0009n));
  expect([0, 8, 16, 24].map((at) => m.view.getBigUint64(0x5040 + at, true))).toEqual([0x9_0000_0009n, 0x9_0000_0009n, 0n, 0n]);
});
