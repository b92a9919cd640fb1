/** Single steps where they are special: behind MOV SS, with INT1, with SYSRET; and what of segments a return to user mode keeps. */
import { expect, test } from 'vitest';
import type { LpOptions } from '../../src/lp.ts';
import { Machine, TABLES, toLongMode, toProtectedMode } from './machine.ts';

const engines = ['interpreter', 'translator'] as const;

/** A handler of #DB in real mode that stores IP and DR6 at ES:DI, and clears DR6. */
const LOG = `
        push bp
        mov bp, sp
        push eax
        mov ax, [bp + 2]
        stosw
        mov eax, dr6
        stosw
        mov eax, 0xffff0ff0
        mov dr6, eax
        pop eax
        pop bp
        iret
`;
const START = `
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x800
        mov di, 0x8000
        mov word ptr [4], 0x1100
        mov word ptr [6], 0
        xor cx, cx
        xor bx, bx
`;
const TRAP_FLAG = 'pushf\n pop ax\n or ax, 0x100\n push ax\n';

/** The same, and breakpoints hit once. */
const LOG_ONCE = LOG.replace('mov dr6, eax', 'mov dr6, eax\n xor eax, eax\n mov dr7, eax');

/** What is logged: labels, or addresses where there is none, and the bits of DR6. */
function log(engine: 'interpreter' | 'translator', source: string, handler = LOG, options: Partial<LpOptions> = {}): string[] {
  const m = new Machine(engine, options);
  m.load(0x1100, handler);
  const symbols = m.load(0x2000, `${START}${source}`);
  expect(m.boot(0x2000)).toBe('waiting');
  const names = new Map([...symbols].map(([name, at]) => [Number(at), name]));
  const list: string[] = [];
  for (let at = 0x8000; m.view.getUint16(at, true) !== 0; at += 4) {
    const ip = m.view.getUint16(at, true);
    list.push(`${names.get(ip) ?? ip.toString(16)} ${(m.view.getUint16(at + 2, true) & 0xe00f).toString(16)}`);
  }
  return list;
}

test.each(engines)('%s: no step ends behind MOV SS, and none is kept for later', (engine) => {
  expect(log(engine, `${TRAP_FLAG} mov dx, ss\n and ax, 0xfeff\n popf\n mov ss, dx\n push ax\nbehind: popf\nlast: nop\n hlt`)).toEqual(['behind 4000', 'last 4000']);
  expect(log(engine, `${TRAP_FLAG} mov dx, ss\n and ax, 0xfeff\n popf\n mov ss, dx\n .byte 0xf1\nfirst: .byte 0xf1\nsecond: push ax\nthird: popf\nlast: hlt`)).toEqual([
    'first 0', 'second 0', 'third 4000', 'last 4000',
  ]);
});

test.each(engines)('%s: data breakpoints trap behind the access, wherever it is in what is executed at once', (engine) => {
  // Writes of the fifth word of eight; reads do not count.
  const source = `mov eax, 0x908\n mov dr0, eax\n mov eax, 0x50001\n mov dr7, eax\n mov cx, 400
again: mov bx, cx\n and bx, 7\n shl bx, 1
 mov [bx + 0x900], cx
written: mov ax, [bx + 0x900]\n add bp, ax\n loop again
 xor eax, eax\n mov dr7, eax\n hlt`;
  expect(log(engine, source)).toEqual(Array.from({ length: 50 }, () => 'written 1'));
});

test.each(engines)('%s: a data breakpoint of MOV SS comes with the INT1 behind it', (engine) => {
  expect(log(engine, `mov eax, 0x900\n mov dr0, eax\n mov word ptr [0x900], 0\n mov eax, 0x30002\n mov dr7, eax\n mov ss, [0x900]\n .byte 0xf1\nbehind: xor eax, eax\n mov dr7, eax\n hlt`)).toEqual(['behind 1']);
});

test.each(engines)('%s: an instruction breakpoint behind MOV SS is for AMD to see', (engine) => {
  const source = `mov eax, offset first\n mov dr0, eax\n mov eax, offset second\n mov dr1, eax\n mov eax, 5\n mov dr7, eax
 mov dx, ss\n mov ss, dx\nfirst: xor bx, bx\nsecond: inc bx\n hlt`;
  expect([log(engine, source, LOG_ONCE), log(engine, source, LOG_ONCE, { vendor: 'amd' })]).toEqual([['second 2'], ['first 1']]);
});

test.each(engines)('%s: a repeated string instruction is a step an element', (engine) => {
  expect(log(engine, `mov cx, 3\n mov si, 0x900\n ${TRAP_FLAG} and ax, 0xfeff\n popf\nagain: rep lodsb\nbehind: pushf\nb: pop ax\nc: and ax, 0xfeff\nd: push ax\ne: popf\nlast: hlt`)).toEqual([
    'again 4000', 'again 4000', 'behind 4000', 'b 4000', 'c 4000', 'd 4000', 'e 4000', 'last 4000',
  ]);
});

test.each(engines)('%s: SYSRET steps with the trap flag that it sets, and IRET to user mode leaves the base of GS', (engine) => {
  const m = new Machine(engine);
  const symbols = m.load(0x4000, `${toProtectedMode()}
        mov gs, eax
${toLongMode('wide', 24)}wide:   mov ax, 48
        ltr ax
        lidt [rip + idtr]
        mov dword ptr [0x3004], 0x6000     # RSP0
        mov ecx, 0xc0000101
        mov eax, 0x9000
        xor edx, edx
        wrmsr
        mov ecx, 0xc0000081
        mov edx, 0x1b0018
        xor eax, eax
        wrmsr
        xor r14d, r14d
        lea rcx, [rip + user]
        mov r11d, 0x102
        sysretq
user:   nop
        ud2
handler1:
        inc r14d
        mov r13, [rsp]                     # where, and without the flag from here on
        mov qword ptr [rsp + 16], 0x2
        iretq
handler6:
        mov ecx, 0xc0000101
        rdmsr
        mov r12d, eax
        xor ebx, ebx
        mov bx, gs
        hlt
idtr:   .word 0xfff
        .quad 0x2000
${TABLES}`);
  for (const [vector, name] of [[1, 'handler1'], [6, 'handler6']] as const) {
    m.view.setBigUint64(0x2000 + 16 * vector, (symbols.get(name) as bigint) | (24n << 16n) | (0x8en << 40n), true);
    m.view.setBigUint64(0x2008 + 16 * vector, 0n, true);
  }
  expect(m.boot(0x4000)).toBe('waiting');
  const [rbx, r12, r13, r14] = [3, 12, 13, 14].map((r) => m.lp.gpr(r));
  expect([r14, r13, r12, rbx]).toEqual([1n, symbols.get('user'), 0x9000n, 0n]);
});
