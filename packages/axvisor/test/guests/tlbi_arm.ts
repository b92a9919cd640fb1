/**
 * A guest for AArch64 with two CPUs: one changes what a page is mapped to and tells the other by one kind of TLBI, again and again, before it goes on
 * to the next kind; the other looks at the page after each change. Nothing else makes the other forget the page.
 */
import { assemble } from '@axvisor/softcpu_arm/asm';

/** Where the boot protocol puts it. */
const BASE = 0x4020_0000n;

/** TLBI of stage 1 for all CPUs of the Inner Shareable domain, each of which covers the page. Operands: x5 its address, ASID 0. */
export const KINDS = ['vae1is, x5', 'vale1is, x5', 'vaae1is, x5', 'vaale1is, x5', 'aside1is, xzr', 'vmalle1is'] as const;

/** A constant of 64 bits. */
const load = (register: string, value: bigint): string =>
  [`        movz    ${register}, ${value & 0xffffn}`, ...[16n, 32n, 48n].map((shift) => `        movk    ${register}, ${(value >> shift) & 0xffffn}, lsl ${shift}`)].join('\n');

/* x21: the word that both wait for: even, CPU 0 has to act; odd, CPU 1. x22: how often the page was changed. x1: the page. */
const program = (rounds: number): string => String.raw`
image:  b       first
        nop
        .quad   0                       // text_offset
        .quad   image_end - image
        .quad   10                      // flags: little-endian, pages of 4 KiB, anywhere in memory
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .word   0

first:  adr     x1, root                // devices, memory, and the page by its tables
${load('x2', 0x0060_0000_0000_0401n)}
        str     x2, [x1]
${load('x2', 0x4000_0705n)}
        str     x2, [x1, 8]
        adr     x2, middle
        orr     x2, x2, 3
        str     x2, [x1, 32]
        adr     x2, leaves
        orr     x2, x2, 3
        adr     x3, middle
        str     x2, [x3]
        adr     x2, targets
        mov     x3, 0xf07               // not global
        orr     x2, x2, x3
        adr     x1, leaves
        str     x2, [x1]
        dsb     sy
        bl      translate
${load('x0', 0xc400_0003n)}
        mov     x1, 1
        adr     x2, other
        hvc     0
        cbnz    x0, failed
        b       await                   // CPU 1 has read the page
changed:
${KINDS.map((kind, i) => `
        mov     x23, ${i}
        mov     x24, ${rounds}
kind${i}: bl    change
        tlbi    ${kind}
        bl      changed_to
        subs    x24, x24, 1
        b.ne    kind${i}`).join('\n')}
        adr     x0, passed_text
        b       say

        // The page is mapped no more.
change: adr     x4, leaves
        str     xzr, [x4]
        dsb     ishst
        movz    x5, 0x10, lsl 16        // page number
        ret
        // Maps the page to the other target, and has it read.
changed_to:
        dsb     ish
        add     x22, x22, 1
        and     x2, x22, 1
        adr     x3, targets
        add     x3, x3, x2, lsl 12
        mov     x6, 0xf07
        orr     x3, x3, x6
        str     x3, [x4]
        dsb     ishst
        isb
        ldar    x2, [x21]
        add     x2, x2, 1
        stlr    x2, [x21]
1:      ldar    x2, [x21]
        tbnz    x2, 0, 1b
        adr     x3, wrong
        ldr     x3, [x3]
        cbnz    x3, failed
        ret

        // CPU 0 waits for CPU 1 to have started.
await:  ldar    x2, [x21]
        cbz     x2, await
        b       changed

other:  bl      translate
        ldr     x2, [x1]
        mov     x2, 2
        stlr    x2, [x21]
1:      ldar    x2, [x21]
        tbz     x2, 0, 1b
        add     x22, x22, 1
        and     x3, x22, 1
        ldr     x4, [x1]
        cmp     x3, x4
        b.eq    2f
        adr     x3, wrong
        str     x2, [x3]
2:      add     x2, x2, 1
        stlr    x2, [x21]
        b       1b

        // The MMU is on.
translate:
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
        adr     x21, turn
        mov     x22, 0
        movz    x1, 1, lsl 32
        ret

failed: adr     x0, failed_text
        bl      print
        add     w0, w23, '0'
        movz    x1, 0x900, lsl 16
        str     w0, [x1]
        adr     x0, newline
say:    bl      print
${load('x0', 0x8400_0008n)}
        hvc     0
print:  movz    x1, 0x900, lsl 16
1:      ldrb    w2, [x0], 1
        cbz     w2, 2f
        str     w2, [x1]
        b       1b
2:      ret

passed_text: .asciz "every change was seen\n"
failed_text: .asciz "a stale translation behind kind "
newline: .asciz "\n"
        .balign 64
turn:   .quad   0
        .balign 64
wrong:  .quad   0
        .balign 4096
root:   .zero   4096
middle: .zero   4096
leaves: .zero   4096
targets: .quad  0
        .zero   4088
        .quad   1
        .zero   4088
image_end:
`;

/** The guest's kernel, which does each kind so often. */
export const tlbiGuest = (rounds: number): Uint8Array => assemble(program(rounds), { base: BASE }).bytes;
