/** Calls of the supervisor binary interface (RISC-V SBI 2.0): every function takes its arguments in a0.. and returns error and value in a0, a1. */

export const text: string = String.raw`
        .equ    SBI_BASE, 0x10
        .equ    SBI_TIME, 0x54494d45
        .equ    SBI_IPI, 0x735049
        .equ    SBI_RFENCE, 0x52464e43
        .equ    SBI_HSM, 0x48534d
        .equ    SBI_SRST, 0x53525354
        .equ    SBI_DBCN, 0x4442434e
        .equ    SBI_LEGACY_PUTCHAR, 1
        .equ    SBI_LEGACY_GETCHAR, 2
        .equ    HSM_STOPPED, 1

        # a0: extension; a1 is then nonzero if it is there.
sbi_probe:
        li      a7, SBI_BASE
        li      a6, 3
        ecall
        ret

        # a0: time of the next timer interrupt
sbi_set_timer:
        li      a7, SBI_TIME
        li      a6, 0
        ecall
        ret

        # a0: hart ID
sbi_send_ipi:
        mv      a1, a0
        li      a0, 1
        li      a7, SBI_IPI
        li      a6, 0
        ecall
        ret

        # sfence.vma for everything on all harts
sbi_remote_sfence_vma:
        li      a0, 0
        li      a1, -1                  # every hart
        li      a2, 0
        li      a3, -1                  # every address
        li      a7, SBI_RFENCE
        li      a6, 1
        ecall
        ret

        # a0: hart ID, a1: physical address to start at, a2: what it finds in a1
sbi_hart_start:
        li      a7, SBI_HSM
        li      a6, 0
        ecall
        ret

        # does not return but with an error
sbi_hart_stop:
        li      a7, SBI_HSM
        li      a6, 1
        ecall
        ret

        # a0: hart ID; the state is in a1
sbi_hart_status:
        li      a7, SBI_HSM
        li      a6, 2
        ecall
        ret

        # a0: 0 shutdown, 1 cold reboot; a1: reason
sbi_system_reset:
        li      a7, SBI_SRST
        li      a6, 0
        ecall
        ret

        # a0: string at a physical address; by the debug console, or by the legacy call where that is missing
sbi_puts:
        addi    sp, sp, -32
        sd      ra, 24(sp)
        sd      s0, 16(sp)
        mv      s0, a0
        li      a0, SBI_DBCN
        call    sbi_probe
        beqz    a1, 3f
        mv      a0, s0
        call    strlen
1:      beqz    a0, 4f
        sd      a0, (sp)
        mv      a1, s0
        li      a2, 0
        li      a7, SBI_DBCN
        li      a6, 0
        ecall
        bnez    a0, 4f
        ld      a0, (sp)                # what was not taken is offered again
        add     s0, s0, a1
        sub     a0, a0, a1
        j       1b
2:      li      a7, SBI_LEGACY_PUTCHAR
        ecall
        addi    s0, s0, 1
3:      lbu     a0, (s0)
        bnez    a0, 2b
4:      ld      ra, 24(sp)
        ld      s0, 16(sp)
        addi    sp, sp, 32
        ret

        # a0: character
sbi_putchar:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        andi    a0, a0, 0xff            # a string of one character
        sd      a0, (sp)
        mv      a0, sp
        call    sbi_puts
        ld      ra, 8(sp)
        addi    sp, sp, 16
        ret

        # returns a character in a0, or a negative number if there is none
sbi_getchar:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        li      a0, SBI_DBCN
        call    sbi_probe
        beqz    a1, 1f
        li      a0, 1
        mv      a1, sp
        li      a2, 0
        li      a7, SBI_DBCN
        li      a6, 1
        ecall
        li      t0, 1
        lbu     a0, (sp)
        beq     a1, t0, 2f
        li      a0, -1
        j       2f
1:      li      a7, SBI_LEGACY_GETCHAR
        ecall
2:      ld      ra, 8(sp)
        addi    sp, sp, 16
        ret
`;
