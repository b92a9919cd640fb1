/* Entry of a guest in S-mode with an SBI beneath: a stack, the floating-point unit, main, and off (SBI 2.0, chapter 10). */
    .section .text.start, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la sp, stack_top
    la t0, boot_hart             /* a0 on entry (SBI 2.0, chapter 9) */
    sd a0, 0(t0)
    li t0, 0x2000                /* sstatus.FS = Initial */
    csrs sstatus, t0
    call main
    li a0, 0                     /* shutdown */
    li a1, 0                     /* no reason */
    li a6, 0                     /* sbi_system_reset */
    li a7, 0x53525354            /* SRST */
    ecall
1:  wfi
    j 1b

    .section .sbss, "aw", @nobits
    .balign 8
    .globl boot_hart
boot_hart:
    .space 8

    .section .bss.stack, "aw", @nobits
    .balign 16
    .space 65536
stack_top:
