/**
 * A guest for AArch64 that loads all of its CPUs with what goes wrong between threads, and checks all of it, as `guest.ts` does: atomics,
 * exclusives, locks, interprocessor interrupts, timers that end WFI, code that others rewrite, page tables that others change, first
 * touches of memory.
 */
import { assemble } from '@axvisor/softcpu_arm/asm';
import { FAILURES, type StressOptions } from './guest.ts';

/** Where the boot protocol puts it. */
const BASE = 0x4020_0000n;

const failure = (what: string): number => FAILURES.indexOf(what);

/** A constant of 64 bits. */
const load = (register: string, value: bigint): string =>
  [`        movz    ${register}, ${value & 0xffffn}`, ...[16n, 32n, 48n].map((shift) => `        movk    ${register}, ${(value >> shift) & 0xffffn}, lsl ${shift}`)].join('\n');

const SHARED_SIZE = 64;
/** Words that all CPUs share, by name, 64 bytes apart. */
const SHARED = ['atomic', 'exclusive', 'lock', 'code_lock', 'map_lock', 'mapped', 'failed', 'ready', 'arrived', 'acknowledged', 'end_time', 'code_values', 'equal'] as const;

/*
 * x18: the CPU's record; x19: CPU; x20: random state; x21: shared data; x22: CPUs; x23: end; x24, x25, x26: tallies of atomics, exclusives,
 * touches; x27: rounds; x28: what may be wrong.
 */
const program = ({ harts, seconds, seed }: StressOptions): string => String.raw`
${SHARED.map((name, i) => `        .equ    S_${name}, ${i * SHARED_SIZE}`).join('\n')}
        .equ    R_FIRED, 0
        .equ    R_ATOMIC, 8
        .equ    R_EXCLUSIVE, 16
        .equ    R_TOUCH, 24
        .equ    R_ROUNDS, 32
        .equ    R_IPIS, 40
        .equ    R_TIMERS, 48
        .equ    R_SENT, 64              // by CPU: requests to it
        .equ    R_ACKED, 320            // by CPU: of its requests the last one seen here
image:  b       first
        nop
        .quad   0                       // text_offset
        .quad   image_end - image
        .quad   10                      // flags: little-endian, pages of 4 KiB, anywhere in memory
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .word   0

first:  mov     x0, 0
        adr     x1, root                // devices, memory, and the window by its tables
${load('x2', 0x0060_0000_0000_0401n)}
        str     x2, [x1]
${load('x2', 0x4000_0705n)}
        str     x2, [x1, 8]
        adr     x2, middle
        orr     x2, x2, 3
        str     x2, [x1, 32]
        adr     x1, leaves
        orr     x2, x1, 3
        adr     x3, middle
        str     x2, [x3]
        adr     x2, targets
${load('x3', 0x707n)}
        orr     x2, x2, x3
        str     x2, [x1]
        adr     x21, shared
        mrs     x1, CNTVCT_EL0
        mrs     x2, CNTFRQ_EL0
        mov     x3, ${seconds}
        madd    x1, x2, x3, x1
        str     x1, [x21, S_end_time]
        mov     w1, 0x12                // affinity routing, group 1
        mov     x2, 0x8000000
        str     w1, [x2]
        dsb     sy

        // x0: the CPU.
start:  mov     x19, x0
        adr     x21, shared
        mov     x22, ${harts}
        adr     x18, records
        add     x18, x18, x19, lsl 9
        adr     x0, stacks
        add     x1, x19, 1
        add     x0, x0, x1, lsl 12
        mov     sp, x0
        adr     x0, vectors
        msr     VBAR_EL1, x0
        adr     x0, root
        msr     TTBR0_EL1, x0
        mov     x0, 0xff00
        msr     MAIR_EL1, x0
${load('x0', 0x1_0080_3519n)}
        msr     TCR_EL1, x0
        isb
        mrs     x0, SCTLR_EL1
        mov     x1, 0x1005
        orr     x0, x0, x1
        msr     SCTLR_EL1, x0
        isb
        // The redistributor: SGIs and the virtual timer, group 1.
        movz    x0, 0x80a, lsl 16
        add     x0, x0, x19, lsl 17
        ldr     w1, [x0, 0x14]
        and     w1, w1, -3
        str     w1, [x0, 0x14]
1:      ldr     w1, [x0, 0x14]
        tbnz    w1, 2, 1b
        add     x0, x0, 0x10, lsl 12
        mov     w1, -1
        str     w1, [x0, 0x80]
        movz    w1, 0x800, lsl 16
        orr     w1, w1, 1
        str     w1, [x0, 0x100]
        mov     x0, 1
        msr     ICC_SRE_EL1, x0
        isb
        mov     x0, 0xff
        msr     ICC_PMR_EL1, x0
        mov     x0, 1
        msr     ICC_IGRPEN1_EL1, x0
        isb
        cbnz    x19, 2f
        mov     x24, 1
1:      cmp     x24, x22
        b.hs    2f
${load('x0', 0xc400_0003n)}
        mov     x1, x24
        adr     x2, start
        mov     x3, x24
        hvc     0
        mov     x28, ${failure('SBI call')}
        cbnz    x0, fail
        add     x24, x24, 1
        b       1b
        // An SGI to a CPU that has not put it in group 1 yet goes nowhere.
2:      add     x1, x21, S_ready
        bl      barrier
        ldr     x23, [x21, S_end_time]
${load('x20', 0x9e37_79b9_7f4a_7c15n)}
        add     x0, x19, 1
        mul     x20, x20, x0
        mov     x0, ${seed}
        eor     x20, x20, x0
        mov     x24, 0
        mov     x25, 0
        mov     x26, 0
        mov     x27, 0
        msr     DAIFClr, 2

round:  add     x27, x27, 1
        mrs     x0, CNTVCT_EL0
        cmp     x0, x23
        b.hs    finish
        ldr     x0, [x21, S_failed]
        cbnz    x0, halt
        bl      random
        and     x1, x0, 15
        adr     x2, jumps
        add     x2, x2, x1, lsl 2
        br      x2
jumps:  b       do_atomic
        b       do_atomic
        b       do_atomic
        b       do_exclusive
        b       do_exclusive
        b       do_locked
        b       do_locked
        b       do_ipi
        b       do_broadcast
        b       do_code
        b       do_code
        b       do_remap
        b       do_remap
        b       do_buffer
        b       do_touch
        b       do_timer

do_atomic:
        mov     x0, 64
        mov     x1, 1
1:      ldadd   x1, x2, [x21]
        subs    x0, x0, 1
        b.ne    1b
        add     x24, x24, 64
        b       round

do_exclusive:
        mov     x0, 64
        add     x1, x21, S_exclusive
1:      ldxr    x2, [x1]
        add     x2, x2, 1
        stxr    w3, x2, [x1]
        cbnz    w3, 1b
        subs    x0, x0, 1
        b.ne    1b
        add     x25, x25, 64
        b       round

        // Words that are equal whenever nobody holds the lock.
do_locked:
        add     x0, x21, S_lock
        bl      take
        mov     x28, ${failure('data under a lock')}
        ldr     x1, [x21, S_equal]
        ldr     x2, [x21, S_equal + 8]
        ldr     x3, [x21, S_equal + 1024]
        cmp     x1, x2
        b.ne    fail
        cmp     x1, x3
        b.ne    fail
        eor     x1, x1, x20
        str     x1, [x21, S_equal + 1024]
        str     x1, [x21, S_equal]
        str     x1, [x21, S_equal + 8]
        bl      give
        b       round

        // To one CPU, and wait for it.
do_ipi: lsr     x0, x0, 8
        udiv    x1, x0, x22
        msub    x1, x1, x22, x0
        cmp     x1, x19
        b.eq    round
        mov     x0, 1
        lsl     x0, x0, x1
        bl      send
        bl      await_acks
        b       round

        // To any set of CPUs; that all of them come is seen to later.
do_broadcast:
        mov     x1, 1
        lsl     x2, x1, x22
        sub     x2, x2, 1
        lsl     x1, x1, x19
        bic     x2, x2, x1
        and     x0, x2, x0, lsr 8
        cbz     x0, round
        bl      send
        b       round

        // One of 8 functions is rewritten, or called.
do_code:
        lsr     x15, x0, 8
        lsr     x16, x0, 16
        and     x15, x15, 7
        add     x0, x21, S_code_lock
        bl      take
        isb
        adr     x1, code
        add     x1, x1, x15, lsl 6
        add     x2, x21, S_code_values
        add     x2, x2, x15, lsl 3
        tst     x16, 3
        b.ne    1f
        ubfx    x16, x16, 2, 16
        movz    w3, 0xd280, lsl 16      // movz x0, imm
        orr     w3, w3, w16, lsl 5
        str     w3, [x1]
        str     x16, [x2]
        dc      cvau, x1
        dsb     ish
        ic      ivau, x1
        dsb     ish
        isb
        b       2f
1:      mov     x16, x2
        blr     x1
        ldr     x1, [x16]
        mov     x28, ${failure('stale code')}
        cmp     x0, x1
        b.ne    fail
2:      add     x0, x21, S_code_lock
        bl      give
        b       round

        // The window is remapped, or looked through.
do_remap:
        lsr     x15, x0, 8
        add     x0, x21, S_map_lock
        bl      take
        movz    x1, 1, lsl 32
        tst     x15, 3
        b.ne    1f
        ldr     x2, [x21, S_mapped]
        eor     x2, x2, 1
        str     x2, [x21, S_mapped]
        adr     x3, targets
        add     x3, x3, x2, lsl 12
        mov     x4, 0xf07               // not global
        orr     x3, x3, x4
        adr     x4, leaves
        str     xzr, [x4]               // break before make
        dsb     ishst
        lsr     x5, x1, 12
        ubfx    x6, x15, 2, 2           // each kind is enough
        cbnz    x6, 2f
        tlbi    vae1is, x5
2:      cmp     x6, 1
        b.ne    3f
        tlbi    vaae1is, x5
3:      cmp     x6, 2
        b.ne    4f
        tlbi    aside1is, xzr
4:      cmp     x6, 3
        b.ne    5f
        tlbi    vmalle1is
5:      dsb     ish
        str     x3, [x4]
        dsb     ish
        isb
1:      ldr     x2, [x1]
        ldr     x3, [x21, S_mapped]
        mov     x28, ${failure('stale translation')}
        cmp     x2, x3
        b.ne    fail
        add     x0, x21, S_map_lock
        bl      give
        b       round

        // A page of the CPU's own: written, then read again.
do_buffer:
        movz    x1, 0x4c00, lsl 16
        add     x1, x1, x19, lsl 16
        ubfx    x2, x0, 20, 4
        add     x1, x1, x2, lsl 12
        add     x2, x1, 1, lsl 12
        mov     x3, x1
        mov     x4, x20
1:      str     x4, [x3], 8
        add     x4, x4, x0
        cmp     x3, x2
        b.lo    1b
        mov     x4, x20
        mov     x28, ${failure('memory')}
2:      ldr     x5, [x1], 8
        cmp     x5, x4
        b.ne    fail
        add     x4, x4, x0
        cmp     x1, x2
        b.lo    2b
        b       round

        // 64 pages anywhere in the big memory.
do_touch:
        mov     x15, 64
1:      bl      random
        movz    x1, 0x4800, lsl 16
        and     x0, x0, 0x3fff
        add     x1, x1, x0, lsl 12
        mov     x2, 1
        ldadd   x2, x3, [x1]
        subs    x15, x15, 1
        b.ne    1b
        add     x26, x26, 64
        b       round

        // Sleeps until a timer is due, some milliseconds at most; interprocessor interrupts end WFI too.
do_timer:
        ubfx    x0, x0, 12, 16
        mrs     x1, CNTVCT_EL0
        add     x1, x1, x0
        str     xzr, [x18, R_FIRED]
        msr     CNTV_CVAL_EL0, x1
        mov     x2, 1
        msr     CNTV_CTL_EL0, x2
        isb
        bl      patience
1:      msr     DAIFSet, 2
        ldr     x1, [x18, R_FIRED]
        cbnz    x1, 2f
        wfi
        msr     DAIFClr, 2
        isb
        mov     x28, ${failure('lost timer interrupt')}
        mrs     x1, CNTVCT_EL0
        cmp     x1, x0
        b.hs    fail
        b       1b
2:      msr     DAIFClr, 2
        b       round

        // ── done ──
finish: str     x24, [x18, R_ATOMIC]
        str     x25, [x18, R_EXCLUSIVE]
        str     x26, [x18, R_TOUCH]
        str     x27, [x18, R_ROUNDS]
        add     x1, x21, S_arrived
        bl      barrier
        bl      await_acks
        add     x1, x21, S_acknowledged
        bl      barrier
        cbnz    x19, halt
        mov     x28, ${failure('sum of AMOs')}
        mov     x1, R_ATOMIC
        bl      sum
        ldr     x1, [x21]
        cmp     x0, x1
        b.ne    fail
        mov     x28, ${failure('sum of LR/SC')}
        mov     x1, R_EXCLUSIVE
        bl      sum
        ldr     x1, [x21, S_exclusive]
        cmp     x0, x1
        b.ne    fail
        mov     x28, ${failure('sum of first touches')}
        mov     x1, R_TOUCH
        bl      sum
        movz    x1, 0x4800, lsl 16
        mov     x2, 0x4000
1:      ldr     x3, [x1]
        sub     x0, x0, x3
        add     x1, x1, 1, lsl 12
        subs    x2, x2, 1
        b.ne    1b
        cbnz    x0, fail
        adr     x0, passed_text
        bl      say
        mov     x15, R_ROUNDS
2:      mov     x1, x15
        bl      sum
        bl      say_hex
        add     x15, x15, 8
        cmp     x15, R_TIMERS
        b.ls    2b
        mov     w0, 10
        bl      put
off:
${load('x0', 0x8400_0008n)}
        hvc     0
halt:   msr     DAIFSet, 2
1:      wfi
        b       1b

        // The reason is x28.
fail:   msr     DAIFSet, 2
        mov     x0, 1
        add     x1, x21, S_failed
        swpal   x0, x0, [x1]
        cbnz    x0, halt
        adr     x0, failed_text
        bl      say
        mov     x0, x28
        bl      say_hex
        mov     x0, x19
        bl      say_hex
        mrs     x0, ESR_EL1
        bl      say_hex
        mrs     x0, ELR_EL1
        bl      say_hex
        mov     w0, 10
        bl      put
        b       off

        // ── parts ──
random: eor     x20, x20, x20, lsl 13
        eor     x20, x20, x20, lsr 7
        eor     x20, x20, x20, lsl 17
${load('x0', 0x2545_f491_4f6c_dd1dn)}
        mul     x0, x20, x0
        lsr     x0, x0, 24
        ret

        // The lock at x0.
take:   mov     w1, 1
1:      swpa    w1, w2, [x0]
        cbnz    w2, 1b
        ret
give:   stlr    wzr, [x0]
        ret

        // The time until which to wait for what must come.
patience:
        mrs     x0, CNTFRQ_EL0
        mov     x1, 20
        mul     x0, x0, x1
        mrs     x1, CNTVCT_EL0
        add     x0, x0, x1
        ret

        // A request to each CPU of the set x0, and the interrupt.
send:   mov     x1, x0
        add     x2, x18, R_SENT
1:      tbz     x1, 0, 2f
        ldr     x3, [x2]
        add     x3, x3, 1
        str     x3, [x2]
2:      add     x2, x2, 8
        lsr     x1, x1, 1
        cbnz    x1, 1b
        dsb     ish
        msr     ICC_SGI1R_EL1, x0
        isb
        ret

        // Waits until all requests of this CPU have been seen.
await_acks:
        mov     x14, x30
        mov     x28, ${failure('lost interprocessor interrupt')}
        bl      patience
        adr     x1, records
        add     x1, x1, x19, lsl 3
        add     x2, x18, R_SENT
        mov     x3, x22
1:      ldr     x4, [x2]
2:      add     x5, x1, R_ACKED
        ldar    x5, [x5]
        cmp     x5, x4
        b.eq    3f
        mrs     x5, CNTVCT_EL0
        cmp     x5, x0
        b.lo    2b
        b       fail
3:      add     x1, x1, 512
        add     x2, x2, 8
        subs    x3, x3, 1
        b.ne    1b
        ret     x14

        // All CPUs come to the word at x1.
barrier:
        mov     x14, x30
        mov     x15, x1
        mov     x28, ${failure('hart not done')}
        mov     x0, 1
        ldaddal x0, x2, [x15]
        bl      patience
1:      ldar    x2, [x15]
        cmp     x2, x22
        b.eq    2f
        mrs     x2, CNTVCT_EL0
        cmp     x2, x0
        b.lo    1b
        b       fail
2:      ret     x14

        // Field x1 of all records.
sum:    adr     x2, records
        add     x2, x2, x1
        mov     x3, x22
        mov     x0, 0
1:      ldr     x4, [x2]
        add     x2, x2, 512
        add     x0, x0, x4
        subs    x3, x3, 1
        b.ne    1b
        ret

put:    movz    x1, 0x900, lsl 16
        str     w0, [x1]
        ret
say:    mov     x2, x0
        mov     x14, x30
1:      ldrb    w0, [x2], 1
        cbz     w0, 2f
        bl      put
        b       1b
2:      ret     x14
say_hex:
        mov     x2, x0
        mov     x14, x30
        mov     w0, 32
        bl      put
        mov     x3, 16
1:      ror     x2, x2, 60
        and     x0, x2, 15
        cmp     x0, 10
        add     x4, x0, 48
        add     x0, x0, 87
        csel    x0, x4, x0, lo
        bl      put
        subs    x3, x3, 1
        b.ne    1b
        ret     x14

        .balign 2048
vectors:
${Array.from({ length: 16 }, (_, i) => `        b       ${i === 5 ? 'interrupt' : 'trap'}\n        .balign 128`).join('\n')}
trap:   mov     x28, ${failure('unexpected trap')}
        b       fail
interrupt:
        stp     x0, x1, [sp, -48]!
        stp     x2, x3, [sp, 16]
        stp     x4, x5, [sp, 32]
        mrs     x0, ICC_IAR1_EL1
        cmp     x0, 27
        b.eq    2f
        cmp     x0, 1020
        b.hs    4f
        dsb     ish
        ldr     x1, [x18, R_IPIS]
        add     x1, x1, 1
        str     x1, [x18, R_IPIS]
        adr     x1, records
        add     x1, x1, x19, lsl 3
        add     x1, x1, R_SENT          // requests of CPU 0 to this one
        add     x2, x18, R_ACKED
        mov     x3, x22
1:      ldar    x4, [x1]
        stlr    x4, [x2]
        add     x1, x1, 512
        add     x2, x2, 8
        subs    x3, x3, 1
        b.ne    1b
        b       3f
2:      msr     CNTV_CTL_EL0, xzr
        mov     x1, 1
        str     x1, [x18, R_FIRED]
        ldr     x1, [x18, R_TIMERS]
        add     x1, x1, 1
        str     x1, [x18, R_TIMERS]
        isb
3:      msr     ICC_EOIR1_EL1, x0
4:      ldp     x4, x5, [sp, 32]
        ldp     x2, x3, [sp, 16]
        ldp     x0, x1, [sp], 48
        eret

passed_text: .asciz "\nstress passed:"
failed_text: .asciz "\nstress failed:"

        .balign 4096
        // Functions that return a constant, 64 bytes each.
code:
${Array.from({ length: 8 }, () => '        movz    x0, 0\n        ret\n        .zero   56').join('\n')}
        .balign 4096
shared: .zero   ${SHARED.length * SHARED_SIZE + 1024}
        .balign 4096
root:   .zero   4096
middle: .zero   4096
leaves: .zero   4096
targets: .quad  0
        .zero   4088
        .quad   1
        .zero   4088
records: .zero  ${512 * harts}
        .balign 4096
stacks: .zero   ${4096 * harts}
image_end:
`;

/** The guest's kernel. */
export function stressGuestArm(options: StressOptions): Uint8Array {
  return assemble(program(options), { base: BASE }).bytes;
}
