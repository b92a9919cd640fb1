/** The command `smp` of the embedded RISC-V kernel: starts the other harts, exchanges interprocessor interrupts and stops the harts (SBI: HSM, IPI, RFENCE). */

export const text: string = String.raw`
        .equ    ROUNDS, 100

command_smp:
        addi    sp, sp, -64
        sd      ra, 56(sp)
        sd      s0, 48(sp)
        sd      s1, 40(sp)
        sd      s2, 32(sp)
        sd      s3, 24(sp)
        sd      s4, 16(sp)
        sd      s5, 8(sp)
        li      t0, SIE_SSIE
        csrs    sie, t0
        la      s0, harts
        ld      t0, hart_count
        slli    t0, t0, 7
        add     s1, s0, t0              # the end
        li      s4, 0                   # harts started
        sd      zero, pongs, t0

        # Start every hart that is stopped and wait until it says so.
        mv      s2, s0
1:      bgeu    s2, s1, 3f
        beq     s2, tp, 2f
        ld      a0, HART_ID(s2)
        call    sbi_hart_status
        li      t0, HSM_STOPPED
        bnez    a0, 9f
        bne     a1, t0, 9f
        sd      zero, HART_PINGS(s2)
        sd      zero, HART_STOP(s2)
        fence   rw, rw
        ld      a0, HART_ID(s2)
        la      a1, secondary_start
        mv      a2, s2
        call    sbi_hart_start
        bnez    a0, 9f
        mv      a0, s2
        li      a1, HART_ONLINE
        li      a2, 1
        call    wait_field
        bnez    a0, 9f
        addi    s4, s4, 1
        j       2f
9:      la      a0, smp_not_started
        ld      a1, HART_ID(s2)
        call    printf
2:      addi    s2, s2, HART_SIZE
        j       1b
3:      bnez    s4, 1f
        la      a0, smp_alone
        call    printf
        j       8f
1:      call    sbi_remote_sfence_vma
        mv      a1, a0
        la      a0, smp_fence
        call    printf

        # Round after round: an interrupt to each hart, and one back from it.
        rdtime  s3
        li      s5, ROUNDS
4:      mv      s2, s0
5:      bgeu    s2, s1, 7f
        beq     s2, tp, 6f
        ld      t0, HART_ONLINE(s2)
        beqz    t0, 6f
        ld      a2, HART_PINGS(s2)
        addi    a2, a2, 1
        sd      a2, (sp)
        ld      a0, HART_ID(s2)
        call    sbi_send_ipi
        ld      a2, (sp)
        mv      a0, s2
        li      a1, HART_PINGS
        call    wait_field
        beqz    a0, 6f
        la      a0, smp_no_answer
        ld      a1, HART_ID(s2)
        call    printf
6:      addi    s2, s2, HART_SIZE
        j       5b
7:      addi    s5, s5, -1
        bnez    s5, 4b
        rdtime  t0
        sub     a3, t0, s3
        li      t0, 1000000
        mul     a3, a3, t0
        ld      t0, timebase
        divu    a3, a3, t0
        li      a1, ROUNDS
        mv      a2, s4
        ld      a4, pongs
        la      a0, smp_rounds
        call    printf

        # Stop them again, so that they cost nothing.
        mv      s2, s0
1:      bgeu    s2, s1, 8f
        beq     s2, tp, 3f
        ld      t0, HART_ONLINE(s2)
        beqz    t0, 3f
        la      a0, smp_pings
        ld      a1, HART_ID(s2)
        ld      a2, HART_PINGS(s2)
        call    printf
        li      t0, 1
        sd      t0, HART_STOP(s2)
        fence   rw, rw
        ld      a0, HART_ID(s2)
        call    sbi_send_ipi
        mv      a0, s2
        call    wait_stopped
        la      t0, smp_stopped
        beqz    a0, 2f
        la      t0, smp_not_stopped
2:      mv      a0, t0
        ld      a1, HART_ID(s2)
        call    printf
3:      addi    s2, s2, HART_SIZE
        j       1b
8:      ld      ra, 56(sp)
        ld      s0, 48(sp)
        ld      s1, 40(sp)
        ld      s2, 32(sp)
        ld      s3, 24(sp)
        ld      s4, 16(sp)
        ld      s5, 8(sp)
        addi    sp, sp, 64
        ret

        # Waits until field a1 of the record a0 is a2, for ten seconds at most; returns 0 if it is. The timer tick ends a wait that nothing else ends.
wait_field:
        add     a0, a0, a1
        ld      t3, ticks
        addi    t3, t3, 100
1:      csrci   sstatus, SSTATUS_SIE
        ld      t0, (a0)
        beq     t0, a2, 2f
        wfi
        csrsi   sstatus, SSTATUS_SIE
        ld      t0, ticks
        bltu    t0, t3, 1b
        li      a0, 1
        ret
2:      csrsi   sstatus, SSTATUS_SIE
        fence   rw, rw
        li      a0, 0
        ret

        # Waits until SBI reports the hart with the record a0 stopped; returns 0 if it does.
wait_stopped:
        addi    sp, sp, -32
        sd      ra, 24(sp)
        sd      s0, 16(sp)
        sd      s1, 8(sp)
        ld      s0, HART_ID(a0)
        ld      s1, ticks
        addi    s1, s1, 100
1:      mv      a0, s0
        call    sbi_hart_status
        li      t0, HSM_STOPPED
        li      t1, 0
        beq     a1, t0, 2f
        ld      t0, ticks
        li      t1, 1
        bltu    t0, s1, 1b
2:      mv      a0, t1
        ld      ra, 24(sp)
        ld      s0, 16(sp)
        ld      s1, 8(sp)
        addi    sp, sp, 32
        ret

        # The way in for the other harts: a0: hart ID, a1: record; untranslated, interrupts off.
secondary_start:
        csrw    sie, zero
        csrci   sstatus, SSTATUS_SIE
        mv      tp, a1
        call    hart_stack
        mv      sp, a0
        la      t0, trap_entry
        csrw    stvec, t0
        call    paging_on
        la      a0, smp_online
        ld      a1, HART_ID(tp)
        call    printf
        li      t0, SIE_SSIE
        csrs    sie, t0
        li      t0, 1
        sd      t0, HART_ONLINE(tp)
        call    wake_first
1:      csrci   sstatus, SSTATUS_SIE
        ld      t0, HART_STOP(tp)
        bnez    t0, 2f
        wfi
        csrsi   sstatus, SSTATUS_SIE
        j       1b
2:      sd      zero, HART_ONLINE(tp)
        csrw    sie, zero
        csrw    satp, zero
        sfence.vma
        call    sbi_hart_stop
        la      a0, stop_failed
        j       fatal

        # An interrupt to the hart that runs the shell.
wake_first:
        ld      a0, first_hart
        j       sbi_send_ipi

        # The first hart counts what comes back, in which answers that coincide are one; the others count and answer.
software_interrupt:
        csrci   sip, 1 << 1
        ld      t0, first_hart
        ld      t1, HART_ID(tp)
        beq     t0, t1, 1f
        ld      t0, HART_STOP(tp)
        bnez    t0, 2f
        ld      t0, HART_PINGS(tp)
        addi    t0, t0, 1
        fence   rw, rw
        sd      t0, HART_PINGS(tp)
        j       wake_first
1:      ld      t0, pongs
        addi    t0, t0, 1
        sd      t0, pongs, t1
2:      ret
`;

export const rodata: string = String.raw`
smp_online:
        .asciz  "hart %u online\n"
smp_not_started:
        .asciz  "hart %u does not start\n"
smp_alone:
        .asciz  "no other hart\n"
smp_fence:
        .asciz  "remote fence, error %u\n"
smp_no_answer:
        .asciz  "hart %u does not answer\n"
smp_rounds:
        .asciz  "%u rounds with %u harts in %u us, %u interrupts came back\n"
smp_pings:
        .asciz  "hart %u took %u interrupts\n"
smp_stopped:
        .asciz  "hart %u stopped\n"
smp_not_stopped:
        .asciz  "hart %u does not stop\n"
stop_failed:
        .asciz  "fatal: hart_stop came back\r\n"
`;
