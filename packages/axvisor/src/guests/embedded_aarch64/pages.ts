/** The page allocator of the embedded Arm kernel: 4 KiB pages from the end of the kernel upwards, freed ones in a list. Only the first CPU uses it. */

export const text: string = String.raw`
        // Everything from the end of the kernel to the end of RAM, but for the device tree and the initrd.
pages_init:
        str     x30, [sp, -16]!
        adr     x0, kernel_end
        add     x0, x0, PAGE_SIZE - 1
        and     x0, x0, -PAGE_SIZE
        adr     x1, page_next
        str     x0, [x1]
        ldr     x2, ram_base
        ldr     x3, ram_size
        add     x2, x2, x3
        and     x2, x2, -PAGE_SIZE
        adr     x1, page_limit
        str     x2, [x1]
        sub     x2, x2, x0
        lsr     x2, x2, 12
        adr     x1, page_free_count
        str     x2, [x1]
        ldr     x0, fdt_start
        ldr     x1, fdt_size
        add     x1, x0, x1
        adr     x2, page_reserved
        bl      page_reserve
        ldr     x0, initrd_start
        ldr     x1, initrd_end
        adr     x2, page_reserved + 16
        bl      page_reserve
        ldr     x30, [sp], 16
        ret

        // x0..x1: bytes not to be allocated; x2: where to note their pages. The two ranges do not share a page.
page_reserve:
        cmp     x0, x1
        b.eq    1f
        and     x0, x0, -PAGE_SIZE
        add     x1, x1, PAGE_SIZE - 1
        and     x1, x1, -PAGE_SIZE
        stp     x0, x1, [x2]
        // What lies between next and limit is not free.
        ldr     x2, page_next
        cmp     x0, x2
        csel    x0, x2, x0, lo
        ldr     x2, page_limit
        cmp     x1, x2
        csel    x1, x2, x1, hi
        subs    x1, x1, x0
        b.ls    1f
        ldr     x2, page_free_count
        sub     x2, x2, x1, lsr 12
        adr     x3, page_free_count
        str     x2, [x3]
1:      ret

        // Returns a page, or 0.
page_alloc:
        ldr     x0, page_list
        cbz     x0, 1f
        ldr     x1, [x0]                // a free page begins with the address of the next
        adr     x2, page_list
        str     x1, [x2]
        b       3f
1:      ldr     x0, page_next
        ldr     x1, page_limit
        adr     x2, page_next
        adr     x3, page_reserved
2:      cmp     x0, x1
        b.hs    4f
        add     x4, x0, 1, lsl 12
        str     x4, [x2]
        ldp     x5, x6, [x3]
        sub     x7, x0, x5
        sub     x6, x6, x5
        cmp     x7, x6
        b.lo    5f
        ldp     x5, x6, [x3, 16]
        sub     x7, x0, x5
        sub     x6, x6, x5
        cmp     x7, x6
        b.hs    3f
5:      mov     x0, x4
        b       2b
3:      ldr     x1, page_free_count
        sub     x1, x1, 1
        adr     x2, page_free_count
        str     x1, [x2]
        ret
4:      mov     x0, 0
        ret

        // x0: page
page_free:
        ldr     x1, page_list
        str     x1, [x0]
        adr     x1, page_list
        str     x0, [x1]
        ldr     x1, page_free_count
        add     x1, x1, 1
        adr     x2, page_free_count
        str     x1, [x2]
        ret

        // Returns a page of zeros; without memory the kernel cannot go on.
page_alloc_zeroed:
        str     x30, [sp, -16]!
        bl      page_alloc
        cbnz    x0, 1f
        adr     x0, out_of_memory
        b       fatal
1:      add     x1, x0, 1, lsl 12
        mov     x2, x0
2:      stp     xzr, xzr, [x2], 16
        cmp     x2, x1
        b.lo    2b
        ldr     x30, [sp], 16
        ret

        // Takes 64 pages, fills each with its own pattern, looks whether all patterns are still there, both at the identity mapping and in
        // the upper half, gives the pages back and compares the number of free ones. Returns 0 if all is well.
        .equ    TEST_PAGES, 64
page_self_test:
        stp     x30, x19, [sp, -64]!
        stp     x20, x21, [sp, 16]
        stp     x22, x23, [sp, 32]
        ldr     x19, page_free_count
        mov     x20, 0                  // pages taken, chained through their second doubleword
        mov     x21, TEST_PAGES
        mov     x23, 0                  // errors
1:      bl      page_alloc
        cbz     x0, 3f
        add     x1, x0, 1, lsl 12
        mov     x2, x0
2:      eor     x3, x2, x19
        str     x3, [x2], 8
        cmp     x2, x1
        b.lo    2b
        str     x20, [x0, 8]
        mov     x20, x0
        subs    x21, x21, 1
        b.ne    1b
3:      orr     x23, x23, x21           // fewer pages than asked for
4:      cbz     x20, 7f
        ldr     x22, [x20, 8]
        str     xzr, [x20, 8]           // seen through the other mapping below
        mov     x0, x20
        bl      page_upper_half
        ldr     x1, [x0, 8]
        orr     x23, x23, x1
        add     x1, x20, 1, lsl 12
        add     x2, x20, 16
        add     x0, x0, 16
5:      ldr     x3, [x0], 8
        eor     x3, x3, x2
        eor     x3, x3, x19
        orr     x23, x23, x3
        add     x2, x2, 8
        cmp     x2, x1
        b.lo    5b
        mov     x0, x20
        bl      page_free
        mov     x20, x22
        b       4b
7:      ldr     x0, page_free_count
        eor     x0, x0, x19
        orr     x0, x0, x23
        ldp     x22, x23, [sp, 32]
        ldp     x20, x21, [sp, 16]
        ldp     x30, x19, [sp], 64
        ret
`;

export const rodata: string = String.raw`
out_of_memory:
        .asciz  "fatal: out of memory\n"
`;
