# A hot loop over the edge of a page, on which one of its instructions lies: other mappings of its second page, changed ones, and stores to it.

        .equ RWX, 0xcf                  # V R W X A D
        .equ WINDOW, 0x40000000         # virtual; pages of it are named by their number
        .equ LOOP, 0xff6                # where the loop begins in its page

        la a0, root
        jal supervise
        j begin

# a1 += what the second page adds, a0 times, in the loop of the page at s0
sum:    li t0, LOOP
        add t0, t0, s0
        li a1, 0
        jr t0

begin:  li s0, WINDOW
        li a0, 60000
        jal sum
        check a1, 60000

# the same code, mapped with another second page
        li s1, 20
1:      li s0, WINDOW + 0x4000
        li a0, 100
        jal sum
        check a1, 200
        li s0, WINDOW
        li a0, 100
        jal sum
        check a1, 100
        addi s1, s1, -1
        bnez s1, 1b
        li s0, WINDOW + 0x4000
        li a0, 60000
        jal sum
        check a1, 120000

# another address space, in which its second page is another one
        la t0, root2
        srli t0, t0, 12
        li t1, (8 << 60) | (5 << 44)
        or s4, t0, t1
        csrr s3, satp
        li s1, 20
        li s0, WINDOW
2:      csrw satp, s4
        li a0, 100
        jal sum
        check a1, 200
        csrw satp, s3
        li a0, 100
        jal sum
        check a1, 100
        addi s1, s1, -1
        bnez s1, 2b

# the second page is mapped elsewhere, behind a fence for its address, and behind one for all of them
        la s2, table0
        li t2, WINDOW + 0x1000
        ld t3, 40(s2)
        ld t4, 8(s2)
        sd t3, 8(s2)
        sfence.vma t2, zero
        li a0, 100
        jal sum
        check a1, 200
        sd t4, 8(s2)
        sfence.vma
        li a0, 100
        jal sum
        check a1, 100

# it is not there: the fault is the loop's third instruction's, at the address of what is missing
        sd zero, 8(s2)
        sfence.vma t2, zero
        la s11, 3f
        li a0, 100
        jal sum
        j fail
3:      check s0, 12
        check s1, WINDOW + 0x1000
        check s2, WINDOW + 0xffe
        check a0, 99
        check a1, 0
        la s2, table0
        sd t4, 8(s2)
        sfence.vma t2, zero
        li s0, WINDOW
        li a0, 60000
        jal sum
        check a1, 60000

# its part of the instruction is written, through the other mapping
        la t2, loop + 10
        li t1, 0x0035                   # adds 3
        sh t1, 0(t2)
        fence.i
        li a0, 100
        jal sum
        check a1, 300

# what is behind the loop is written: addi a1, a1, 3 and c.jr ra
        li t1, 0x8593
        sh t1, 6(t2)
        li t1, 0x0035
        sh t1, 8(t2)
        li t1, 0x8082
        sh t1, 10(t2)
        fence.i
        li a0, 100
        jal sum
        check a1, 303
        j pass

        .balign 4096
first:  .zero LOOP
loop:   addi a0, a0, -1
        addi a2, a2, 1
        addi a1, a1, 1                  # ends in the second page
        bnez a0, loop
        c.jr ra
        .zero 0x1000 - 8

        .balign 4096
third:  .half 0x0025                    # of one that adds 2
        bnez a0, . - 12
        c.jr ra
        .zero 0x1000 - 8

        .balign 4096
root:   .dword 0                                # 0
        .dword ((table1 >> 12) << 10) | 1       # 1 GiB: WINDOW
        .dword (0x80000 << 10) | RWX            # 2 GiB: RAM as it is
        .zero 4096 - 24
table1: .dword ((table0 >> 12) << 10) | 1
        .zero 4096 - 8
table0: .dword ((first >> 12) << 10) | RWX
        .dword (((first + 0x1000) >> 12) << 10) | RWX
        .dword 0
        .dword 0
        .dword ((first >> 12) << 10) | RWX
        .dword ((third >> 12) << 10) | RWX
        .zero 4096 - 48
root2:  .dword 0
        .dword ((table12 >> 12) << 10) | 1
        .dword (0x80000 << 10) | RWX
        .zero 4096 - 24
table12: .dword ((table02 >> 12) << 10) | 1
        .zero 4096 - 8
table02: .dword ((first >> 12) << 10) | RWX
        .dword ((third >> 12) << 10) | RWX
        .zero 4096 - 16
