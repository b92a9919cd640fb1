/** Reads the flattened device tree: memory, CPUs, PSCI, timer, UART, GIC, initrd (Devicetree Specification, chapter 5). */

export const text: string = String.raw`
        .equ    FDT_BEGIN_NODE, 1
        .equ    FDT_END_NODE, 2
        .equ    FDT_PROP, 3
        .equ    FDT_NOP, 4

        // Properties that are kept while a node is read, as address and length, in the order of fdt_names.
        .equ    NODE_COMPATIBLE, 0
        .equ    NODE_REG, 16
        .equ    NODE_DEVICE_TYPE, 32
        .equ    NODE_METHOD, 48
        .equ    NODE_INTERRUPTS, 64
        .equ    NODE_INITRD_START, 80
        .equ    NODE_INITRD_END, 96
        .equ    NODE_PROPS, 7

        // x0: address of a big-endian word, however aligned
be32:
        ldrb    w1, [x0]
        ldrb    w2, [x0, 1]
        ldrb    w3, [x0, 2]
        ldrb    w0, [x0, 3]
        orr     w0, w0, w3, lsl 8
        orr     w0, w0, w2, lsl 16
        orr     w0, w0, w1, lsl 24
        ret

        // x0: address of a big-endian number, x1: its length, 4 or 8
be_number:
        stp     x30, x19, [sp, -32]!
        stp     x20, x21, [sp, 16]
        mov     x19, x0
        mov     x20, x1
        bl      be32
        cmp     x20, 8
        b.ne    1f
        mov     x21, x0
        add     x0, x19, 4
        bl      be32
        orr     x0, x0, x21, lsl 32
1:      ldp     x20, x21, [sp, 16]
        ldp     x30, x19, [sp], 32
        ret

        // x0: the tree
fdt_parse:
        stp     x30, x19, [sp, -64]!
        stp     x20, x21, [sp, 16]
        stp     x22, x23, [sp, 32]
        stp     x24, x25, [sp, 48]
        mov     x19, x0
        adr     x1, fdt_start
        str     x0, [x1]
        bl      be32
        mov     w1, 0xfeed
        movk    w1, 0xd00d, lsl 16
        cmp     w0, w1
        b.ne    8f
        add     x0, x19, 4
        bl      be32
        adr     x1, fdt_size
        str     x0, [x1]
        add     x23, x19, x0            // the end
        add     x0, x19, 8
        bl      be32
        add     x20, x19, x0            // the next token
        add     x0, x19, 12
        bl      be32
        add     x21, x19, x0            // the strings
        mov     x22, 0                  // whether properties of a node are being collected

1:      cmp     x20, x23
        b.hs    9f
        mov     x0, x20
        bl      be32
        add     x20, x20, 4
        cmp     x0, FDT_NOP
        b.eq    1b
        cmp     x0, FDT_PROP
        b.eq    5f
        mov     x24, x0
        cbz     x22, 2f
        bl      fdt_node
        mov     x22, 0
2:      cmp     x24, FDT_END_NODE
        b.eq    1b
        cmp     x24, FDT_BEGIN_NODE
        b.ne    9f                      // FDT_END
3:      ldrb    w0, [x20], 1            // skip the name
        cbnz    w0, 3b
        add     x20, x20, 3
        and     x20, x20, -4
        mov     x22, 1
        adr     x0, fdt_node_props
        add     x1, x0, NODE_PROPS * 16
4:      str     xzr, [x0], 8
        cmp     x0, x1
        b.lo    4b
        b       1b

5:      mov     x0, x20
        bl      be32
        mov     x24, x0                 // length
        add     x0, x20, 4
        bl      be32
        add     x0, x21, x0
        add     x20, x20, 8
        mov     x1, x20
        mov     x2, x24
        bl      fdt_keep
        add     x20, x20, x24
        add     x20, x20, 3
        and     x20, x20, -4
        b       1b

8:      adr     x0, fdt_bad
        b       fatal
9:      ldr     x0, ram_size
        cbz     x0, 8b
        ldp     x24, x25, [sp, 48]
        ldp     x22, x23, [sp, 32]
        ldp     x20, x21, [sp, 16]
        ldp     x30, x19, [sp], 64
        ret

        // Keeps a property if it is one of fdt_names. x0: name, x1: value, x2: length
fdt_keep:
        stp     x30, x19, [sp, -48]!
        stp     x20, x21, [sp, 16]
        stp     x22, x23, [sp, 32]
        mov     x21, x0
        mov     x22, x1
        mov     x23, x2
        adr     x19, fdt_names
        adr     x20, fdt_node_props
1:      ldrb    w0, [x19]
        cbz     w0, 3f
        mov     x0, x21
        mov     x1, x19
        bl      strcmp
        cbz     x0, 2f
        mov     x0, x19
        bl      strlen
        add     x19, x19, x0
        add     x19, x19, 1
        add     x20, x20, 16
        b       1b
2:      stp     x22, x23, [x20]
3:      ldp     x22, x23, [sp, 32]
        ldp     x20, x21, [sp, 16]
        ldp     x30, x19, [sp], 48
        ret

        // Whether the node is compatible with x0: returns nonzero if so
fdt_compatible:
        stp     x30, x19, [sp, -32]!
        stp     x20, x21, [sp, 16]
        mov     x21, x0
        adr     x0, fdt_node_props
        ldp     x19, x20, [x0, NODE_COMPATIBLE]
        add     x20, x19, x20
1:      mov     x0, 0
        cmp     x19, x20
        b.hs    3f
        mov     x0, x19
        mov     x1, x21
        bl      strcmp
        cbz     x0, 2f
        mov     x0, x19
        bl      strlen
        add     x19, x19, x0
        add     x19, x19, 1
        b       1b
2:      mov     x0, 1
3:      ldp     x20, x21, [sp, 16]
        ldp     x30, x19, [sp], 32
        ret

        // x0: which 64-bit number of the property reg
fdt_reg:
        adr     x1, fdt_node_props
        ldr     x1, [x1, NODE_REG]
        add     x0, x1, x0, lsl 3
        mov     x1, 8
        b       be_number

        // x0: which interrupt of three cells; returns the number of its INTID: kinds are 0 shared, 1 private
fdt_interrupt:
        stp     x30, x19, [sp, -32]!
        str     x20, [sp, 16]
        adr     x1, fdt_node_props
        ldr     x19, [x1, NODE_INTERRUPTS]
        add     x0, x0, x0, lsl 1
        add     x19, x19, x0, lsl 2
        mov     x0, x19
        bl      be32
        mov     x20, x0
        add     x0, x19, 4
        bl      be32
        add     x0, x0, 16
        cbnz    x20, 1f
        add     x0, x0, 16
1:      ldr     x20, [sp, 16]
        ldp     x30, x19, [sp], 32
        ret

        // Takes from a node, all of whose properties are there, what the kernel wants to know.
fdt_node:
        stp     x30, x19, [sp, -16]!
        adr     x19, fdt_node_props
        ldp     x0, x1, [x19, NODE_INITRD_START]
        cbz     x0, 1f
        bl      be_number
        adr     x1, initrd_start
        str     x0, [x1]
1:      ldp     x0, x1, [x19, NODE_INITRD_END]
        cbz     x0, 1f
        bl      be_number
        adr     x1, initrd_end
        str     x0, [x1]
1:      ldr     x0, [x19, NODE_DEVICE_TYPE]
        cbz     x0, 3f
        adr     x1, name_memory
        bl      strcmp
        cbnz    x0, 2f
        ldr     x0, ram_size
        cbnz    x0, 3f
        mov     x0, 0
        bl      fdt_reg
        adr     x1, ram_base
        str     x0, [x1]
        mov     x0, 1
        bl      fdt_reg
        adr     x1, ram_size
        str     x0, [x1]
        b       9f
2:      ldr     x0, [x19, NODE_DEVICE_TYPE]
        adr     x1, name_cpu
        bl      strcmp
        cbnz    x0, 3f
        ldr     x2, cpu_count
        cmp     x2, MAX_CPUS
        b.hs    9f
        ldp     x0, x1, [x19, NODE_REG]
        bl      be_number
        ldr     x2, cpu_count
        adr     x1, cpus
        add     x1, x1, x2, lsl CPU_SHIFT
        str     x0, [x1, CPU_ID]
        add     x2, x2, 1
        adr     x1, cpu_count
        str     x2, [x1]
        b       9f
3:      ldr     x0, [x19, NODE_COMPATIBLE]
        cbz     x0, 9f
        adr     x0, name_psci
        bl      fdt_compatible
        cbz     x0, 4f
        ldr     x0, [x19, NODE_METHOD]
        cbz     x0, 9f
        adr     x1, name_smc
        bl      strcmp
        cmp     x0, 0
        cset    x0, eq
        adr     x1, psci_smc
        str     x0, [x1]
        b       9f
4:      adr     x0, name_timer
        bl      fdt_compatible
        cbz     x0, 5f
        mov     x0, 2                   // secure, non-secure, virtual, hypervisor
        bl      fdt_interrupt
        adr     x1, timer_irq
        str     x0, [x1]
        b       9f
5:      adr     x0, name_uart
        bl      fdt_compatible
        cbz     x0, 6f
        ldr     x0, uart_base
        cbnz    x0, 9f
        mov     x0, 0
        bl      fdt_reg
        adr     x1, uart_base
        str     x0, [x1]
        mov     x0, 0
        bl      fdt_interrupt
        adr     x1, uart_irq
        str     x0, [x1]
        b       9f
6:      adr     x0, name_gicv3
        bl      fdt_compatible
        mov     x2, 3
        cbnz    x0, 7f
        adr     x0, name_gicv2
        bl      fdt_compatible
        mov     x2, 2
        cbz     x0, 9f
7:      adr     x1, gic_version
        str     x2, [x1]
        mov     x0, 0
        bl      fdt_reg
        adr     x1, gic_base
        str     x0, [x1]
        mov     x0, 1
        bl      fdt_reg
        adr     x1, gic_size
        str     x0, [x1]
        mov     x0, 2
        bl      fdt_reg
        adr     x1, gic_cpu_base
        str     x0, [x1]
        mov     x0, 3
        bl      fdt_reg
        adr     x1, gic_cpu_size
        str     x0, [x1]
9:      ldp     x30, x19, [sp], 16
        ret
`;

export const rodata: string = String.raw`
fdt_names:
        .asciz  "compatible"
        .asciz  "reg"
        .asciz  "device_type"
        .asciz  "method"
        .asciz  "interrupts"
        .asciz  "linux,initrd-start"
        .asciz  "linux,initrd-end"
        .asciz  ""
name_memory:
        .asciz  "memory"
name_cpu:
        .asciz  "cpu"
name_psci:
        .asciz  "arm,psci-0.2"
name_smc:
        .asciz  "smc"
name_timer:
        .asciz  "arm,armv8-timer"
name_uart:
        .asciz  "arm,pl011"
name_gicv3:
        .asciz  "arm,gic-v3"
name_gicv2:
        .asciz  "arm,cortex-a15-gic"
fdt_bad:
        .asciz  "fatal: no usable device tree\n"
`;
