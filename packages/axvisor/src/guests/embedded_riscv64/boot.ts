/** Image header, entry of the first hart and the order of initialisation (Linux: "Boot image header in RISC-V Linux"). */

export const text: string = String.raw`
image:
        j       start
        nop
        .dword  0x200000                # text_offset: from the start of RAM
        .dword  kernel_end - image      # image_size, with what follows the file
        .dword  0                       # flags: little-endian
        .word   2                       # version 0.2
        .word   0
        .dword  0
        .ascii  "RISCV\0\0\0"
        .ascii  "RSC\x05"
        .word   0

        # a0: hart ID, a1: device tree; untranslated, interrupts off, as SBI defines for HSM and boot.
start:
        csrw    sie, zero
        csrci   sstatus, SSTATUS_SIE
        mv      s0, a0
        mv      s1, a1
        rdtime  s2
        la      sp, stacks + STACK_SIZE
        la      a0, banner
        call    sbi_puts
        la      t0, bss_start
        la      t1, bss_end
1:      sd      zero, (t0)
        addi    t0, t0, 8
        bltu    t0, t1, 1b
        sd      s2, boot_time, t0
        la      tp, harts
        la      t0, trap_entry
        csrw    stvec, t0

        mv      a0, s1
        call    fdt_parse
        mv      a0, s0
        call    find_hart
        bnez    a0, 2f
        la      a0, no_hart
        j       fatal
2:      mv      tp, a0
        call    hart_stack
        mv      sp, a0
        li      t0, 1
        sd      t0, HART_ONLINE(tp)
        sd      s0, first_hart, t0
        ld      a0, HART_PHANDLE(tp)
        call    fdt_plic_context
        call    pages_init
        call    paging_init
        call    console_init
        call    timer_init

        la      a0, machine
        ld      a1, ram_size
        srli    a1, a1, 20
        ld      a2, ram_base
        ld      a3, hart_count
        ld      a4, HART_ID(tp)
        ld      a5, timebase
        call    printf
        call    console_describe
        la      a0, no_initrd
        ld      a1, initrd_start
        beqz    a1, 3f
        la      a0, has_initrd
        ld      a2, initrd_end
3:      call    printf
        csrsi   sstatus, SSTATUS_SIE
        j       shell

        # a0: hart ID; returns its record or 0.
find_hart:
        la      t0, harts
        ld      t1, hart_count
1:      beqz    t1, 2f
        ld      t2, HART_ID(t0)
        beq     t2, a0, 3f
        addi    t0, t0, HART_SIZE
        addi    t1, t1, -1
        j       1b
2:      li      t0, 0
3:      mv      a0, t0
        ret

        # Returns the top of the stack of the hart at tp.
hart_stack:
        la      t0, harts
        sub     t0, tp, t0
        srli    t0, t0, 7               # HART_SIZE is 128
        addi    t0, t0, 1
        li      t1, STACK_SIZE
        mul     t0, t0, t1
        la      a0, stacks
        add     a0, a0, t0
        ret

        # a0: message; the machine goes down with the reason "system failure".
fatal:
        call    sbi_puts
        li      a0, 0
        li      a1, 1
        call    sbi_system_reset
1:      wfi
        j       1b
`;

export const rodata: string = String.raw`
banner: .asciz  "axvisor embedded kernel, riscv64\r\n"
no_hart:
        .asciz  "fatal: the device tree does not name the boot hart\r\n"
machine:
        .asciz  "memory %u MiB at 0x%x, harts %u, boot hart %u, timebase %u Hz\n"
no_initrd:
        .asciz  "initrd none\nSv39 paging on; type help for the commands\n"
has_initrd:
        .asciz  "initrd 0x%x..0x%x, left alone\nSv39 paging on; type help for the commands\n"
`;
