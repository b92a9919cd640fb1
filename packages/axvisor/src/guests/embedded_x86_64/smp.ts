/** The command `smp` of the embedded kernel for PCs: starts the other CPUs (SDM vol. 3, 9.4), exchanges interprocessor interrupts and stops the CPUs. */
import { smpTexts } from '../embedded/smp_texts.ts';

export const text: string = String.raw`
        .equ    ROUNDS, 100
        .equ    TRAMPOLINE, 0x8000      # where the others begin, in real mode

command_smp:
        push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        lea     rbx, [rip + cpus]
        mov     rbp, [rip + cpu_count]
        shl     rbp, CPU_SHIFT
        add     rbp, rbx                # the end
        xor     r12d, r12d              # CPUs started
        mov     qword ptr [rip + pongs], 0
        lea     rsi, [rip + trampoline]
        mov     edi, TRAMPOLINE
        mov     ecx, trampoline_end - trampoline
        rep movsb

        # Start every other CPU and wait until it says so.
        mov     r13, rbx
.Lstart:
        cmp     r13, rbp
        jae     .Lstarted
        cmp     r13, r15
        je      .Lstart_next
        mov     qword ptr [r13 + CPU_PINGS], 0
        mov     qword ptr [r13 + CPU_STOP], 0
        mov     rdi, r13
        mov     esi, COMMAND_INIT
        call    apic_send
        mov     edi, 10000
        call    delay
        mov     rdi, r13
        mov     esi, COMMAND_STARTUP | TRAMPOLINE >> 12
        call    apic_send
        mov     edi, 200
        call    delay
        # The second is for processors that missed the first; others ignore it.
        mov     rdi, r13
        mov     esi, COMMAND_STARTUP | TRAMPOLINE >> 12
        call    apic_send
        lea     rdi, [r13 + CPU_ONLINE]
        mov     esi, 1
        call    wait_field
        test    eax, eax
        jnz     .Lnot_started
        inc     r12d
        jmp     .Lstart_next
.Lnot_started:
        lea     rdi, [rip + smp_not_started]
        mov     rsi, [r13 + CPU_ID]
        call    printf
.Lstart_next:
        add     r13, CPU_SIZE
        jmp     .Lstart
.Lstarted:
        test    r12d, r12d
        jnz     .Lexchange
        lea     rdi, [rip + smp_alone]
        call    printf
        jmp     .Lsmp_done

        # Round after round: an interrupt to each CPU, and one back from it.
.Lexchange:
        call    read_counter
        push    rax
        mov     r14d, ROUNDS
.Lround:
        mov     r13, rbx
.Lping_each:
        cmp     r13, rbp
        jae     .Lround_done
        cmp     r13, r15
        je      .Lping_next
        cmp     qword ptr [r13 + CPU_ONLINE], 0
        je      .Lping_next
        push    qword ptr [r13 + CPU_PINGS]
        mov     rdi, r13
        call    apic_ping
        pop     rsi
        inc     rsi
        lea     rdi, [r13 + CPU_PINGS]
        call    wait_field
        test    eax, eax
        jz      .Lping_next
        lea     rdi, [rip + smp_no_answer]
        mov     rsi, [r13 + CPU_ID]
        call    printf
.Lping_next:
        add     r13, CPU_SIZE
        jmp     .Lping_each
.Lround_done:
        dec     r14d
        jnz     .Lround
        call    read_counter
        pop     rcx
        sub     rax, rcx
        mov     ecx, 1000000            # microseconds
        mul     rcx
        div     qword ptr [rip + tsc_hz]
        mov     rcx, rax
        mov     esi, ROUNDS
        mov     rdx, r12
        mov     r8, [rip + pongs]
        lea     rdi, [rip + smp_rounds]
        call    printf

        # Stop them again, so that they cost nothing.
        mov     r13, rbx
.Lstop: cmp     r13, rbp
        jae     .Lsmp_done
        cmp     r13, r15
        je      .Lstop_next
        cmp     qword ptr [r13 + CPU_ONLINE], 0
        je      .Lstop_next
        lea     rdi, [rip + smp_pings]
        mov     rsi, [r13 + CPU_ID]
        mov     rdx, [r13 + CPU_PINGS]
        call    printf
        mov     qword ptr [r13 + CPU_STOP], 1
        mov     rdi, r13
        call    apic_ping
        lea     rdi, [r13 + CPU_ONLINE]
        xor     esi, esi
        call    wait_field
        lea     rdi, [rip + smp_stopped]
        lea     rcx, [rip + smp_not_stopped]
        test    eax, eax
        cmovnz  rdi, rcx
        mov     rsi, [r13 + CPU_ID]
        call    printf
.Lstop_next:
        add     r13, CPU_SIZE
        jmp     .Lstop
.Lsmp_done:
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret

        # Waits until the quadword at rdi is rsi, for ten seconds at most; returns 0 if it is. The timer tick ends a wait that nothing else ends.
wait_field:
        mov     rcx, [rip + ticks]
        add     rcx, 100
.Lwait: cli
        xor     eax, eax
        cmp     [rdi], rsi
        je      .Lwaited
        sti
        hlt
        cmp     [rip + ticks], rcx
        jb      .Lwait
        mov     eax, 1
.Lwaited:
        sti
        ret

        # The way in for the other CPUs, copied to where they can reach it: real mode at TRAMPOLINE, to protected mode.
        .code16
trampoline:
        cli
        xor     ax, ax
        mov     ds, ax
        lgdt    [TRAMPOLINE + trampoline_gdt - trampoline]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        .byte   0x66, 0xea              # far, with an offset of 32 bits
        .long   secondary_start
        .word   SELECTOR_CODE32
trampoline_gdt:
        .word   31
        .long   gdt
trampoline_end:

        .code32
secondary_start:
        mov     eax, SELECTOR_DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, offset small_stack + 256
        mov     ebx, offset secondary_long
        jmp     enter_long_mode
        .code64
secondary_long:
        call    find_own_record
        mov     r15, rax
        call    cpu_stack
        mov     rsp, rax
        lidt    [rip + idt_register]
        call    apic_cpu_init
        lea     rdi, [rip + smp_online]
        mov     rsi, [r15 + CPU_ID]
        call    printf
        mov     qword ptr [r15 + CPU_ONLINE], 1
        mov     rdi, [rip + first_cpu]
        call    apic_ping
.Lidle: cli
        cmp     qword ptr [r15 + CPU_STOP], 0
        jne     .Lstop_self
        sti
        hlt
        jmp     .Lidle
.Lstop_self:
        mov     qword ptr [r15 + CPU_ONLINE], 0
        mov     rdi, [rip + first_cpu]
        call    apic_ping
.Lstopped:
        hlt
        jmp     .Lstopped

        # The first CPU counts what comes back, in which answers that coincide are one; the others count and answer.
ping_interrupt:
        mov     rdi, [rip + first_cpu]
        cmp     rdi, r15
        je      .Lpong
        cmp     qword ptr [r15 + CPU_STOP], 0
        jne     .Lpinged
        inc     qword ptr [r15 + CPU_PINGS]
        jmp     apic_ping
.Lpong: inc     qword ptr [rip + pongs]
.Lpinged:
        ret
`;

export const rodata: string = smpTexts;
