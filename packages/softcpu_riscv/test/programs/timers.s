# Timers: mtimecmp of the CLINT, stimecmp (Sstc) in S-mode, WFI, and counters that count.

        .equ MTIMECMP, CLINT + 0x4000
        .equ MTIME, CLINT + 0xbff8

        jal open
        li s4, MTIME
        li s5, MTIMECMP

# mtime goes on, and rdtime is the same
        ld t0, 0(s4)
        rdtime t1
        ld t2, 0(s4)
        sltu t3, t1, t0
        sltu t4, t2, t1
        or t3, t3, t4
        check t3, 0

# the timer interrupt of M-mode: pending when due, taken out of WFI, gone with a later mtimecmp
        ld t0, 0(s4)
        addi t0, t0, 400
        sd t0, 0(s5)
        csrr t1, mip
        andi t1, t1, 1 << 7
        check t1, 0
        li t1, 1 << 7
        csrw mie, t1
        la s11, 1f
        csrsi mstatus, 8
2:      wfi
        j 2b
1:      check s0, 0x8000000000000007
        ld t1, 0(s4)
        ld t0, 0(s5)
        sltu t2, t1, t0
        check t2, 0
        li t0, -1
        sd t0, 0(s5)
        csrr t1, mip
        andi t1, t1, 1 << 7
        check t1, 0
        csrw mie, zero

# WFI with the interrupt disabled globally goes on behind it
        ld t0, 0(s4)
        addi t0, t0, 400
        sd t0, 0(s5)
        csrci mstatus, 8
        li t1, 1 << 7
        csrw mie, t1
1:      wfi
        csrr t1, mip
        andi t1, t1, 1 << 7
        beqz t1, 1b
        li t0, -1
        sd t0, 0(s5)
        csrw mie, zero

# stimecmp needs menvcfg.STCE in S-mode
        csrw menvcfg, zero
        li t0, -1
        csrw mcounteren, t0
        li a0, 1
        jal lower
        la s11, 1f
        csrr t0, stimecmp
        j fail
1:      check s0, 2
        li t0, 1 << 63
        csrw menvcfg, t0
        li t0, 1 << 5
        csrw mideleg, t0
        la t0, strap
        csrw stvec, t0
        csrw sie, t0
        li t0, -1
        csrw stimecmp, t0
        li a0, 1
        jal lower
        csrr t0, sip
        andi t0, t0, 1 << 5
        check t0, 0
        rdtime t0
        addi t0, t0, 300
        csrw stimecmp, t0
        li t0, 1 << 5
        csrw sie, t0
        la s11, 1f
        csrsi sstatus, 2
2:      wfi
        j 2b
1:      check s0, 0x8000000000000005
        li t0, -1
        csrw stimecmp, t0
        csrr t0, sip
        andi t0, t0, 1 << 5
        check t0, 0
        csrw stimecmp, zero             # long ago: pending at once
        csrr t0, sip
        andi t0, t0, 1 << 5
        check t0, 1 << 5
        csrw sie, zero

# a busy loop is interrupted too, many times, and loses nothing
        li s6, 0
        li s7, 0
        la s11, tick
        li t0, 1 << 5
        csrw sie, t0
        csrsi sstatus, 2
        rdtime t0
        addi t0, t0, 100
        csrw stimecmp, t0
3:      addi s6, s6, 1
        addi s8, s6, 1
        sub s9, s8, s6
        li t0, 1
        beq s9, t0, 3b
        j fail
tick:   sub s9, s8, s6                  # s6 and s8 are one apart, or s6 has just counted
        sltiu t0, s9, 2
        check t0, 1
        addi s7, s7, 1
        li t0, 50
        beq s7, t0, 4f
        rdtime t0
        addi t0, t0, 100
        csrw stimecmp, t0
        csrsi sstatus, 2
        j 3b
4:      csrw sie, zero
        j pass
