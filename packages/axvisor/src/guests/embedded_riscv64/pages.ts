/** The page allocator of the embedded RISC-V kernel: 4 KiB pages from the end of the kernel upwards, freed ones in a list. */

export const text: string = String.raw`
        # Everything from the end of the kernel to the end of RAM, but for the device tree and the initrd.
pages_init:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        la      t0, kernel_end
        li      t1, PAGE_SIZE - 1
        add     t0, t0, t1
        not     t1, t1
        and     t0, t0, t1
        sd      t0, page_next, t2
        ld      t3, ram_base
        ld      t4, ram_size
        add     t3, t3, t4
        and     t3, t3, t1
        sd      t3, page_limit, t2
        sub     t4, t3, t0
        srli    t4, t4, 12
        sd      t4, page_free_count, t2
        ld      a0, fdt_start
        ld      a1, fdt_size
        add     a1, a0, a1
        la      a2, page_reserved
        call    page_reserve
        ld      a0, initrd_start
        ld      a1, initrd_end
        la      a2, page_reserved + 16
        call    page_reserve
        ld      ra, 8(sp)
        addi    sp, sp, 16
        ret

        # a0..a1: bytes not to be allocated; a2: where to note their pages. The two ranges do not share a page.
page_reserve:
        beq     a0, a1, 3f
        srli    a0, a0, 12
        slli    a0, a0, 12
        li      t0, PAGE_SIZE - 1
        add     a1, a1, t0
        srli    a1, a1, 12
        slli    a1, a1, 12
        sd      a0, 0(a2)
        sd      a1, 8(a2)
        # What lies between next and limit is not free.
        ld      t0, page_next
        ld      t1, page_limit
        bgeu    a0, t0, 1f
        mv      a0, t0
1:      bgeu    t1, a1, 2f
        mv      a1, t1
2:      bgeu    a0, a1, 3f
        sub     a1, a1, a0
        srli    a1, a1, 12
        ld      t0, page_free_count
        sub     t0, t0, a1
        sd      t0, page_free_count, t1
3:      ret

        # Returns a page in a0, or 0.
page_alloc:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        la      a0, page_lock
        call    lock
        ld      a1, page_list
        beqz    a1, 1f
        ld      t0, (a1)                # a free page begins with the address of the next
        sd      t0, page_list, t1
        j       4f
1:      ld      a1, page_next
2:      ld      t0, page_limit
        bltu    a1, t0, 3f
        li      a1, 0
        j       5f
3:      la      t0, page_reserved
        li      t3, PAGE_SIZE
        add     t4, a1, t3
        sd      t4, page_next, t1
        ld      t1, 0(t0)
        ld      t2, 8(t0)
        bltu    a1, t1, 6f
        bltu    a1, t2, 7f
6:      ld      t1, 16(t0)
        ld      t2, 24(t0)
        bltu    a1, t1, 4f
        bgeu    a1, t2, 4f
7:      mv      a1, t4
        j       2b
4:      ld      t0, page_free_count
        addi    t0, t0, -1
        sd      t0, page_free_count, t1
5:      la      a0, page_lock
        call    unlock
        mv      a0, a1
        ld      ra, 8(sp)
        addi    sp, sp, 16
        ret

        # a0: page
page_free:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        mv      a1, a0
        la      a0, page_lock
        call    lock
        ld      t0, page_list
        sd      t0, (a1)
        sd      a1, page_list, t0
        ld      t0, page_free_count
        addi    t0, t0, 1
        sd      t0, page_free_count, t1
        la      a0, page_lock
        call    unlock
        ld      ra, 8(sp)
        addi    sp, sp, 16
        ret

        # Returns a page of zeros in a0; without memory the kernel cannot go on.
page_alloc_zeroed:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        call    page_alloc
        bnez    a0, 1f
        la      a0, out_of_memory
        j       fatal
1:      li      t0, PAGE_SIZE
        add     t0, a0, t0
        mv      t1, a0
2:      sd      zero, (t1)
        addi    t1, t1, 8
        bltu    t1, t0, 2b
        ld      ra, 8(sp)
        addi    sp, sp, 16
        ret

        # Takes 64 pages, fills each with its own pattern, looks whether all patterns are still there, both at the identity mapping and in
        # the upper half, gives the pages back and compares the number of free ones. Returns 0 if all is well.
        .equ    TEST_PAGES, 64
page_self_test:
        addi    sp, sp, -64
        sd      ra, 56(sp)
        sd      s0, 48(sp)
        sd      s1, 40(sp)
        sd      s2, 32(sp)
        sd      s3, 24(sp)
        sd      s4, 16(sp)
        ld      s0, page_free_count
        li      s1, 0                   # pages taken, chained through their second doubleword
        li      s2, 0
        li      s4, 0                   # errors
1:      li      t0, TEST_PAGES
        beq     s2, t0, 3f
        call    page_alloc
        beqz    a0, 3f
        li      t0, PAGE_SIZE
        add     t0, a0, t0
        mv      t1, a0
2:      xor     t2, t1, s0
        sd      t2, (t1)
        addi    t1, t1, 8
        bltu    t1, t0, 2b
        sd      s1, 8(a0)
        mv      s1, a0
        addi    s2, s2, 1
        j       1b
3:      li      t0, TEST_PAGES
        bne     s2, t0, 4f
        li      s2, 0
4:      snez    t0, s2                  # fewer pages than asked for
        or      s4, s4, t0
5:      beqz    s1, 8f
        ld      s3, 8(s1)
        sd      zero, 8(s1)             # seen through the other mapping below
        mv      a0, s1
        call    page_upper_half
        ld      t0, 8(a0)
        or      s4, s4, t0
        li      t1, PAGE_SIZE
        add     t1, s1, t1
        addi    t2, s1, 16
        addi    a0, a0, 16
6:      ld      t0, (a0)
        xor     t0, t0, t2
        xor     t0, t0, s0
        or      s4, s4, t0
        addi    t2, t2, 8
        addi    a0, a0, 8
        bltu    t2, t1, 6b
        mv      a0, s1
        call    page_free
        mv      s1, s3
        j       5b
8:      ld      t0, page_free_count
        xor     t0, t0, s0
        or      a0, s4, t0
        ld      ra, 56(sp)
        ld      s0, 48(sp)
        ld      s1, 40(sp)
        ld      s2, 32(sp)
        ld      s3, 24(sp)
        ld      s4, 16(sp)
        addi    sp, sp, 64
        ret
`;

export const rodata: string = String.raw`
out_of_memory:
        .asciz  "fatal: out of memory\r\n"
`;
