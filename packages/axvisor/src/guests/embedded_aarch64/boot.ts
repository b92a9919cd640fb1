/** Image header, entry of the first CPU and the order of initialisation (Linux: "Booting AArch64 Linux"), and calls of PSCI (DEN0022). */
import { load } from './layout.ts';

export const text: string = String.raw`
image:
        b       start
        nop
        .quad   0                       // text_offset
        .quad   kernel_end - image      // image_size, with what follows the file
        .quad   10                      // flags: little-endian, pages of 4 KiB, anywhere in memory
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .word   0

        // x0: device tree; EL1, untranslated, exceptions masked.
start:
        mov     x19, x0
        mrs     x20, CNTVCT_EL0
        adr     x0, stacks + STACK_SIZE
        mov     sp, x0
        adr     x0, bss_start
        adr     x1, bss_end
1:      str     xzr, [x0], 8
        cmp     x0, x1
        b.lo    1b
        adr     x0, boot_time
        str     x20, [x0]
        adr     x28, cpus
        adr     x0, vectors
        msr     VBAR_EL1, x0
        isb

        mov     x0, x19
        bl      fdt_parse
        bl      cpu_affinity
        bl      find_cpu
        cbnz    x0, 2f
        adr     x0, no_cpu
        b       fatal
2:      mov     x28, x0
        adr     x1, first_cpu
        str     x0, [x1]
        bl      cpu_stack
        mov     sp, x0
        mov     x0, 1
        str     x0, [x28, CPU_ONLINE]
        bl      pages_init
        bl      paging_init
        adr     x0, banner
        bl      printf
        bl      gic_init
        bl      gic_cpu_init
        bl      console_init
        bl      timer_init

        adr     x0, machine
        ldr     x1, ram_size
        lsr     x1, x1, 20
        ldr     x2, ram_base
        ldr     x3, cpu_count
        ldr     x4, [x28, CPU_ID]
        ldr     x5, gic_version
        mrs     x6, CNTFRQ_EL0
        bl      printf
        bl      console_describe
        adr     x0, no_initrd
        ldr     x1, initrd_start
        cbz     x1, 3f
        adr     x0, has_initrd
        ldr     x2, initrd_end
3:      bl      printf
        msr     DAIFClr, DAIF_I
        b       shell

        // Returns the affinity of this CPU: Aff3 in bits 39:32, Aff2 to Aff0 in 23:0.
cpu_affinity:
        mrs     x0, MPIDR_EL1
${load('x1', 0xff_00ff_ffffn)}
        and     x0, x0, x1
        ret

        // x0: affinity; returns the record of the CPU or 0.
find_cpu:
        adr     x1, cpus
        ldr     x2, cpu_count
1:      cbz     x2, 2f
        ldr     x3, [x1, CPU_ID]
        cmp     x3, x0
        b.eq    3f
        add     x1, x1, CPU_SIZE
        sub     x2, x2, 1
        b       1b
2:      mov     x1, 0
3:      mov     x0, x1
        ret

        // Returns the top of the stack of the CPU at x28.
cpu_stack:
        adr     x0, cpus
        sub     x0, x28, x0
        lsr     x0, x0, CPU_SHIFT
        add     x0, x0, 1
        mov     x1, STACK_SIZE
        mul     x0, x0, x1
        adr     x1, stacks
        add     x0, x0, x1
        ret

        // x0: message; the machine goes down.
fatal:
        ldr     x1, uart_base
        cbz     x1, 1f
        bl      put_string
1:      bl      psci_system_off
2:      wfi
        b       2b

        // Functions take their arguments in x1.. and return a result in x0.
psci_cpu_off:
${load('x0', 0x8400_0002n)}
        b       psci
        // x1: affinity, x2: physical address to start at, x3: what it finds in x0
psci_cpu_on:
${load('x0', 0xc400_0003n)}
        b       psci
        // x1: affinity; 0 on, 1 off, 2 being switched on
psci_affinity_info:
${load('x0', 0xc400_0004n)}
        mov     x2, 0
        b       psci
psci_system_off:
${load('x0', 0x8400_0008n)}
        b       psci
psci_system_reset:
${load('x0', 0x8400_0009n)}
psci:   ldr     x16, psci_smc
        cbnz    x16, 1f
        hvc     0
        ret
1:      smc     0
        ret
`;

export const rodata: string = String.raw`
banner: .asciz  "axvisor embedded kernel, aarch64\n"
no_cpu: .asciz  "fatal: the device tree does not name the boot CPU\n"
machine:
        .asciz  "memory %u MiB at 0x%x, CPUs %u, boot CPU 0x%x, GICv%u, counter %u Hz\n"
no_initrd:
        .asciz  "initrd none\npaging on; type help for the commands\n"
has_initrd:
        .asciz  "initrd 0x%x..0x%x, left alone\npaging on; type help for the commands\n"
`;
