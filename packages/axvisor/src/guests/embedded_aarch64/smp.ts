/** The command `smp` of the embedded Arm kernel: starts the other CPUs by PSCI, exchanges software-generated interrupts and stops the CPUs. */
import { smpTexts } from '../embedded/smp_texts.ts';

export const text: string = String.raw`
        .equ    ROUNDS, 100
        .equ    AFFINITY_OFF, 1

command_smp:
        stp     x30, x19, [sp, -64]!
        stp     x20, x21, [sp, 16]
        stp     x22, x23, [sp, 32]
        stp     x24, x25, [sp, 48]
        adr     x19, cpus
        ldr     x0, cpu_count
        add     x20, x19, x0, lsl CPU_SHIFT // the end
        mov     x23, 0                  // CPUs started
        adr     x0, pongs
        str     xzr, [x0]

        // Start every CPU that is off and wait until it says so.
        mov     x21, x19
1:      cmp     x21, x20
        b.hs    3f
        cmp     x21, x28
        b.eq    2f
        ldr     x1, [x21, CPU_ID]
        bl      psci_affinity_info
        cmp     x0, AFFINITY_OFF
        b.ne    9f
        str     xzr, [x21, CPU_PINGS]
        str     xzr, [x21, CPU_STOP]
        dsb     ish
        ldr     x1, [x21, CPU_ID]
        adr     x2, secondary_start
        mov     x3, x21
        bl      psci_cpu_on
        cbnz    x0, 9f
        add     x0, x21, CPU_ONLINE
        mov     x1, 1
        bl      wait_field
        cbnz    x0, 9f
        add     x23, x23, 1
        b       2f
9:      adr     x0, smp_not_started
        ldr     x1, [x21, CPU_ID]
        bl      printf
2:      add     x21, x21, CPU_SIZE
        b       1b
3:      cbnz    x23, 1f
        adr     x0, smp_alone
        bl      printf
        b       8f
1:      tlbi    vmalle1is
        dsb     ish
        isb

        // Round after round: an interrupt to each CPU, and one back from it.
        mrs     x22, CNTVCT_EL0
        mov     x24, ROUNDS
4:      mov     x21, x19
5:      cmp     x21, x20
        b.hs    7f
        cmp     x21, x28
        b.eq    6f
        ldr     x0, [x21, CPU_ONLINE]
        cbz     x0, 6f
        ldr     x25, [x21, CPU_PINGS]
        add     x25, x25, 1
        mov     x0, x21
        bl      gic_ping
        add     x0, x21, CPU_PINGS
        mov     x1, x25
        bl      wait_field
        cbz     x0, 6f
        adr     x0, smp_no_answer
        ldr     x1, [x21, CPU_ID]
        bl      printf
6:      add     x21, x21, CPU_SIZE
        b       5b
7:      subs    x24, x24, 1
        b.ne    4b
        mrs     x3, CNTVCT_EL0
        sub     x3, x3, x22
        mov     x0, 0x4240
        movk    x0, 0xf, lsl 16         // microseconds
        mul     x3, x3, x0
        mrs     x0, CNTFRQ_EL0
        udiv    x3, x3, x0
        mov     x1, ROUNDS
        mov     x2, x23
        ldr     x4, pongs
        adr     x0, smp_rounds
        bl      printf

        // Stop them again, so that they cost nothing.
        mov     x21, x19
1:      cmp     x21, x20
        b.hs    8f
        cmp     x21, x28
        b.eq    3f
        ldr     x0, [x21, CPU_ONLINE]
        cbz     x0, 3f
        adr     x0, smp_pings
        ldr     x1, [x21, CPU_ID]
        ldr     x2, [x21, CPU_PINGS]
        bl      printf
        mov     x0, 1
        str     x0, [x21, CPU_STOP]
        mov     x0, x21
        bl      gic_ping
        mov     x0, x21
        bl      wait_off
        cmp     x0, 0
        adr     x0, smp_stopped
        adr     x1, smp_not_stopped
        csel    x0, x0, x1, eq
        ldr     x1, [x21, CPU_ID]
        bl      printf
3:      add     x21, x21, CPU_SIZE
        b       1b
8:      ldp     x24, x25, [sp, 48]
        ldp     x22, x23, [sp, 32]
        ldp     x20, x21, [sp, 16]
        ldp     x30, x19, [sp], 64
        ret

        // Waits until the doubleword at x0 is x1, for ten seconds at most; returns 0 if it is. The timer tick ends a wait that nothing else ends.
wait_field:
        ldr     x3, ticks
        add     x3, x3, 100
1:      msr     DAIFSet, DAIF_I
        ldar    x2, [x0]
        cmp     x2, x1
        b.eq    2f
        wfi
        msr     DAIFClr, DAIF_I
        isb
        ldr     x2, ticks
        cmp     x2, x3
        b.lo    1b
        mov     x0, 1
        ret
2:      msr     DAIFClr, DAIF_I
        mov     x0, 0
        ret

        // Waits until PSCI reports the CPU with the record x0 off; returns 0 if it does.
wait_off:
        stp     x30, x19, [sp, -32]!
        str     x20, [sp, 16]
        ldr     x19, [x0, CPU_ID]
        ldr     x20, ticks
        add     x20, x20, 100
1:      mov     x1, x19
        bl      psci_affinity_info
        subs    x0, x0, AFFINITY_OFF
        b.eq    2f
        ldr     x1, ticks
        cmp     x1, x20
        b.lo    1b
2:      ldr     x20, [sp, 16]
        ldp     x30, x19, [sp], 32
        ret

        // The way in for the other CPUs: x0: record; EL1, untranslated, exceptions masked.
secondary_start:
        mov     x28, x0
        bl      cpu_stack
        mov     sp, x0
        adr     x0, vectors
        msr     VBAR_EL1, x0
        isb
        bl      paging_on
        bl      gic_cpu_init
        adr     x0, smp_online
        ldr     x1, [x28, CPU_ID]
        bl      printf
        mov     x0, 1
        add     x1, x28, CPU_ONLINE
        stlr    x0, [x1]
        ldr     x0, first_cpu
        bl      gic_ping
1:      msr     DAIFSet, DAIF_I
        ldr     x0, [x28, CPU_STOP]
        cbnz    x0, 2f
        wfi
        msr     DAIFClr, DAIF_I
        isb
        b       1b
2:      str     xzr, [x28, CPU_ONLINE]
        dsb     ish
        bl      psci_cpu_off
        adr     x0, stop_failed
        b       fatal

        // The first CPU counts what comes back, in which answers that coincide are one; the others count and answer.
ping_interrupt:
        ldr     x0, first_cpu
        cmp     x0, x28
        b.eq    1f
        ldr     x1, [x28, CPU_STOP]
        cbnz    x1, 2f
        ldr     x1, [x28, CPU_PINGS]
        add     x1, x1, 1
        add     x2, x28, CPU_PINGS
        stlr    x1, [x2]
        b       gic_ping
1:      ldr     x0, pongs
        add     x0, x0, 1
        adr     x1, pongs
        str     x0, [x1]
2:      ret
`;

export const rodata: string = String.raw`
${smpTexts}stop_failed:
        .asciz  "fatal: CPU_OFF came back\n"
`;
