/** Traps of the embedded RISC-V kernel: interrupts, exceptions taken on purpose, and the timer (privileged manual, "Supervisor Cause Register"). */

const saved = ['ra', 't0', 't1', 't2', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 't3', 't4', 't5', 't6'] as const;
const each = (mnemonic: string): string => saved.map((register, i) => `        ${mnemonic.padEnd(8)}${register}, ${i * 8}(sp)`).join('\n');

export const text: string = String.raw`
        .equ    IRQ_SOFTWARE, 1
        .equ    IRQ_TIMER, 5
        .equ    IRQ_EXTERNAL, 9

        # There is no user mode: every trap comes from the kernel and runs on its stack. The handlers keep s0..s11 themselves.
        .balign 4
trap_entry:
        addi    sp, sp, -${saved.length * 8}
${each('sd')}
        csrr    a0, scause
        bgez    a0, 3f
        slli    a0, a0, 1
        srli    a0, a0, 1
        li      t0, IRQ_TIMER
        bne     a0, t0, 1f
        call    timer_interrupt
        j       4f
1:      li      t0, IRQ_EXTERNAL
        bne     a0, t0, 2f
        call    external_interrupt
        j       4f
2:      li      t0, IRQ_SOFTWARE
        bne     a0, t0, unexpected_trap
        call    software_interrupt
        j       4f
3:      ld      t0, HART_RESUME(tp)
        beqz    t0, unexpected_trap
        sd      zero, HART_RESUME(tp)
        sd      a0, HART_CAUSE(tp)
        csrr    a0, stval
        sd      a0, HART_TVAL(tp)
        csrr    a0, sepc
        sd      a0, HART_EPC(tp)
        csrw    sepc, t0
4:
${each('ld')}
        addi    sp, sp, ${saved.length * 8}
        sret

unexpected_trap:
        la      a0, unexpected
        csrr    a1, scause
        csrr    a2, sepc
        csrr    a3, stval
        ld      a4, (sp)
        ld      a5, HART_ID(tp)
        call    printf
        la      a0, giving_up
        j       fatal

        # The first hart takes a tick ten times a second.
timer_init:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        ld      t0, timebase
        li      t1, 10
        divu    t0, t0, t1
        sd      t0, tick_interval, t1
        call    timer_next
        li      t0, SIE_STIE
        csrs    sie, t0
        ld      ra, 8(sp)
        addi    sp, sp, 16
        ret

timer_next:
        rdtime  a0
        ld      t0, tick_interval
        add     a0, a0, t0
        j       sbi_set_timer

timer_interrupt:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        ld      t0, ticks
        addi    t0, t0, 1
        sd      t0, ticks, t1
        ld      t0, console_polled
        beqz    t0, 1f
        call    console_receive
1:      call    timer_next
        ld      ra, 8(sp)
        addi    sp, sp, 16
        ret
`;

export const rodata: string = String.raw`
unexpected:
        .asciz  "unexpected trap: scause 0x%x sepc 0x%x stval 0x%x ra 0x%x on hart %u\n"
giving_up:
        .asciz  "fatal: giving up\r\n"
`;
