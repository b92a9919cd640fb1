/** Interrupts and exceptions of the embedded kernel for PCs (SDM vol. 3, chapter 6): the descriptor table, exceptions taken on purpose, the ticks. */

const VECTORS = 48;
/** Exceptions that push an error code. */
const WITH_ERROR: readonly number[] = [8, 10, 11, 12, 13, 14, 17, 21, 29, 30];

/** Entries, 16 bytes each: all leave error code and vector on the stack. */
const entries = Array.from({ length: VECTORS }, (_, vector) =>
  [`        .balign 16, 0xcc`, ...(WITH_ERROR.includes(vector) ? [] : ['        push    0']), `        push    ${vector}`, '        jmp     trap_common'].join('\n'),
).join('\n');

/** What a called function may change. */
const saved = ['rax', 'rcx', 'rdx', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11'];
const FRAME = 8 * saved.length;

export const text: string = String.raw`
        .balign 16, 0xcc
trap_entries:
${entries}

        # An interrupt gate for each entry.
traps_init:
        lea     rax, [rip + trap_entries]
        lea     rdi, [rip + idt]
        mov     ecx, VECTORS
.Lgate: mov     [rdi], ax
        mov     word ptr [rdi + 2], SELECTOR_CODE64
        mov     word ptr [rdi + 4], 0x8e00
        mov     rdx, rax
        shr     rdx, 16
        mov     [rdi + 6], dx
        shr     rdx, 16
        mov     [rdi + 8], rdx
        add     rax, 16
        add     rdi, 16
        dec     ecx
        jnz     .Lgate
        ret

        # There is no user mode: everything comes from the kernel and runs on its stack. Functions keep the other registers themselves.
trap_common:
${saved.map((register) => `        push    ${register}`).join('\n')}
        mov     eax, [rsp + ${FRAME}]
        cmp     eax, 32
        jae     .Linterrupt
        mov     rdx, [r15 + CPU_RESUME]
        test    rdx, rdx
        jz      unexpected_trap
        mov     qword ptr [r15 + CPU_RESUME], 0
        mov     [r15 + CPU_VECTOR], rax
        mov     rax, [rsp + ${FRAME + 8}]
        mov     [r15 + CPU_ERROR], rax
        mov     rax, [rsp + ${FRAME + 16}]
        mov     [r15 + CPU_RIP], rax
        mov     rax, cr2
        mov     [r15 + CPU_CR2], rax
        mov     [rsp + ${FRAME + 16}], rdx
        jmp     trap_return
.Linterrupt:
        cmp     eax, VECTOR_SPURIOUS
        je      trap_return
        cmp     eax, VECTOR_PING
        je      .Lping
        cmp     eax, VECTOR_CONSOLE
        je      .Lconsole
        inc     qword ptr [rip + ticks]
        jmp     .Lend
.Lconsole:
        call    console_receive
        jmp     .Lend
.Lping: call    ping_interrupt
.Lend:  mov     eax, APIC_BASE
        mov     dword ptr [rax + APIC_EOI], 0
trap_return:
${saved.toReversed().map((register) => `        pop     ${register}`).join('\n')}
        add     rsp, 16
        iretq

unexpected_trap:
        lea     rdi, [rip + unexpected]
        mov     rsi, rax
        mov     rdx, [rsp + ${FRAME + 8}]
        mov     rcx, [rsp + ${FRAME + 16}]
        mov     r8, cr2
        mov     r9, [r15 + CPU_ID]
        call    printf
        lea     rdi, [rip + giving_up]
        jmp     fatal
`;

export const rodata: string = String.raw`
unexpected:
        .asciz  "unexpected exception: vector %u error 0x%x RIP 0x%x CR2 0x%x on CPU 0x%x\n"
giving_up:
        .asciz  "fatal: giving up\n"
`;
