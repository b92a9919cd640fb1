/** The console of the embedded Arm kernel: a PL011 UART (DDI 0183) with interrupts, or polled by the tick where there is no interrupt controller. */

export const text: string = String.raw`
        .equ    RING_SIZE, 256

        .equ    UART_DR, 0
        .equ    UART_FR, 0x18
        .equ    UART_LCR_H, 0x2c
        .equ    UART_CR, 0x30
        .equ    UART_IMSC, 0x38
        .equ    FR_RXFE, 4              // bits
        .equ    FR_TXFF, 5
        .equ    LCR_8N1_FIFO, 0x70
        .equ    CR_ON, 0x301            // UART, transmitter, receiver
        .equ    INT_RECEIVE, 0x50       // data, and data that has waited

console_init:
        mov     x1, 1
        adr     x2, console_polled
        str     x1, [x2]
        ldr     x0, uart_base
        cbz     x0, 1f
        mov     w1, LCR_8N1_FIFO
        str     w1, [x0, UART_LCR_H]
        mov     w1, CR_ON
        str     w1, [x0, UART_CR]
        ldr     x1, gic_base
        cbz     x1, 1f
        mov     w1, INT_RECEIVE
        str     w1, [x0, UART_IMSC]
        str     xzr, [x2]
        ldr     x0, uart_irq
        b       gic_enable
1:      ret

console_describe:
        adr     x0, console_none
        ldr     x1, uart_base
        cbz     x1, 1f
        adr     x0, console_irq
        ldr     x2, uart_irq
1:      b       printf

        // x0: character
putchar:
        cmp     w0, '\n'
        b.ne    put_raw
        stp     x30, x0, [sp, -16]!
        mov     w0, '\r'
        bl      put_raw
        ldp     x30, x0, [sp], 16
put_raw:
        ldr     x1, uart_base
        cbz     x1, 2f
1:      ldr     w2, [x1, UART_FR]
        tbnz    w2, FR_TXFF, 1b
        str     w0, [x1, UART_DR]
2:      ret

        // Moves what was received to the ring; what does not fit is lost.
console_receive:
        ldr     x0, uart_base
        cbz     x0, 2f
1:      ldr     w1, [x0, UART_FR]
        tbnz    w1, FR_RXFE, 2f
        ldr     w1, [x0, UART_DR]
        ldr     x2, ring_head
        ldr     x3, ring_tail
        sub     x3, x2, x3
        cmp     x3, RING_SIZE
        b.hs    1b
        and     x3, x2, RING_SIZE - 1
        adr     x4, ring
        strb    w1, [x4, x3]
        add     x2, x2, 1
        adr     x4, ring_head
        str     x2, [x4]
        b       1b
2:      ret

        // Waits for a character. The look and the wait are one step, interrupts being masked between them: wfi ends for a pending one too.
getchar:
        msr     DAIFSet, DAIF_I
        ldr     x1, ring_head
        ldr     x2, ring_tail
        cmp     x1, x2
        b.ne    1f
        wfi
        msr     DAIFClr, DAIF_I
        b       getchar
1:      and     x1, x2, RING_SIZE - 1
        adr     x0, ring
        ldrb    w0, [x0, x1]
        add     x2, x2, 1
        adr     x1, ring_tail
        str     x2, [x1]
        msr     DAIFClr, DAIF_I
        ret
`;

export const rodata: string = String.raw`
console_none:
        .asciz  "no console\n"
console_irq:
        .asciz  "console PL011 at 0x%x, interrupt %u\n"
`;
