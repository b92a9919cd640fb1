/** The interrupt controller of the embedded Arm kernel: a GICv3 (IHI 0069) with system registers, or a GICv2 (IHI 0048). */

export const text: string = String.raw`
        .equ    GICD_CTLR, 0
        .equ    GICD_IGROUPR, 0x80
        .equ    GICD_ISENABLER, 0x100
        .equ    GICD_ITARGETSR, 0x800
        .equ    GICD_SGIR, 0xf00
        .equ    GICD_IROUTER, 6         // in units of 4 KiB, as the next two

        .equ    GICR_TYPER, 8
        .equ    GICR_WAKER, 0x14
        .equ    GICR_STRIDE, 0x20
        .equ    GICR_SGI, 0x10           // the frame of SGIs and PPIs

        .equ    GICC_CTLR, 0
        .equ    GICC_PMR, 4
        .equ    GICC_IAR, 0xc
        .equ    GICC_EOIR, 0x10

        .equ    SPURIOUS, 1020          // and above: no interrupt
        .equ    SGI_PING, 0

        // The distributor.
gic_init:
        ldr     x0, gic_base
        cbz     x0, 2f
        ldr     x1, gic_version
        mov     w2, 1
        cmp     x1, 2
        b.eq    1f
        mov     w2, 0x12                // affinity routing, group 1
1:      str     w2, [x0, GICD_CTLR]
2:      ret

        // This CPU's part: SGIs, the timer's interrupt, and the CPU interface.
gic_cpu_init:
        ldr     x0, gic_base
        cbz     x0, 5f
        ldr     x3, timer_irq
        mov     w2, 1
        lsl     w3, w2, w3
        orr     w3, w3, 1 << SGI_PING
        ldr     x1, gic_version
        cmp     x1, 2
        b.ne    1f
        ldrb    w1, [x0, GICD_ITARGETSR]
        str     x1, [x28, CPU_GIC_MASK]
        str     w3, [x0, GICD_ISENABLER]
        ldr     x0, gic_cpu_base
        mov     w1, 0xff
        str     w1, [x0, GICC_PMR]
        mov     w1, 1
        str     w1, [x0, GICC_CTLR]
        ret
1:      ldr     x0, gic_cpu_base        // the redistributor with this CPU's affinity
        ldr     x4, [x28, CPU_ID]
        ubfx    x5, x4, 32, 8
        and     x4, x4, 0xffffff
        orr     x4, x4, x5, lsl 24
2:      ldr     x5, [x0, GICR_TYPER]
        cmp     x4, x5, lsr 32
        b.eq    3f
        tbnz    x5, 4, 5f               // Last
        add     x0, x0, GICR_STRIDE, lsl 12
        b       2b
3:      ldr     w1, [x0, GICR_WAKER]
        and     w1, w1, -3
        str     w1, [x0, GICR_WAKER]
4:      ldr     w1, [x0, GICR_WAKER]
        tbnz    w1, 2, 4b               // ChildrenAsleep
        add     x0, x0, GICR_SGI, lsl 12
        mov     w1, -1
        str     w1, [x0, GICD_IGROUPR]
        str     w3, [x0, GICD_ISENABLER]
        mrs     x1, ICC_SRE_EL1
        orr     x1, x1, 1
        msr     ICC_SRE_EL1, x1
        isb
        mov     x1, 0xff
        msr     ICC_PMR_EL1, x1
        mov     x1, 1
        msr     ICC_IGRPEN1_EL1, x1
        isb
5:      ret

        // x0: a shared interrupt, to come to this CPU
gic_enable:
        ldr     x1, gic_base
        lsr     x2, x0, 5
        add     x3, x1, x2, lsl 2
        and     x2, x0, 31
        mov     w4, 1
        lsl     w4, w4, w2
        ldr     x2, gic_version
        cmp     x2, 2
        b.ne    1f
        ldr     x5, [x28, CPU_GIC_MASK]
        add     x6, x1, x0
        strb    w5, [x6, GICD_ITARGETSR]
        b       2f
1:      ldr     w5, [x3, GICD_IGROUPR]
        orr     w5, w5, w4
        str     w5, [x3, GICD_IGROUPR]
        add     x6, x1, x0, lsl 3
        add     x6, x6, GICD_IROUTER, lsl 12
        ldr     x5, [x28, CPU_ID]
        str     x5, [x6]
2:      str     w4, [x3, GICD_ISENABLER]
        ret

        // Returns the interrupt to handle, SPURIOUS or more if there is none.
gic_acknowledge:
        ldr     x1, gic_version
        cmp     x1, 2
        b.ne    1f
        ldr     x1, gic_cpu_base
        ldr     w0, [x1, GICC_IAR]
        ret
1:      mrs     x0, ICC_IAR1_EL1
        dsb     sy
        ret

        // x0: what gic_acknowledge returned
gic_end:
        ldr     x1, gic_version
        cmp     x1, 2
        b.ne    1f
        ldr     x1, gic_cpu_base
        str     w0, [x1, GICC_EOIR]
        ret
1:      msr     ICC_EOIR1_EL1, x0
        isb
        ret

        // x0: record of the CPU to interrupt
gic_ping:
        dsb     ish
        ldr     x1, gic_version
        cmp     x1, 2
        b.ne    1f
        ldr     x1, gic_base
        ldr     x2, [x0, CPU_GIC_MASK]
        lsl     w2, w2, 16
        str     w2, [x1, GICD_SGIR]
        ret
1:      ldr     x0, [x0, CPU_ID]        // Aff3.Aff2.Aff1 at 55:48, 39:32, 23:16; range of Aff0 at 47:44, its bit at 15:0
        and     x1, x0, 15
        mov     x2, 1
        lsl     x2, x2, x1
        ubfx    x1, x0, 4, 4
        bfi     x2, x1, 44, 4
        ubfx    x1, x0, 8, 8
        bfi     x2, x1, 16, 8
        ubfx    x1, x0, 16, 8
        bfi     x2, x1, 32, 8
        ubfx    x1, x0, 32, 8
        bfi     x2, x1, 48, 8
        msr     ICC_SGI1R_EL1, x2
        isb
        ret
`;
