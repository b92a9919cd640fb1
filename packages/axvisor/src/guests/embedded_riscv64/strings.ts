/** Strings, locks and formatted printing for the embedded RISC-V kernel. */

export const text: string = String.raw`
        # a0: string; returns its length
strlen:
        mv      t0, a0
1:      lbu     t1, (t0)
        beqz    t1, 2f
        addi    t0, t0, 1
        j       1b
2:      sub     a0, t0, a0
        ret

        # a0, a1: strings; returns 0 if they are equal
strcmp:
        lbu     t0, (a0)
        lbu     t1, (a1)
        bne     t0, t1, 1f
        addi    a0, a0, 1
        addi    a1, a1, 1
        bnez    t0, strcmp
1:      sub     a0, t0, t1
        ret

        # a0: lock word
lock:
        li      t0, 1
1:      amoswap.w.aq t1, t0, (a0)
        bnez    t1, 1b
        ret

unlock:
        amoswap.w.rl zero, zero, (a0)
        ret

        # a0: format with %s string, %u decimal, %x hexadecimal; a1..a7: arguments. One message of one hart at a time.
printf:
        addi    sp, sp, -112
        sd      ra, 104(sp)
        sd      s0, 96(sp)
        sd      s1, 88(sp)
        sd      s2, 80(sp)
        sd      a1, 0(sp)
        sd      a2, 8(sp)
        sd      a3, 16(sp)
        sd      a4, 24(sp)
        sd      a5, 32(sp)
        sd      a6, 40(sp)
        sd      a7, 48(sp)
        mv      s0, a0
        mv      s1, sp                  # the next argument
        # A trap must not find the lock taken by the code it interrupted.
        csrrci  s2, sstatus, SSTATUS_SIE
        andi    s2, s2, SSTATUS_SIE
        la      a0, console_lock
        call    lock
1:      lbu     a0, (s0)
        beqz    a0, 7f
        addi    s0, s0, 1
        li      t0, '%'
        bne     a0, t0, 5f
        lbu     t1, (s0)
        addi    s0, s0, 1
        ld      a0, (s1)
        addi    s1, s1, 8
        li      t0, 's'
        beq     t1, t0, 2f
        li      a1, 10
        li      t0, 'u'
        beq     t1, t0, 3f
        li      a1, 16
        li      t0, 'x'
        beq     t1, t0, 3f
        j       5f
2:      call    put_string
        j       1b
3:      call    put_number
        j       1b
5:      call    putchar
        j       1b
7:      la      a0, console_lock
        call    unlock
        csrs    sstatus, s2
        ld      ra, 104(sp)
        ld      s0, 96(sp)
        ld      s1, 88(sp)
        ld      s2, 80(sp)
        addi    sp, sp, 112
        ret

put_string:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        sd      s0, (sp)
        mv      s0, a0
1:      lbu     a0, (s0)
        beqz    a0, 2f
        call    putchar
        addi    s0, s0, 1
        j       1b
2:      ld      ra, 8(sp)
        ld      s0, (sp)
        addi    sp, sp, 16
        ret

        # a0: unsigned number, a1: base
put_number:
        addi    sp, sp, -96
        sd      ra, 88(sp)
        addi    t0, sp, 80              # digits from the last one back
        sb      zero, (t0)
1:      remu    t1, a0, a1
        divu    a0, a0, a1
        addi    t1, t1, '0'
        li      t2, '9'
        ble     t1, t2, 2f
        addi    t1, t1, 'a' - '9' - 1
2:      addi    t0, t0, -1
        sb      t1, (t0)
        bnez    a0, 1b
        mv      a0, t0
        call    put_string
        ld      ra, 88(sp)
        addi    sp, sp, 96
        ret
`;
