# Sv39: permissions, SUM, MXR, MPRV, superpages, address ranges, fences and ASIDs.

        .equ RWX, 0xcf                  # V R W X A D
        .equ RW, 0xc7
        .equ RX, 0x4b
        .equ R, 0x43
        .equ X, 0x49
        .equ U, 0x10
        .equ WINDOW, 0x40000000         # virtual; pages of it are named by their number

        la a0, root
        jal supervise

# identity-mapped code, aliases of data
        li a1, WINDOW
        li t0, 0x1234
        sd t0, 0(a1)                    # page 0: data, read and write
        lui t1, (WINDOW + 0x1000) >> 12
        ld t2, 0(t1)                    # page 1: the same, read only
        check t2, 0x1234
        la t1, data
        ld t2, 0(t1)
        check t2, 0x1234

# store to a read-only page, load from an execute-only page, fetch from data
        li a1, WINDOW + 0x1008
        la s11, 1f
        sd t0, 0(a1)
        j fail
1:      check s0, 15
        check s1, WINDOW + 0x1008
        li a1, WINDOW + 0x2000
        la s11, 1f
        ld t0, 0(a1)
        j fail
1:      check s0, 13
        li a1, WINDOW
        la s11, 1f
        jr a1
1:      check s0, 12
        check s1, WINDOW
        check s2, WINDOW

# MXR makes execute-only pages readable
        li t0, 1 << 19
        csrs sstatus, t0
        li a1, WINDOW + 0x2000
        ld t1, 0(a1)
        csrc sstatus, t0
        check t1, 0x1234

# not valid; write without read is reserved
        li a1, WINDOW + 0x3000
        la s11, 1f
        ld t0, 16(a1)
        j fail
1:      check s0, 13
        check s1, WINDOW + 0x3010
        li a1, WINDOW + 0x4000
        la s11, 1f
        ld t0, 0(a1)
        j fail
1:      check s0, 13

# user pages: SUM for loads and stores, never for fetches
        li a1, WINDOW + 0x5000
        la s11, 1f
        ld t0, 0(a1)
        j fail
1:      check s0, 13
        li t0, 1 << 18
        csrs sstatus, t0
        la s11, 1f
        jr a1
1:      check s0, 12
        ld t1, 0(a1)
        check t1, 0x1234
        li t0, 1 << 18
        csrc sstatus, t0
        la s11, 1f
        ld t0, 0(a1)
        j fail
1:      check s0, 13

# an access across two pages of which the second is not there: its address is reported, nothing is written
        li a1, WINDOW + 0x7ffc
        sw zero, 0(a1)
        la s11, 1f
        li t0, -1
        sd t0, 0(a1)
        j fail
1:      check s0, 15
        check s1, WINDOW + 0x8000
        lw t0, 0(a1)
        check t0, 0

# across two pages that lie elsewhere
        li a1, WINDOW + 0x0ffa          # pages 0 (data) and 1 (data again, from its beginning)
        ld t0, 0(a1)
        srli t0, t0, 48
        check t0, 0x1234

# addresses that are not sign-extended
        li a1, 1 << 39
        la s11, 1f
        ld t0, 0(a1)
        j fail
1:      check s0, 13
        check s1, 1 << 39
        li a1, -(1 << 39) - 8
        la s11, 1f
        sd t0, 0(a1)
        j fail
1:      check s0, 15
        check s1, -(1 << 39) - 8

# superpages: 2 MiB at WINDOW + 2 MiB, 1 GiB at 3 GiB; misaligned ones fault
        la t0, data
        li t1, 0x1fffff
        and t0, t0, t1
        li t1, WINDOW + 0x200000
        add t0, t0, t1
        ld t1, 0(t0)
        check t1, 0x1234
        la t0, data
        li t1, 0x40000000
        add t0, t0, t1
        ld t1, 0(t0)
        check t1, 0x1234
        li a1, WINDOW + 0x400000
        la s11, 1f
        ld t0, 0(a1)
        j fail
1:      check s0, 13
        li a1, 0x100000000
        la s11, 1f
        ld t0, 0(a1)
        j fail
1:      check s0, 13

# a mapping that changes, behind a fence for its address
        li a1, WINDOW + 0x1000
        ld t0, 0(a1)
        la t1, table0 + 8
        la t2, other
        srli t2, t2, 12
        slli t2, t2, 10
        ori t2, t2, RW
        sd t2, 0(t1)
        sfence.vma a1, zero
        ld t0, 0(a1)
        check t0, 0x5678
        li t0, 0x9abc
        sd t0, 0(a1)
        la t1, other
        ld t0, 0(t1)
        check t0, 0x9abc

# another address space: the same addresses, another table, its own ASID
        la t0, root2
        srli t0, t0, 12
        li t1, (8 << 60) | (5 << 44)
        or t0, t0, t1
        csrr s9, satp
        csrw satp, t0
        sfence.vma
        li a1, WINDOW
        ld t0, 0(a1)
        check t0, 0x9abc
        csrw satp, s9
        sfence.vma
        ld t0, 0(a1)
        check t0, 0x1234

# a reserved mode is not written
        li t0, 7 << 60
        csrw satp, t0
        csrr t0, satp
        sub t0, t0, s9
        check t0, 0

# U-mode: its own pages, not the supervisor's
        la t2, user
        li t1, 0xfff
        and t2, t2, t1
        li t1, WINDOW + 0x6000
        add t2, t2, t1
        csrw sepc, t2
        li t0, 1 << 8
        csrc sstatus, t0
        la s11, 1f
        sret
1:      check s0, 13
        check s1, WINDOW
        check a2, 0x1234

# M-mode with MPRV accesses as S-mode does
        la s11, 1f
        li a7, 1
        ecall
        j fail
1:      check s0, 9
        li t0, 3 << 11
        csrc mstatus, t0
        li t0, (1 << 11) | (1 << 17)
        csrs mstatus, t0
        li a1, WINDOW
        ld t1, 0(a1)
        la s11, 1f
        li a1, WINDOW + 0x3000
        csrw medeleg, zero
        ld t2, 0(a1)
        j fail
1:      li t0, 1 << 17
        csrc mstatus, t0
        check t1, 0x1234
        check s0, 13
        j pass

        .balign 4096
user:   li a1, WINDOW + 0x5000          # runs in U-mode in page 6
        ld a2, 0(a1)
        li a1, WINDOW
        ld a3, 0(a1)
        ebreak

        .balign 4096
data:   .dword 0
        .zero 4088
other:  .dword 0x5678
        .zero 4088
empty:  .zero 4096

        .balign 4096
root:   .dword 0                                # 0
        .dword ((table1 >> 12) << 10) | 1       # 1 GiB: WINDOW
        .dword (0x80000 << 10) | RWX            # 2 GiB: RAM as it is
        .dword (0x80000 << 10) | RW             # 3 GiB: RAM
        .dword (0x80001 << 10) | RW             # 4 GiB: misaligned
        .zero 4096 - 40
table1: .dword ((table0 >> 12) << 10) | 1
        .dword (0x80000 << 10) | RW             # 2 MiB: RAM
        .dword (0x80001 << 10) | RW             # misaligned
        .zero 4096 - 24
table0: .dword ((data >> 12) << 10) | RW
        .dword ((data >> 12) << 10) | R
        .dword ((data >> 12) << 10) | X
        .dword 0
        .dword ((data >> 12) << 10) | 0xc5
        .dword ((data >> 12) << 10) | RWX | U
        .dword ((user >> 12) << 10) | RX | U
        .dword ((empty >> 12) << 10) | RW
        .zero 4096 - 64
root2:  .dword 0
        .dword ((table12 >> 12) << 10) | 1
        .dword (0x80000 << 10) | RWX
        .zero 4096 - 24
table12: .dword ((table02 >> 12) << 10) | 1
        .zero 4096 - 8
table02: .dword ((other >> 12) << 10) | RW
        .zero 4096 - 8
