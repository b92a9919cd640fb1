/*
 * Entry of a guest at EL1 on QEMU's `virt`: RAM as Normal memory and the first GiB as devices, mapped as they are in 39 bits of addresses
 * (Arm ARM, D8), a stack, floating point, main, and off by PSCI (DEN0022).
 */
    .section .text.start, "ax"
    .globl _start
_start:
    adr x0, tables
    ldr x1, =0x0060000000000401  /* 0: devices, never executed; accessed */
    str x1, [x0]
    ldr x1, =0x0040000040000705  /* 0x40000000: Normal memory, attributes 1; Inner Shareable, accessed */
    str x1, [x0, #8]
    msr ttbr0_el1, x0
    mov x1, #0xff00
    msr mair_el1, x1
    ldr x1, =0x0000000100803519  /* 39 bits, 4 KiB, write-back walks; no upper half; 36 bits of physical addresses */
    msr tcr_el1, x1
    mov x1, #0x300000            /* CPACR_EL1.FPEN */
    msr cpacr_el1, x1
    isb
    mrs x1, sctlr_el1
    mov x2, #0x1005              /* M, C, I */
    orr x1, x1, x2
    msr sctlr_el1, x1
    isb
    adr x1, stack_top
    mov sp, x1
    bl main
    ldr w0, =0x84000008          /* SYSTEM_OFF */
    hvc #0
1:  wfi
    b 1b
    .ltorg

    .section .bss.tables, "aw", @nobits
    .balign 4096
tables:
    .space 4096

    .section .bss.stack, "aw", @nobits
    .balign 16
    .space 65536
stack_top:
