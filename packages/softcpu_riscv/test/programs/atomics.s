# Atomic memory operations and reservations.

        jal open
        la s0, word

# LR and SC: success, the value, and no second success
        li t0, 5
        sd t0, 0(s0)
        lr.d t1, (s0)
        addi t1, t1, 1
        sc.d t2, t1, (s0)
        check t2, 0
        ld t0, 0(s0)
        check t0, 6
        sc.d t2, zero, (s0)
        snez t2, t2
        check t2, 1
        ld t0, 0(s0)
        check t0, 6

# SC elsewhere fails, and the reservation is gone
        lr.w t1, (s0)
        addi t3, s0, 64
        sc.w t2, t1, (t3)
        snez t2, t2
        check t2, 1
        sc.w t2, t1, (s0)
        snez t2, t2
        check t2, 1

# a counter by LR and SC, and one by AMOs
        sd zero, 0(s0)
        li s1, 1000
1:      lr.d.aq t0, (s0)
        addi t0, t0, 3
        sc.d.rl t1, t0, (s0)
        bnez t1, 1b
        addi t2, s0, 8
        li t3, 7
        amoadd.d x0, t3, (t2)
        addi s1, s1, -1
        bnez s1, 1b
        ld t0, 0(s0)
        check t0, 3000
        ld t0, 8(s0)
        check t0, 7000

# every operation, on a word beside another: old value sign-extended, neighbour untouched
        li t0, 0x1122334480000001
        sd t0, 0(s0)
        li t1, 0x0f0f0f0f
        amoxor.w t2, t1, (s0)
        check t2, 0xffffffff80000001
        ld t0, 0(s0)
        check t0, 0x112233448f0f0f0e
        amoand.w t2, t1, (s0)
        check t2, 0xffffffff8f0f0f0e
        lwu t0, 0(s0)
        check t0, 0x0f0f0f0e
        li t1, 0xf0000000
        amoor.w t2, t1, (s0)
        lwu t0, 0(s0)
        check t0, 0xff0f0f0e
        li t1, 1
        amomin.w t2, t1, (s0)           # signed: the value is negative
        lwu t0, 0(s0)
        check t0, 0xff0f0f0e
        amominu.w t2, t1, (s0)
        lwu t0, 0(s0)
        check t0, 1
        li t1, -1
        amomax.w t2, t1, (s0)
        lwu t0, 0(s0)
        check t0, 1
        amomaxu.w t2, t1, (s0)
        lwu t0, 0(s0)
        check t0, 0xffffffff
        li t1, 0x123456789
        amoadd.w t2, t1, (s0)
        check t2, -1
        lwu t0, 0(s0)
        check t0, 0x23456788
        amoswap.w t2, zero, (s0)
        check t2, 0x23456788
        ld t0, 0(s0)
        check t0, 0x1122334400000000
        li t1, -5
        amomin.d t2, t1, (s0)
        ld t0, 0(s0)
        check t0, -5
        amominu.d t2, s0, (s0)
        ld t0, 0(s0)
        check_address t0, word
        amomaxu.d t2, t1, (s0)
        amoswap.d t2, t2, (s0)          # rd is also the source
        check t2, -5
        ld t0, 0(s0)
        check_address t0, word
        amoadd.d s0, s0, (s0)           # rd is also the address
        la t1, word
        sub t0, s0, t1
        check t0, 0
        slli t1, t1, 1
        ld t0, word
        sub t0, t0, t1
        check t0, 0
        j pass

        .balign 64
word:   .zero 128
