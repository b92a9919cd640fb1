/** Translation tables of the embedded Arm kernel (Arm ARM, D8.3): 39-bit addresses, pages of 4 KiB, blocks of 2 MiB and 1 GiB, nothing both writable and executable. */
import { load } from './layout.ts';

const AF = 1n << 10n;
const INNER_SHAREABLE = 3n << 8n;
const READ_ONLY = 1n << 7n;
const UXN = 1n << 54n;
const PXN = 1n << 53n;
const DEVICE = 1n << 2n; // the second attribute of MAIR_EL1
const FLAGS = {
  execute: AF | INNER_SHAREABLE | READ_ONLY | UXN,
  read: AF | INNER_SHAREABLE | READ_ONLY | UXN | PXN,
  write: AF | INNER_SHAREABLE | UXN | PXN,
  device: AF | UXN | PXN | DEVICE,
} as const;

/** Normal write-back memory, and device memory nGnRE. */
const MAIR = 0x04ffn;
/** Both halves: 39 bits, 4 KiB, write-back inner shareable tables; 40 bits of physical address. */
const TCR = 25n | (1n << 8n) | (1n << 10n) | (3n << 12n) | (25n << 16n) | (1n << 24n) | (1n << 26n) | (3n << 28n) | (2n << 30n) | (2n << 32n);
/** M, C, I, and what is reserved as one. */
const SCTLR = 0x30d0_1805n;
const UPPER_HALF = 0xffff_ff80_0000_0000n;

export const text: string = String.raw`
paging_init:
        stp     x30, x19, [sp, -16]!
        bl      page_alloc_zeroed
        adr     x1, lower_table
        str     x0, [x1]
        bl      page_alloc_zeroed
        adr     x1, upper_table
        str     x0, [x1]

        // The kernel's own 2 MiB in pages of 4 KiB: code, constants, data.
        adr     x0, image
        adr     x2, rodata_start
        sub     x2, x2, x0
${load('x3', FLAGS.execute)}
        bl      map_identity
        adr     x0, rodata_start
        adr     x2, bss_start
        sub     x2, x2, x0
${load('x3', FLAGS.read)}
        bl      map_identity
        adr     x0, bss_start
        adr     x19, image
        add     x19, x19, 512, lsl 12       // the rest of RAM begins here
        sub     x2, x19, x0
${load('x3', FLAGS.write)}
        bl      map_identity
        mov     x0, x19
        ldr     x2, page_limit
        sub     x2, x2, x0
${load('x3', FLAGS.write)}
        bl      map_identity

        // RAM from the kernel's data on once more in the upper half.
        adr     x19, bss_start
        mov     x0, x19
        bl      page_upper_half
        mov     x1, x19
        ldr     x2, page_limit
        sub     x2, x2, x19
${load('x3', FLAGS.write)}
        ldr     x4, upper_table
        bl      map_range

        ldr     x0, uart_base
        mov     x2, PAGE_SIZE
        bl      map_device
        ldr     x0, gic_base
        ldr     x2, gic_size
        bl      map_device
        ldr     x0, gic_cpu_base
        ldr     x2, gic_cpu_size
        bl      map_device
        bl      paging_on
        ldp     x30, x19, [sp], 16
        ret

        // x0: address, x2: length
map_device:
        cbz     x0, 1f
${load('x3', FLAGS.device)}
map_identity:
        mov     x1, x0
        ldr     x4, lower_table
        b       map_range
1:      ret

        // Turns translation on for this CPU.
paging_on:
${load('x0', MAIR)}
        msr     MAIR_EL1, x0
${load('x0', TCR)}
        msr     TCR_EL1, x0
        ldr     x0, lower_table
        msr     TTBR0_EL1, x0
        ldr     x0, upper_table
        msr     TTBR1_EL1, x0
        dsb     ish
        tlbi    vmalle1
        dsb     ish
        isb
${load('x0', SCTLR)}
        msr     SCTLR_EL1, x0
        isb
        ret

        // x0: address in RAM; returns where the upper half has it
page_upper_half:
        ldr     x1, ram_base
        sub     x0, x0, x1
${load('x1', UPPER_HALF)}
        add     x0, x0, x1
        ret

        // x0: virtual address, x1: physical address, x2: length, all multiples of the page size; x3: flags, x4: table. Uses the largest leaves that fit.
map_range:
        stp     x30, x19, [sp, -64]!
        stp     x20, x21, [sp, 16]
        stp     x22, x23, [sp, 32]
        stp     x24, x25, [sp, 48]
        mov     x19, x0
        mov     x20, x1
        add     x21, x0, x2
        mov     x22, x3
        mov     x25, x4
1:      cmp     x19, x21
        b.hs    4f
        mov     x23, 30                 // log2 of what a leaf maps
2:      mov     x0, 1
        lsl     x24, x0, x23
        orr     x0, x19, x20
        sub     x1, x24, 1
        tst     x0, x1
        b.ne    3f
        sub     x1, x21, x19
        cmp     x1, x24
        b.hs    5f
3:      cmp     x23, 12
        b.eq    5f
        sub     x23, x23, 9
        b       2b
5:      mov     x0, x19
        mov     x1, x23
        mov     x2, x25
        bl      find_descriptor
        orr     x1, x20, x22
        mov     x2, 3                   // a page
        cmp     x23, 12
        b.eq    6f
        mov     x2, 1                   // a block
6:      orr     x1, x1, x2
        str     x1, [x0]
        add     x19, x19, x24
        add     x20, x20, x24
        b       1b
4:      ldp     x24, x25, [sp, 48]
        ldp     x22, x23, [sp, 32]
        ldp     x20, x21, [sp, 16]
        ldp     x30, x19, [sp], 64
        ret

        // x0: virtual address, x1: log2 of what its leaf maps, x2: table; returns the address of its descriptor, making the tables above it
find_descriptor:
        stp     x30, x19, [sp, -48]!
        stp     x20, x21, [sp, 16]
        stp     x22, x23, [sp, 32]
        mov     x19, x0
        mov     x20, x1
        mov     x21, 30
1:      lsr     x0, x19, x21
        and     x0, x0, 511
        add     x22, x2, x0, lsl 3
        cmp     x21, x20
        b.eq    3f
        ldr     x0, [x22]
        cbnz    x0, 2f
        bl      page_alloc_zeroed
        orr     x0, x0, 3
        str     x0, [x22]
2:      and     x2, x0, 0xfffffffff000
        sub     x21, x21, 9
        b       1b
3:      mov     x0, x22
        ldp     x22, x23, [sp, 32]
        ldp     x20, x21, [sp, 16]
        ldp     x30, x19, [sp], 48
        ret
`;
