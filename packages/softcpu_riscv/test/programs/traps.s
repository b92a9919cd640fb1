# Exceptions of every kind in M-, S- and U-mode, delegation, vectored interrupts, and what mstatus remembers.

        jal open

# illegal instruction: cause 2, tval the instruction
        la s11, 1f
bad:    .word 0xffffffff
        j fail
1:      check s0, 2
        check s1, 0xffffffff
        check_address s2, bad

# breakpoint
        la s11, 1f
bp:     ebreak
        j fail
1:      check s0, 3
        check_address s2, bp

# ECALL from M-mode; a7 must not be 93
        la s11, 1f
        li a7, 0
        ecall
        j fail
1:      check s0, 11
        check s1, 0
        srli t0, s3, 11
        andi t0, t0, 3
        check t0, 3

# access faults: load, store, fetch
        li t0, NOWHERE
        la s11, 1f
        lw t1, 4(t0)
        j fail
1:      check s0, 5
        check s1, NOWHERE + 4
        la s11, 1f
        sd t1, 8(t0)
        j fail
1:      check s0, 7
        check s1, NOWHERE + 8
        la s11, 1f
        jr t0
1:      check s0, 1
        check s1, NOWHERE
        check s2, NOWHERE

# a misaligned atomic
        la t0, word + 2
        la s11, 1f
        lr.w t1, (t0)
        j fail
1:      check s0, 4
        check_address s1, word + 2

# read-only and absent CSRs
        la s11, 1f
        csrw cycle, zero
        j fail
1:      check s0, 2
        la s11, 1f
        csrr t0, 0x5ff
        j fail
1:      check s0, 2

# S-mode: privileged instructions trap to M-mode while nothing is delegated
        li a0, 1
        jal lower
        la s11, 1f
        csrr t0, mstatus
        j fail
1:      check s0, 2
        srli t0, s3, 11
        andi t0, t0, 3
        check t0, 1
        li a0, 1
        jal lower
        la s11, 1f
        li a7, 0
        ecall
        j fail
1:      check s0, 9
        li a0, 1
        jal lower
        la s11, 1f
        mret
        j fail
1:      check s0, 2

# TVM, TW, TSR
        li t0, 7 << 20
        csrs mstatus, t0
        li a0, 1
        jal lower
        la s11, 1f
        csrr t0, satp
        j fail
1:      check s0, 2
        li a0, 1
        jal lower
        la s11, 1f
        sfence.vma
        j fail
1:      check s0, 2
        li a0, 1
        jal lower
        la s11, 1f
        sret
        j fail
1:      check s0, 2
        li a0, 1
        jal lower
        la s11, 1f
        wfi
        j fail
1:      check s0, 2
        li t0, 7 << 20
        csrc mstatus, t0

# U-mode: no CSRs of S-mode, no SRET, no counters unless enabled
        csrw mcounteren, zero
        li a0, 0
        jal lower
        la s11, 1f
        csrr t0, sstatus
        j fail
1:      check s0, 2
        li a0, 0
        jal lower
        la s11, 1f
        sret
        j fail
1:      check s0, 2
        li a0, 0
        jal lower
        la s11, 1f
        rdcycle t0
        j fail
1:      check s0, 2
        li t0, 7
        csrw mcounteren, t0
        csrw scounteren, t0
        li a0, 0
        jal lower
        rdcycle t0
        rdinstret t1
        la s11, 1f
        li a7, 0
        ecall
        j fail
1:      check s0, 8

# delegation: U-mode's ECALL and breakpoint go to S-mode, which may not read mcause
        li t0, (1 << 8) | (1 << 3)
        csrw medeleg, t0
        la t0, strap
        csrw stvec, t0
        li a0, 0
        jal lower
        la s11, 1f
        li a7, 0
        ecall
        j fail
1:      check s0, 8
        andi t0, s3, 0x100              # SPP: from U
        check t0, 0
        la s11, 1f
        ebreak                          # in S-mode too
        j fail
1:      check s0, 3
        andi t0, s3, 0x100
        check t0, 0x100
        la s11, 1f
        csrr t0, mcause                 # not delegated
        j fail
1:      csrr t0, mcause
        check t0, 2
        csrw medeleg, zero

# interrupts: vectored, by priority, with MIE and MPIE
        la t0, vector + 1
        csrw mtvec, t0
        li t0, CLINT
        li t1, 1
        sw t1, 0(t0)                    # msip
        li t1, 1 << 3
        csrw mie, t1
        la s11, 1f
        csrsi mstatus, 8
        nop
        j fail
1:      check s10, 3
        csrr t0, mcause
        check t0, 0x8000000000000003
        csrr t0, mstatus
        andi t1, t0, 0x88
        check t1, 0x80
        li t0, CLINT
        sw zero, 0(t0)
        li t1, 1 << 1                   # SSIP, not delegated
        csrw mie, t1
        csrw mip, t1
        la s11, 1f
        csrsi mstatus, 8
        nop
        j fail
1:      check s10, 1
        csrw mip, zero

# a delegated interrupt stays away from M-mode and waits for S-mode
        li t0, 1 << 1
        csrw mideleg, t0
        csrw mip, t0
        csrsi mstatus, 8
        nop
        la t0, strap
        csrw stvec, t0
        la t0, mtrap
        csrw mtvec, t0
        csrci mstatus, 8
        csrsi mstatus, 2                # SIE
        la s11, 1f
        la t0, fail
        csrw mepc, t0
        li t0, 3 << 11
        csrc mstatus, t0
        li t0, 1 << 11
        csrs mstatus, t0
        li gp, 999
        mret
1:      check s0, 0x8000000000000001
        check_address s2, fail
        andi t0, s3, 0x22               # SPIE, SIE
        check t0, 0x20
        csrw sip, zero
        j pass

        .balign 256
vector: j fail                          # exceptions
        j vssi
        j fail
        j vmsi
vssi:   li s10, 1
        jr s11
vmsi:   li s10, 3
        jr s11
        .balign 8
word:   .dword 0, 0
