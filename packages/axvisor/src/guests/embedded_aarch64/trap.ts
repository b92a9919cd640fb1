/** Exceptions of the embedded Arm kernel: interrupts, exceptions taken on purpose, and the timer (Arm ARM, D1.3). */

/** What a called function may change, in pairs; the last word is the flags' home, for exceptions come between any two instructions. */
const saved = ['x30', ...Array.from({ length: 19 }, (_, i) => `x${i}`)];
const pairs = Array.from({ length: saved.length / 2 }, (_, i) => `${saved[2 * i]}, ${saved[2 * i + 1]}`);
const FRAME = 16 * pairs.length;
const each = (mnemonic: string): string => pairs.map((pair, i) => `        ${mnemonic}     ${pair}, [sp, ${16 * i}]`).join('\n');

/** Entries of a vector table, 128 bytes each: four kinds of exceptions from four places. */
const ENTRIES: Readonly<Record<number, string>> = { 4: 'synchronous', 5: 'interrupt' };
const entries = Array.from({ length: 16 }, (_, i) => `        .balign 128\n        b       ${ENTRIES[i] ?? 'unexpected_trap'}`).join('\n');

export const text: string = String.raw`
        // There is no user mode: every exception comes from the kernel and runs on its stack. The handlers keep x19..x28 themselves.
        .balign 2048
vectors:
${entries}
        .balign 128

interrupt:
        sub     sp, sp, ${FRAME}
${each('stp')}
        stp     x19, x20, [sp, -16]!
        bl      gic_acknowledge
        and     w1, w0, 0x3ff           // a GICv2 says who sent an SGI above
        cmp     w1, SPURIOUS
        b.hs    3f
        mov     x19, x0
        ldr     x0, timer_irq
        cmp     x1, x0
        b.ne    1f
        bl      timer_interrupt
        b       2f
1:      adr     x30, 2f
        cmp     w1, SGI_PING
        b.eq    ping_interrupt
        bl      console_receive
2:      mov     x0, x19
        bl      gic_end
3:      ldp     x19, x20, [sp], 16
        b       trap_return

synchronous:
        sub     sp, sp, ${FRAME}
${each('stp')}
        ldr     x0, [x28, CPU_RESUME]
        cbz     x0, unexpected_trap
        str     xzr, [x28, CPU_RESUME]
        mrs     x1, ESR_EL1
        str     x1, [x28, CPU_ESR]
        mrs     x1, FAR_EL1
        str     x1, [x28, CPU_FAR]
        mrs     x1, ELR_EL1
        str     x1, [x28, CPU_ELR]
        msr     ELR_EL1, x0
trap_return:
${each('ldp')}
        add     sp, sp, ${FRAME}
        eret

unexpected_trap:
        adr     x0, unexpected
        mrs     x1, ESR_EL1
        mrs     x2, ELR_EL1
        mrs     x3, FAR_EL1
        mov     x4, x30
        ldr     x5, [x28, CPU_ID]
        bl      printf
        adr     x0, giving_up
        b       fatal

        // The first CPU takes a tick ten times a second.
timer_init:
        mrs     x0, CNTFRQ_EL0
        mov     x1, 10
        udiv    x0, x0, x1
        adr     x1, tick_interval
        str     x0, [x1]
        msr     CNTV_TVAL_EL0, x0
        mov     x0, 1
        msr     CNTV_CTL_EL0, x0
        ret

timer_interrupt:
        str     x30, [sp, -16]!
        ldr     x0, tick_interval
        msr     CNTV_TVAL_EL0, x0
        ldr     x0, ticks
        add     x0, x0, 1
        adr     x1, ticks
        str     x0, [x1]
        ldr     x0, console_polled
        cbz     x0, 1f
        bl      console_receive
1:      ldr     x30, [sp], 16
        ret
`;

export const rodata: string = String.raw`
unexpected:
        .asciz  "unexpected exception: ESR 0x%x ELR 0x%x FAR 0x%x x30 0x%x on CPU 0x%x\n"
giving_up:
        .asciz  "fatal: giving up\n"
`;
