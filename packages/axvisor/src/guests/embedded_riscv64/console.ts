/** The console of the embedded RISC-V kernel: a 16550 UART with interrupts through the PLIC, or the SBI console where there is no UART. */

export const text: string = String.raw`
        .equ    RING_SIZE, 256

        .equ    UART_RBR, 0             # receive buffer, transmit holding
        .equ    UART_IER, 1
        .equ    UART_LCR, 3
        .equ    UART_MCR, 4
        .equ    UART_LSR, 5
        .equ    LSR_DATA_READY, 1 << 0
        .equ    LSR_THR_EMPTY, 1 << 5
        .equ    LCR_8N1, 3
        .equ    MCR_OUT2, 1 << 3        # lets the interrupt out on PC-like boards

        .equ    PLIC_ENABLE, 0x2000     # + 0x80 a context
        .equ    PLIC_CONTEXT, 0x200000  # + 0x1000 a context: threshold, claim and complete

console_init:
        ld      t0, uart_base
        li      t1, 1
        sd      t1, console_polled, t2
        beqz    t0, 1f
        # The FIFO control register stays as it is: to change it would drop what was typed ahead.
        li      t1, LCR_8N1
        sb      t1, UART_LCR(t0)
        ld      t2, plic_base
        ld      t3, uart_irq
        beqz    t2, 1f
        beqz    t3, 1f
        li      t1, MCR_OUT2
        sb      t1, UART_MCR(t0)
        li      t1, 1
        sb      t1, UART_IER(t0)
        slli    t4, t3, 2
        add     t4, t4, t2
        sw      t1, (t4)                # priority 1
        ld      t5, plic_context
        slli    t4, t5, 7
        add     t4, t4, t2
        li      t6, PLIC_ENABLE
        add     t4, t4, t6
        srli    t6, t3, 5
        slli    t6, t6, 2
        add     t4, t4, t6
        sllw    t1, t1, t3
        sw      t1, (t4)
        slli    t4, t5, 12
        add     t4, t4, t2
        li      t6, PLIC_CONTEXT
        add     t4, t4, t6
        sw      zero, (t4)              # threshold
        sd      zero, console_polled, t2
        li      t1, SIE_SEIE
        csrs    sie, t1
1:      ret

console_describe:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        la      a0, console_sbi
        ld      a1, uart_base
        beqz    a1, 1f
        la      a0, console_poll
        ld      t0, console_polled
        bnez    t0, 1f
        la      a0, console_irq
        ld      a2, uart_irq
        ld      a3, plic_context
1:      call    printf
        ld      ra, 8(sp)
        addi    sp, sp, 16
        ret

        # a0: character
putchar:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        sd      a0, (sp)
        li      t0, '\n'
        bne     a0, t0, 1f
        li      a0, '\r'
        call    put_raw
        ld      a0, (sp)
1:      call    put_raw
        ld      ra, 8(sp)
        addi    sp, sp, 16
        ret

put_raw:
        ld      t0, uart_base
        bnez    t0, 1f
        j       sbi_putchar
1:      lbu     t1, UART_LSR(t0)
        andi    t1, t1, LSR_THR_EMPTY
        beqz    t1, 1b
        sb      a0, UART_RBR(t0)
        ret

external_interrupt:
        addi    sp, sp, -32
        sd      ra, 24(sp)
        sd      s0, 16(sp)
        sd      s1, 8(sp)
        ld      s0, plic_context
        slli    s0, s0, 12
        ld      t0, plic_base
        add     s0, s0, t0
        li      t0, PLIC_CONTEXT
        add     s0, s0, t0
1:      lw      s1, 4(s0)               # claim
        beqz    s1, 2f
        call    console_receive
        sw      s1, 4(s0)               # complete
        j       1b
2:      ld      ra, 24(sp)
        ld      s0, 16(sp)
        ld      s1, 8(sp)
        addi    sp, sp, 32
        ret

        # Moves what was received to the ring; what does not fit is lost.
console_receive:
        addi    sp, sp, -16
        sd      ra, 8(sp)
1:      ld      t0, uart_base
        beqz    t0, 2f
        lbu     t1, UART_LSR(t0)
        andi    t1, t1, LSR_DATA_READY
        beqz    t1, 4f
        lbu     a0, UART_RBR(t0)
        j       3f
2:      call    sbi_getchar
        bltz    a0, 4f
3:      ld      t1, ring_head
        ld      t2, ring_tail
        sub     t3, t1, t2
        li      t4, RING_SIZE
        bgeu    t3, t4, 1b
        andi    t3, t1, RING_SIZE - 1
        la      t4, ring
        add     t4, t4, t3
        sb      a0, (t4)
        addi    t1, t1, 1
        sd      t1, ring_head, t2
        j       1b
4:      ld      ra, 8(sp)
        addi    sp, sp, 16
        ret

        # Waits for a character. The look and the wait are one step, interrupts being off between them: wfi ends for a pending one too.
getchar:
        csrci   sstatus, SSTATUS_SIE
        ld      t1, ring_head
        ld      t2, ring_tail
        bne     t1, t2, 1f
        wfi
        csrsi   sstatus, SSTATUS_SIE
        j       getchar
1:      andi    t3, t2, RING_SIZE - 1
        la      t4, ring
        add     t4, t4, t3
        lbu     a0, (t4)
        addi    t2, t2, 1
        sd      t2, ring_tail, t1
        csrsi   sstatus, SSTATUS_SIE
        ret
`;

export const rodata: string = String.raw`
console_sbi:
        .asciz  "console SBI, polled\n"
console_poll:
        .asciz  "console ns16550a at 0x%x, polled\n"
console_irq:
        .asciz  "console ns16550a at 0x%x, interrupt %u, PLIC context %u\n"
`;
