/** The limit of the code segment: what is fetched and where branches go, to the byte (SDM vol. 3, 5.3; vol. 2, JMP). */
import { expect, test } from 'vitest';
import { Machine, toProtectedMode } from './machine.ts';

const engines = ['interpreter', 'translator'] as const;
const BASE = 0x2_0000;
const LIMIT = 0x1107;
const HANDLER = 0x6000;

/** 32-bit code in a segment with that base and limit, from an offset in it. @returns EIP and ESP of #GP, undefined where code comes to its HLT */
function run(engine: 'interpreter' | 'translator', at: number, source: string, base = BASE, limit = LIMIT): readonly [eip: number, esp: number] | undefined {
  const m = new Machine(engine);
  m.load(0x2000, `${toProtectedMode()}
        lidt [idtr]
        xor ebx, ebx
        .byte 0xea
        .long ${at}
        .word 24
.align 8
gdt:    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
        .word ${limit & 0xffff}, ${base & 0xffff}
        .byte ${(base >> 16) & 255}, 0x9b, ${0x40 | (limit >> 16)}, 0
gdtr:   .word 31
        .long gdt
idtr:   .word 127
        .long 0x3000
`, 16);
  m.view.setBigUint64(0x3000 + 13 * 8, BigInt(HANDLER) | (8n << 16n) | (0x8en << 40n), true);
  m.load(HANDLER, 'mov ebx, esp\nhlt', 32);
  m.load(base + at, source, 32, BigInt(at));
  expect(m.boot(0x2000)).toBe('waiting');
  const esp = Number(m.lp.gpr(3));
  return esp === 0 ? undefined : [m.view.getUint32(esp + 4, true), esp];
}

/** What #GP finds on the stack: error code, EIP, CS, EFLAGS. */
const at = (eip: number, pushed = 0): readonly [number, number] => [eip, 0x7000 - 16 - pushed];

test.each(engines)('%s: instructions behind the limit are not fetched, nor those that cross it', (engine) => {
  expect(run(engine, 0x1100, 'nop\n'.repeat(16))).toEqual(at(0x1108));
  expect(run(engine, 0x1104, 'nop\nnop\nmov eax, 1\nhlt')).toEqual(at(0x1106));
  expect(run(engine, 0x1103, 'mov eax, 1\nhlt')).toEqual(at(0x1108));
  expect(run(engine, 0x1102, 'mov eax, 1\nhlt')).toBeUndefined();
  // At the end of a page.
  expect(run(engine, 0x0ff0, 'nop\n'.repeat(32), BASE, 0x0fff)).toEqual(at(0x1000));
  expect(run(engine, 0x0ffe, 'mov eax, 1\nhlt', BASE, 0x0fff)).toEqual(at(0x0ffe));
  // The segment does not begin with a page.
  expect(run(engine, 0x0f00, 'nop\n'.repeat(0x200), BASE + 0x123, 0x0fff)).toEqual(at(0x1000));
});

test.each(engines)('%s: branches behind the limit fault where they are', (engine) => {
  /** What comes before the branch, and its bytes. */
  const branches: readonly (readonly [before: string, bytes: number, branch: string])[] = [
    ['', 0, 'jmp 0x1120'], ['xor eax, eax', 2, 'jz 0x1120'], ['mov ecx, 2', 5, 'loop 0x1120'], ['mov eax, 0x1120', 5, 'jmp eax'], ['', 0, 'call 0x1120'], ['xor ecx, ecx', 2, 'jecxz 0x1120'],
    ['cmp eax, eax', 2, '.byte 0x0f, 0x84\n.long 0x100000'],
  ];
  for (const [before, bytes, branch] of branches) {
    expect(run(engine, 0x10f0, `${before}\n${branch}\nhlt`), branch).toEqual(at(0x10f0 + bytes));
    // From another page, if it goes as far.
    if (!/loop|jecxz/.test(branch)) expect(run(engine, 0x0fe0, `${before}\n${branch}\nhlt`), branch).toEqual(at(0x0fe0 + bytes));
  }
  expect(run(engine, 0x10f0, 'mov eax, 0x1120\npush eax\nret\nhlt')).toEqual(at(0x10f6, 4));
  // Those that are not taken, and those that stay below it, do not.
  expect(run(engine, 0x10f0, 'or eax, 1\njz 0x1120\nhlt')).toBeUndefined();
  expect(run(engine, 0x10f0, 'mov ecx, 5\nagain: loop again\ncall 1f\nhlt\n1: ret')).toBeUndefined();
});

test.each(engines)('%s: in real mode instruction pointers end at 0xffff, and branches wrap', (engine) => {
  const play = (ip: number, source: string): readonly [ip: number, bx: number] => {
    const m = new Machine(engine);
    m.view.setUint16(13 * 4, HANDLER, true);
    m.load(HANDLER, 'pop bx\nmov cx, 13\nhlt');
    m.load(0x2000, 'mov sp, 0x7000\nxor cx, cx\nmov ax, 0x2000\npush ax\npush word ptr [0x2100]\nretf');
    m.view.setUint16(0x2100, ip, true);
    m.load(0x2_0000 + ip, source, 16, BigInt(ip));
    m.load(0x2_0010, 'mov bx, 0x1234\nhlt');
    expect(m.boot(0x2000)).toBe('waiting');
    return [Number(m.lp.gpr(1)), Number(m.lp.gpr(3)) & 0xffff];
  };
  expect(play(0xfffe, 'nop\nnop\nnop')).toEqual([13, 0]);
  expect(play(0xfffe, 'mov ax, 1')).toEqual([13, 0xfffe]);
  expect(play(0xfff0, '.byte 0xeb, 0x1e')).toEqual([0, 0x1234]);
});
