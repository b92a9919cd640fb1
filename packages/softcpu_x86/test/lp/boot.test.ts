import { expect, test } from 'vitest';
import { ENTER_LONG, Machine, TABLES } from './machine.ts';

const engines = ['interpreter', 'translator'] as const;

test.each(engines)('%s: real, protected and long mode, exceptions, interrupts, system calls', (engine) => {
  const m = new Machine(engine);
  const source = `${ENTER_LONG}
        mov ax, 48
        ltr ax
        lidt [rip + idtr]
        mov dword ptr [0x3004], 0x6000     # RSP0
        mov r12, 0x123456789abcdef0
        ud2                                # handler skips it
        mov rax, [0x400000]                # page fault, skipped too
        int 0x80
        xor edx, edx
        xor ecx, ecx
        div rcx
        mov ecx, 0xc0000081
        mov edx, 0x1b0018                  # SYSRET selectors from 0x1b, SYSCALL's from 0x18
        xor eax, eax
        wrmsr
        mov ecx, 0xc0000082
        lea rax, [rip + syscall_entry]
        xor edx, edx
        wrmsr
        mov ecx, 0xc0000084
        mov eax, 0x200
        wrmsr
        # To user mode.
        push 35
        push 0x5800
        push 0x202
        push 43
        lea rax, [rip + user]
        push rax
        iretq
user:   mov eax, 7
        syscall
        mov ebx, eax
        mov rax, cr0                       # #GP
        mov eax, 9
        syscall
forever: jmp forever

syscall_entry:
        push rcx
        push r11
        mov r13, rax
        mov al, 0x53
        out 0xe9, al
        cmp r13, 9
        je done
        lea rax, [r13 + r13]
        pop r11
        pop rcx
        sysretq
done:   hlt
        jmp done

# Handlers: tell the vector, skip what faulted.
${[0, 6, 13, 14].map((vector) => `
handler${vector}:
        push rax
        mov al, ${vector + 0x61}
        out 0xe9, al
        pop rax
        ${vector > 7 ? 'add rsp, 8' : ''}
        add qword ptr [rsp], ${vector === 6 ? 2 : vector === 14 ? 8 : 3}
        iretq`).join('\n')}
handler80:
        push rax
        mov al, 0x69
        out 0xe9, al
        pop rax
        iretq
idtr:   .word 0xfff
        .quad 0x2000
${TABLES}`;
  const symbols = m.load(0x4000, source);
  const put = (vector: number, name: string, access: number): void => {
    const offset = symbols.get(name) as bigint;
    m.view.setBigUint64(0x2000 + 16 * vector, (offset & 0xffffn) | (24n << 16n) | (BigInt(access) << 40n) | ((offset >> 16n) << 48n), true);
    m.view.setBigUint64(0x2008 + 16 * vector, 0n, true);
  };
  for (const vector of [0, 6, 13, 14]) put(vector, `handler${vector}`, 0x8e);
  put(0x80, 'handler80', 0xee);
  expect(m.boot(0x4000)).toBe('waiting');
  expect(m.output).toBe('RPLgoiaSnS');
  expect([m.lp.gpr(3), m.lp.gpr(12)]).toEqual([14n, 0x1234_5678_9abc_def0n]);
  expect(m.lp.priv.regs.get('cr2')).toBe(0x40_0000n);
});

test.each(engines)('%s: the interrupt table of real-address mode, string I/O, far calls', (engine) => {
  const m = new Machine(engine);
  m.load(0x1000, `
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x800
        mov word ptr [4 * 0x21], 0x1200
        mov word ptr [4 * 0x21 + 2], 0x10
        mov word ptr [0], 0x1100
        mov word ptr [2], 0
        int 0x21
        xor cx, cx
        div cx
        .byte 0x9a
        .word 0x0010, 0x0160
        cld
        mov si, 0x1180
        mov cx, 5
        mov dx, 0xe9
        rep outsb
        mov di, 0x1190
        mov cx, 3
        mov dx, 0x60
        rep insw
        hlt
`);
  m.load(0x1300, 'mov al, 0x49\n out 0xe9, al\n iret');
  m.load(0x1610, 'mov al, 0x46\n out 0xe9, al\n retf');
  m.load(0x1180, '.ascii "hello"');
  // #DE's handler skips the two bytes of DIV.
  m.load(0x1100, `
        push bp
        mov bp, sp
        add word ptr [bp + 2], 2
        mov al, 0x44
        out 0xe9, al
        pop bp
        iret`);
  expect(m.boot(0x1000)).toBe('waiting');
  expect(m.output).toBe('IDFhello');
  expect(m.ports).toEqual(['in 60 2', 'in 60 2', 'in 60 2']);
  expect(m.view.getUint32(0x1190, true)).toBe(0xa5a5_a5a5);
});

test.each(engines)('%s: single steps trap after each instruction', (engine) => {
  const m = new Machine(engine);
  m.load(0x1000, `
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x800
        mov word ptr [4], 0x1100
        mov word ptr [6], 0
        pushf
        pop ax
        or ax, 0x100
        push ax
        popf
        nop
        inc bx
        mov cx, 5
        pushf
        pop ax
        and ax, 0xfeff
        push ax
        popf
        nop
        hlt
`);
  m.load(0x1100, 'inc dx\n iret');
  expect(m.boot(0x1000)).toBe('waiting');
  // nop, inc, mov, pushf, pop, and, push, popf.
  expect(m.lp.gpr(2) & 0xffffn).toBe(0x654n + 8n);
});

test.each(engines)('%s: a triple fault shuts the processor down', (engine) => {
  const m = new Machine(engine);
  m.load(0x1000, `${ENTER_LONG}
        ud2
${TABLES}`);
  expect(m.boot(0x1000)).toBe('waiting');
  expect([m.output, m.lp.priv.waiting]).toEqual(['RPL', 2]);
});

test.each(engines)('%s: x87 and MMX while CR0.EM or CR0.TS is set', (engine) => {
  const vector = (bits: number, instruction: string): number => {
    const m = new Machine(engine);
    // Every vector's handler tells its number.
    for (let i = 0; i < 8; i++) {
      m.view.setUint32(4 * i, 0x1800 + 16 * i, true);
      m.load(0x1800 + 16 * i, `mov bl, ${i + 1}\n hlt`);
    }
    m.load(0x1000, `xor ax, ax\n mov ds, ax\n mov ss, ax\n mov sp, 0x900\n xor bx, bx\n mov eax, cr0\n or al, ${bits}\n mov cr0, eax\n ${instruction}\n hlt`);
    expect(m.boot(0x1000)).toBe('waiting');
    return Number(m.lp.gpr(3) & 0xffn) - 1;
  };
  expect([vector(0, 'fninit'), vector(4, 'fninit'), vector(8, 'fninit'), vector(0, 'emms'), vector(4, 'emms'), vector(8, 'emms')]).toEqual([-1, 7, 7, -1, 6, 7]);
});

test.each(engines)('%s: user programs that ask for it must access aligned data', (engine) => {
  const m = new Machine(engine);
  const symbols = m.load(0x4000, `${ENTER_LONG}
        mov ax, 48
        ltr ax
        lidt [rip + idtr]
        mov dword ptr [0x3004], 0x6000
        mov rax, cr0
        or eax, 0x40000
        mov cr0, rax
        xor ecx, ecx
        mov ebx, 0x5001
        mov eax, [rbx]                     # nothing is checked here
        push 35
        push 0x5800
        push 0x40002
        push 43
        lea rax, [rip + user]
        push rax
        iretq
user:   mov eax, [rbx]
        mov al, [rbx]
        mov eax, [rbx + 3]
        movdqu xmm0, [rbx]
        inc word ptr [rbx]
        push 2
        popfq
        mov eax, [rbx]
        hlt
handler17:
        push rax
        mov al, 0x41
        out 0xe9, al
        pop rax
        add rsp, 8
        # The first is two bytes long, the other three.
        add qword ptr [rsp], 2
        cmp ecx, 0
        je first
        inc qword ptr [rsp]
first:  inc ecx
        iretq
handler13:
        mov al, 0x47
        out 0xe9, al
        hlt
idtr:   .word 0xfff
        .quad 0x2000
${TABLES}`);
  for (const vector of [13, 17]) {
    const offset = symbols.get(`handler${vector}`) as bigint;
    m.view.setBigUint64(0x2000 + 16 * vector, (offset & 0xffffn) | (24n << 16n) | (0x8en << 40n), true);
    m.view.setBigUint64(0x2008 + 16 * vector, 0n, true);
  }
  expect(m.boot(0x4000)).toBe('waiting');
  expect(m.output).toBe('RPLAAG');
});
