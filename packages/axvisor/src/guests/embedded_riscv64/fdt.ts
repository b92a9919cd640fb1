/** Reads the flattened device tree: memory, harts, timebase, UART, PLIC, initrd (Devicetree Specification, chapter 5). */

export const text: string = String.raw`
        .equ    FDT_MAGIC, 0xd00dfeed
        .equ    FDT_BEGIN_NODE, 1
        .equ    FDT_END_NODE, 2
        .equ    FDT_PROP, 3
        .equ    FDT_NOP, 4

        # Properties that are kept while a node is read, as address and length, in the order of fdt_names.
        .equ    NODE_COMPATIBLE, 0
        .equ    NODE_REG, 16
        .equ    NODE_DEVICE_TYPE, 32
        .equ    NODE_PHANDLE, 48
        .equ    NODE_INTERRUPTS, 64
        .equ    NODE_EXTENDED, 80
        .equ    NODE_TIMEBASE, 96
        .equ    NODE_INITRD_START, 112
        .equ    NODE_INITRD_END, 128
        .equ    NODE_PROPS, 9

        # a0: address of a big-endian word
be32:
        lbu     t0, 0(a0)
        lbu     t1, 1(a0)
        lbu     t2, 2(a0)
        lbu     a0, 3(a0)
        slli    t0, t0, 24
        slli    t1, t1, 16
        slli    t2, t2, 8
        or      t0, t0, t1
        or      a0, a0, t2
        or      a0, a0, t0
        ret

        # a0: address of a big-endian number, a1: its length, 4 or 8
be_number:
        addi    sp, sp, -32
        sd      ra, 24(sp)
        sd      a0, (sp)
        sd      a1, 8(sp)
        call    be32
        ld      a1, 8(sp)
        li      t0, 8
        bne     a1, t0, 1f
        slli    t0, a0, 32
        ld      a0, (sp)
        sd      t0, (sp)
        addi    a0, a0, 4
        call    be32
        ld      t0, (sp)
        or      a0, a0, t0
1:      ld      ra, 24(sp)
        addi    sp, sp, 32
        ret

        # a0: the tree
fdt_parse:
        addi    sp, sp, -64
        sd      ra, 56(sp)
        sd      s0, 48(sp)
        sd      s1, 40(sp)
        sd      s2, 32(sp)
        sd      s3, 24(sp)
        sd      s4, 16(sp)
        sd      s5, 8(sp)
        mv      s0, a0
        sd      a0, fdt_start, t0
        call    be32
        li      t0, FDT_MAGIC
        bne     a0, t0, 8f
        addi    a0, s0, 4
        call    be32
        sd      a0, fdt_size, t0
        add     s4, s0, a0              # the end
        addi    a0, s0, 8
        call    be32
        add     s1, s0, a0              # the next token
        addi    a0, s0, 12
        call    be32
        add     s2, s0, a0              # the strings
        li      s3, 0                   # whether properties of a node are being collected

1:      bgeu    s1, s4, 9f
        mv      a0, s1
        call    be32
        addi    s1, s1, 4
        li      t0, FDT_NOP
        beq     a0, t0, 1b
        li      t0, FDT_PROP
        beq     a0, t0, 5f
        mv      s5, a0
        beqz    s3, 2f
        call    fdt_node
        li      s3, 0
2:      li      t0, FDT_END_NODE
        beq     s5, t0, 1b
        li      t0, FDT_BEGIN_NODE
        bne     s5, t0, 9f              # FDT_END
3:      lbu     t0, (s1)                # skip the name
        addi    s1, s1, 1
        bnez    t0, 3b
        addi    s1, s1, 3
        andi    s1, s1, -4
        li      s3, 1
        la      t0, fdt_node_props
        addi    t1, t0, NODE_PROPS * 16
4:      sd      zero, (t0)
        addi    t0, t0, 8
        bltu    t0, t1, 4b
        j       1b

5:      mv      a0, s1
        call    be32
        mv      s5, a0                  # length
        addi    a0, s1, 4
        call    be32
        add     a0, s2, a0
        addi    s1, s1, 8
        mv      a1, s1
        mv      a2, s5
        call    fdt_keep
        add     s1, s1, s5
        addi    s1, s1, 3
        andi    s1, s1, -4
        j       1b

8:      la      a0, fdt_bad
        j       fatal
9:      ld      t0, ram_size
        beqz    t0, 8b
        ld      ra, 56(sp)
        ld      s0, 48(sp)
        ld      s1, 40(sp)
        ld      s2, 32(sp)
        ld      s3, 24(sp)
        ld      s4, 16(sp)
        ld      s5, 8(sp)
        addi    sp, sp, 64
        ret

        # Keeps a property if it is one of fdt_names. a0: name, a1: value, a2: length
fdt_keep:
        addi    sp, sp, -48
        sd      ra, 40(sp)
        sd      s0, 32(sp)
        sd      s1, 24(sp)
        sd      a0, (sp)
        sd      a1, 8(sp)
        sd      a2, 16(sp)
        la      s0, fdt_names
        la      s1, fdt_node_props
1:      lbu     t0, (s0)
        beqz    t0, 3f
        ld      a0, (sp)
        mv      a1, s0
        call    strcmp
        beqz    a0, 2f
        mv      a0, s0
        call    strlen
        add     s0, s0, a0
        addi    s0, s0, 1
        addi    s1, s1, 16
        j       1b
2:      ld      a1, 8(sp)
        ld      a2, 16(sp)
        sd      a1, (s1)
        sd      a2, 8(s1)
3:      ld      ra, 40(sp)
        ld      s0, 32(sp)
        ld      s1, 24(sp)
        addi    sp, sp, 48
        ret

        # Whether the node is compatible with a0: returns nonzero if so
fdt_compatible:
        addi    sp, sp, -32
        sd      ra, 24(sp)
        sd      s0, 16(sp)
        sd      s1, 8(sp)
        sd      a0, (sp)
        la      t0, fdt_node_props
        ld      s0, NODE_COMPATIBLE(t0)
        ld      s1, NODE_COMPATIBLE + 8(t0)
        add     s1, s0, s1
1:      li      a0, 0
        bgeu    s0, s1, 3f
        mv      a0, s0
        ld      a1, (sp)
        call    strcmp
        beqz    a0, 2f
        mv      a0, s0
        call    strlen
        add     s0, s0, a0
        addi    s0, s0, 1
        j       1b
2:      li      a0, 1
3:      ld      ra, 24(sp)
        ld      s0, 16(sp)
        ld      s1, 8(sp)
        addi    sp, sp, 32
        ret

        # Takes from a node, all of whose properties are there, what the kernel wants to know.
fdt_node:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        sd      s0, (sp)
        la      s0, fdt_node_props
        ld      a0, NODE_TIMEBASE(s0)
        beqz    a0, 1f
        ld      a1, NODE_TIMEBASE + 8(s0)
        call    be_number
        sd      a0, timebase, t0
1:      ld      a0, NODE_INITRD_START(s0)
        beqz    a0, 1f
        ld      a1, NODE_INITRD_START + 8(s0)
        call    be_number
        sd      a0, initrd_start, t0
1:      ld      a0, NODE_INITRD_END(s0)
        beqz    a0, 1f
        ld      a1, NODE_INITRD_END + 8(s0)
        call    be_number
        sd      a0, initrd_end, t0
1:      ld      a0, NODE_DEVICE_TYPE(s0)
        beqz    a0, 3f
        la      a1, name_memory
        call    strcmp
        bnez    a0, 2f
        ld      t0, ram_size
        bnez    t0, 3f
        ld      a0, NODE_REG(s0)
        li      a1, 8
        call    be_number
        sd      a0, ram_base, t0
        ld      a0, NODE_REG(s0)
        addi    a0, a0, 8
        li      a1, 8
        call    be_number
        sd      a0, ram_size, t0
        j       9f
2:      ld      a0, NODE_DEVICE_TYPE(s0)
        la      a1, name_cpu
        call    strcmp
        bnez    a0, 3f
        ld      t0, hart_count
        li      t1, MAX_HARTS
        bgeu    t0, t1, 9f
        ld      a0, NODE_REG(s0)
        ld      a1, NODE_REG + 8(s0)
        call    be_number
        call    fdt_new_hart
        j       9f
3:      ld      a0, NODE_COMPATIBLE(s0)
        beqz    a0, 9f
        la      a0, name_intc
        call    fdt_compatible
        beqz    a0, 4f
        ld      a0, NODE_PHANDLE(s0)
        beqz    a0, 9f
        call    be32
        call    fdt_last_hart
        sd      a0, HART_PHANDLE(t0)
        j       9f
4:      la      a0, name_uart
        call    fdt_compatible
        beqz    a0, 5f
        ld      t0, uart_base
        bnez    t0, 9f
        ld      a0, NODE_REG(s0)
        li      a1, 8
        call    be_number
        sd      a0, uart_base, t0
        ld      a0, NODE_INTERRUPTS(s0)
        beqz    a0, 9f
        call    be32
        sd      a0, uart_irq, t0
        j       9f
5:      la      a0, name_plic
        call    fdt_compatible
        bnez    a0, 6f
        la      a0, name_sifive_plic
        call    fdt_compatible
        beqz    a0, 9f
6:      ld      a0, NODE_REG(s0)
        li      a1, 8
        call    be_number
        sd      a0, plic_base, t0
        ld      a0, NODE_REG(s0)
        addi    a0, a0, 8
        li      a1, 8
        call    be_number
        sd      a0, plic_size, t0
        ld      a0, NODE_EXTENDED(s0)
        ld      a1, NODE_EXTENDED + 8(s0)
        la      t0, plic_extended
        sd      a0, (t0)
        sd      a1, 8(t0)
9:      ld      ra, 8(sp)
        ld      s0, (sp)
        addi    sp, sp, 16
        ret

        # a0: hart ID
fdt_new_hart:
        ld      t0, hart_count
        slli    t1, t0, 7               # HART_SIZE is 128
        addi    t0, t0, 1
        sd      t0, hart_count, t2
        la      t0, harts
        add     t0, t0, t1
        sd      a0, HART_ID(t0)
        ret

        # returns the record of the latest hart in t0
fdt_last_hart:
        ld      t1, hart_count
        addi    t1, t1, -1
        slli    t1, t1, 7
        la      t0, harts
        add     t0, t0, t1
        ret

        # Finds the PLIC's context for supervisor interrupts of the hart whose interrupt controller has phandle a0: the position of
        # the pair (phandle, 9) in interrupts-extended. Without one the PLIC is not used.
fdt_plic_context:
        addi    sp, sp, -48
        sd      ra, 40(sp)
        sd      s0, 32(sp)
        sd      s1, 24(sp)
        sd      s2, 16(sp)
        sd      s3, 8(sp)
        mv      s2, a0
        la      t0, plic_extended
        ld      s0, (t0)
        ld      s1, 8(t0)
        add     s1, s0, s1
        li      s3, 0
1:      bgeu    s0, s1, 3f
        mv      a0, s0
        call    be32
        bne     a0, s2, 2f
        addi    a0, s0, 4
        call    be32
        li      t0, 9
        beq     a0, t0, 4f
2:      addi    s0, s0, 8
        addi    s3, s3, 1
        j       1b
3:      sd      zero, plic_base, t0
4:      sd      s3, plic_context, t0
        ld      ra, 40(sp)
        ld      s0, 32(sp)
        ld      s1, 24(sp)
        ld      s2, 16(sp)
        ld      s3, 8(sp)
        addi    sp, sp, 48
        ret
`;

export const rodata: string = String.raw`
fdt_names:
        .asciz  "compatible", "reg", "device_type", "phandle", "interrupts", "interrupts-extended"
        .asciz  "timebase-frequency", "linux,initrd-start", "linux,initrd-end", ""
name_memory:
        .asciz  "memory"
name_cpu:
        .asciz  "cpu"
name_intc:
        .asciz  "riscv,cpu-intc"
name_uart:
        .asciz  "ns16550a"
name_plic:
        .asciz  "riscv,plic0"
name_sifive_plic:
        .asciz  "sifive,plic-1.0.0"
fdt_bad:
        .asciz  "fatal: no usable device tree\r\n"
`;
