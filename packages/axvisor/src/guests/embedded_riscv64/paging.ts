/** Sv39 page tables of the embedded RISC-V kernel (privileged manual, "Sv39"): pages of 4 KiB, 2 MiB and 1 GiB, nothing both writable and executable. */

export const text: string = String.raw`
        .equ    PTE_V, 1 << 0
        .equ    PTE_R, 1 << 1
        .equ    PTE_W, 1 << 2
        .equ    PTE_X, 1 << 3
        .equ    PTE_A, 1 << 6           # set in advance, as hardware need not set them
        .equ    PTE_D, 1 << 7
        .equ    PTE_READ, PTE_V | PTE_R | PTE_A
        .equ    PTE_WRITE, PTE_READ | PTE_W | PTE_D
        .equ    PTE_EXECUTE, PTE_READ | PTE_X
        .equ    SATP_SV39, 8 << 60
        .equ    UPPER_HALF, 0xffffffc000000000

paging_init:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        sd      s0, (sp)
        call    page_alloc_zeroed
        sd      a0, root_table, t0

        # The kernel's own 2 MiB in pages of 4 KiB: code, constants, data.
        la      a0, image
        mv      a1, a0
        la      a2, rodata_start
        sub     a2, a2, a0
        li      a3, PTE_EXECUTE
        call    map_range
        la      a0, rodata_start
        mv      a1, a0
        la      a2, bss_start
        sub     a2, a2, a0
        li      a3, PTE_READ
        call    map_range
        la      a0, bss_start
        mv      a1, a0
        la      a2, image
        li      t0, MEGAPAGE
        add     a2, a2, t0
        mv      s0, a2                  # the rest of RAM begins here
        sub     a2, a2, a0
        li      a3, PTE_WRITE
        call    map_range
        mv      a0, s0
        mv      a1, s0
        ld      a2, page_limit
        sub     a2, a2, s0
        li      a3, PTE_WRITE
        call    map_range

        # RAM from the kernel's data on once more in the upper half.
        la      s0, bss_start
        mv      a0, s0
        call    page_upper_half
        mv      a1, s0
        ld      a2, page_limit
        sub     a2, a2, s0
        li      a3, PTE_WRITE
        call    map_range

        ld      a0, uart_base
        beqz    a0, 1f
        mv      a1, a0
        li      a2, PAGE_SIZE
        li      a3, PTE_WRITE
        call    map_range
1:      ld      a0, plic_base
        beqz    a0, 1f
        mv      a1, a0
        ld      a2, plic_size
        li      a3, PTE_WRITE
        call    map_range
1:      call    paging_on
        ld      ra, 8(sp)
        ld      s0, (sp)
        addi    sp, sp, 16
        ret

        # Turns translation on for this hart.
paging_on:
        ld      t0, root_table
        srli    t0, t0, 12
        li      t1, SATP_SV39
        or      t0, t0, t1
        sfence.vma
        csrw    satp, t0
        sfence.vma
        ret

        # a0: address in RAM; returns where the upper half has it
page_upper_half:
        ld      t0, ram_base
        sub     a0, a0, t0
        li      t0, UPPER_HALF
        add     a0, a0, t0
        ret

        # a0: virtual address, a1: physical address, a2: length, all multiples of the page size; a3: flags. Uses the largest pages that fit.
map_range:
        addi    sp, sp, -64
        sd      ra, 56(sp)
        sd      s0, 48(sp)
        sd      s1, 40(sp)
        sd      s2, 32(sp)
        sd      s3, 24(sp)
        sd      s4, 16(sp)
        sd      s5, 8(sp)
        mv      s0, a0
        mv      s1, a1
        add     s2, a0, a2
        mv      s3, a3
1:      bgeu    s0, s2, 4f
        li      s4, 2                   # the level of the leaf
        li      s5, 1 << 30             # and what it maps
2:      or      t0, s0, s1
        addi    t1, s5, -1
        and     t0, t0, t1
        sub     t1, s2, s0
        bnez    t0, 3f
        bgeu    t1, s5, 5f
3:      addi    s4, s4, -1
        srli    s5, s5, 9
        bnez    s4, 2b
5:      mv      a0, s0
        mv      a1, s4
        call    find_pte
        srli    t0, s1, 12
        slli    t0, t0, 10
        or      t0, t0, s3
        sd      t0, (a0)
        add     s0, s0, s5
        add     s1, s1, s5
        j       1b
4:      ld      ra, 56(sp)
        ld      s0, 48(sp)
        ld      s1, 40(sp)
        ld      s2, 32(sp)
        ld      s3, 24(sp)
        ld      s4, 16(sp)
        ld      s5, 8(sp)
        addi    sp, sp, 64
        ret

        # a0: virtual address, a1: level; returns the address of its entry, making the tables above it
find_pte:
        addi    sp, sp, -48
        sd      ra, 40(sp)
        sd      s0, 32(sp)
        sd      s1, 24(sp)
        sd      s2, 16(sp)
        sd      s3, 8(sp)
        mv      s0, a0
        mv      s1, a1
        li      s2, 2
        ld      a0, root_table
1:      slli    t0, s2, 3               # 9 bits a level
        add     t0, t0, s2
        addi    t0, t0, 12
        srl     t0, s0, t0
        andi    t0, t0, 511
        slli    t0, t0, 3
        add     s3, a0, t0
        beq     s2, s1, 3f
        ld      a0, (s3)
        andi    t0, a0, PTE_V
        bnez    t0, 2f
        call    page_alloc_zeroed
        srli    a0, a0, 2
        ori     a0, a0, PTE_V
        sd      a0, (s3)
2:      srli    a0, a0, 10
        slli    a0, a0, 12
        addi    s2, s2, -1
        j       1b
3:      mv      a0, s3
        ld      ra, 40(sp)
        ld      s0, 32(sp)
        ld      s1, 24(sp)
        ld      s2, 16(sp)
        ld      s3, 8(sp)
        addi    sp, sp, 48
        ret
`;
