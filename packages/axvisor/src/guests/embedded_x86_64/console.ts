/** The console of the embedded kernel for PCs: the UART at COM1 with interrupts. */

export const text: string = String.raw`
        .equ    RING_SIZE, 256

        .equ    COM1, 0x3f8
        .equ    COM1_IRQ, 4
        .equ    UART_IER, COM1 + 1
        .equ    UART_FCR, COM1 + 2
        .equ    UART_LCR, COM1 + 3
        .equ    UART_MCR, COM1 + 4
        .equ    UART_LSR, COM1 + 5

console_init:
        mov     edx, UART_LCR
        mov     eax, 3                  # 8 bits, no parity
        out     dx, al
        mov     edx, UART_FCR
        mov     eax, 7                  # FIFOs, empty
        out     dx, al
        mov     edx, UART_MCR
        mov     eax, 0xb                # DTR, RTS, OUT2: the interrupt gets out
        out     dx, al
        mov     edi, COM1_IRQ
        mov     esi, VECTOR_CONSOLE
        call    io_apic_route
        mov     edx, UART_IER
        mov     eax, 1                  # received data
        out     dx, al
        ret

        # edi: character
putchar:
        cmp     edi, '\n'
        jne     put_raw
        mov     edi, '\r'
        call    put_raw
        mov     edi, '\n'
put_raw:
        mov     edx, UART_LSR
.Lfull: in      al, dx
        test    al, 0x20                # room to send
        jz      .Lfull
        mov     edx, COM1
        mov     eax, edi
        out     dx, al
        ret

        # Moves what was received to the ring; what does not fit is lost.
console_receive:
        lea     rdi, [rip + ring]
.Lreceive:
        mov     edx, UART_LSR
        in      al, dx
        test    al, 1
        jz      .Lreceived
        mov     edx, COM1
        in      al, dx
        mov     rcx, [rip + ring_head]
        mov     rdx, rcx
        sub     rdx, [rip + ring_tail]
        cmp     rdx, RING_SIZE
        jae     .Lreceive
        movzx   edx, cl                 # as many as the ring has
        mov     [rdi + rdx], al
        inc     rcx
        mov     [rip + ring_head], rcx
        jmp     .Lreceive
.Lreceived:
        ret

        # Waits for a character. The look and the wait are one step: sti takes effect behind hlt.
getchar:
        cli
        mov     rcx, [rip + ring_tail]
        cmp     rcx, [rip + ring_head]
        jne     .Lgot
        sti
        hlt
        jmp     getchar
.Lgot:  movzx   edx, cl
        lea     rdi, [rip + ring]
        movzx   eax, byte ptr [rdi + rdx]
        inc     rcx
        mov     [rip + ring_tail], rcx
        sti
        ret
`;
