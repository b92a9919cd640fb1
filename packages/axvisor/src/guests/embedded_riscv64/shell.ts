/** The command line of the embedded RISC-V kernel: line editing, and the short commands. */
import { shellConstants } from '../embedded/commands.ts';

export const text: string = String.raw`${shellConstants}
shell:
        la      a0, prompt
        call    printf
        call    read_line
        la      s0, line
1:      lbu     t0, (s0)                # skip blanks
        addi    s0, s0, 1
        li      t1, ' '
        beq     t0, t1, 1b
        addi    s0, s0, -1
        beqz    t0, shell
        mv      s1, s0                  # cut the word off
2:      lbu     t0, (s1)
        beqz    t0, 3f
        addi    s1, s1, 1
        li      t1, ' '
        bne     t0, t1, 2b
        sb      zero, -1(s1)
3:      la      s2, commands
4:      lw      t0, COMMAND_ENTRY(s2)
        beqz    t0, 5f
        lw      a1, COMMAND_NAME(s2)
        la      t0, commands
        add     a1, a1, t0
        mv      a0, s0
        call    strcmp
        beqz    a0, 6f
        addi    s2, s2, COMMAND_SIZE
        j       4b
5:      la      a0, unknown_command
        mv      a1, s0
        call    printf
        j       shell
6:      lw      t0, COMMAND_ENTRY(s2)
        la      t1, commands
        add     t0, t0, t1
        mv      a0, s1                  # the rest of the line
        jalr    t0
        j       shell

        # Reads a line into the buffer, echoing it: backspace, control U (whole line), control C (give up), CR, LF or CR LF.
read_line:
        addi    sp, sp, -32
        sd      ra, 24(sp)
        sd      s0, 16(sp)
        sd      s1, 8(sp)
        la      s0, line
        mv      s1, s0
1:      call    getchar
        ld      t1, last_key
        sd      a0, last_key, t2
        li      t0, '\r'
        beq     a0, t0, 8f
        li      t0, '\n'
        bne     a0, t0, 2f
        li      t0, '\r'
        beq     t1, t0, 1b
        j       8f
2:      li      t0, KEY_BACKSPACE
        beq     a0, t0, 4f
        li      t0, KEY_DELETE
        beq     a0, t0, 4f
        li      t0, KEY_CONTROL_U
        beq     a0, t0, 5f
        li      t0, KEY_CONTROL_C
        beq     a0, t0, 7f
        li      t0, ' '
        bltu    a0, t0, 1b
        addi    t0, s0, LINE_SIZE - 1
        bgeu    s1, t0, 6f
        sb      a0, (s1)
        addi    s1, s1, 1
3:      call    putchar
        j       1b
4:      beq     s1, s0, 6f
        addi    s1, s1, -1
        la      a0, rub_out
        call    put_string
        j       1b
5:      beq     s1, s0, 1b
        addi    s1, s1, -1
        la      a0, rub_out
        call    put_string
        j       5b
6:      li      a0, KEY_BELL
        j       3b
7:      mv      s1, s0
        la      a0, cancelled
        call    put_string
8:      sb      zero, (s1)
        li      a0, '\n'
        call    putchar
        ld      ra, 24(sp)
        ld      s0, 16(sp)
        ld      s1, 8(sp)
        addi    sp, sp, 32
        ret

command_help:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        sd      s0, (sp)
        la      s0, commands
1:      lw      t0, COMMAND_ENTRY(s0)
        beqz    t0, 2f
        la      t0, commands
        lw      a1, COMMAND_NAME(s0)
        add     a1, a1, t0
        lw      a2, COMMAND_HELP(s0)
        add     a2, a2, t0
        la      a0, help_line
        call    printf
        addi    s0, s0, COMMAND_SIZE
        j       1b
2:      ld      ra, 8(sp)
        ld      s0, (sp)
        addi    sp, sp, 16
        ret

command_uptime:
        rdtime  a1
        ld      t0, boot_time
        sub     a1, a1, t0
        ld      t0, timebase
        remu    a2, a1, t0
        divu    a1, a1, t0
        li      t1, 10
        mul     a2, a2, t1
        divu    a2, a2, t0
        ld      a3, ticks
        la      a0, uptime
        j       printf

command_mem:
        addi    sp, sp, -16
        sd      ra, 8(sp)
        ld      a1, ram_size
        srli    a1, a1, 12
        ld      a2, page_free_count
        la      a0, mem_pages
        call    printf
        call    page_self_test
        la      t0, mem_bad
        bnez    a0, 1f
        la      t0, mem_good
1:      mv      a0, t0
        li      a1, TEST_PAGES
        call    printf
        ld      ra, 8(sp)
        addi    sp, sp, 16
        ret

        # a0: the rest of the line
command_echo:
        mv      a1, a0
        la      a0, echo_line
        j       printf

command_reboot:
        la      a0, rebooting
        li      a1, 1
        j       1f
command_poweroff:
        la      a0, powering_off
        li      a1, 0
1:      addi    sp, sp, -16
        sd      ra, 8(sp)
        sd      a1, (sp)
        call    printf
        ld      a0, (sp)
        li      a1, 0
        call    sbi_system_reset
        mv      a1, a0                  # only an error comes back
        la      a0, reset_failed
        call    printf
        ld      ra, 8(sp)
        addi    sp, sp, 16
        ret
`;
