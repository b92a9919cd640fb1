/** The command line of the embedded Arm kernel: line editing, and the short commands. */
import { shellConstants } from '../embedded/commands.ts';

export const text: string = String.raw`${shellConstants}
shell:
        adr     x0, prompt
        bl      printf
        bl      read_line
        adr     x19, line
1:      ldrb    w0, [x19], 1            // skip blanks
        cmp     w0, ' '
        b.eq    1b
        sub     x19, x19, 1
        cbz     w0, shell
        mov     x20, x19                // cut the word off
2:      ldrb    w0, [x20]
        cbz     w0, 3f
        add     x20, x20, 1
        cmp     w0, ' '
        b.ne    2b
        strb    wzr, [x20, -1]
3:      adr     x22, commands
        mov     x21, x22
4:      ldr     w0, [x21, COMMAND_ENTRY]
        cbz     w0, 5f
        ldrsw   x1, [x21, COMMAND_NAME]
        add     x1, x1, x22
        mov     x0, x19
        bl      strcmp
        cbz     x0, 6f
        add     x21, x21, COMMAND_SIZE
        b       4b
5:      adr     x0, unknown_command
        mov     x1, x19
        bl      printf
        b       shell
6:      ldrsw   x1, [x21, COMMAND_ENTRY]
        add     x1, x1, x22
        mov     x0, x20                 // the rest of the line
        blr     x1
        b       shell

        // Reads a line into the buffer, echoing it: backspace, control U (whole line), control C (give up), CR, LF or CR LF.
read_line:
        stp     x30, x19, [sp, -32]!
        str     x20, [sp, 16]
        adr     x19, line
        mov     x20, x19
1:      bl      getchar
        ldr     x1, last_key
        adr     x2, last_key
        str     x0, [x2]
        cmp     x0, '\r'
        b.eq    8f
        cmp     x0, '\n'
        b.ne    2f
        cmp     x1, '\r'
        b.eq    1b
        b       8f
2:      cmp     x0, KEY_BACKSPACE
        b.eq    4f
        cmp     x0, KEY_DELETE
        b.eq    4f
        cmp     x0, KEY_CONTROL_U
        b.eq    5f
        cmp     x0, KEY_CONTROL_C
        b.eq    7f
        cmp     x0, ' '
        b.lo    1b
        add     x1, x19, LINE_SIZE - 1
        cmp     x20, x1
        b.hs    6f
        strb    w0, [x20], 1
3:      bl      putchar
        b       1b
4:      cmp     x20, x19
        b.eq    6f
        sub     x20, x20, 1
        adr     x0, rub_out
        bl      put_string
        b       1b
5:      cmp     x20, x19
        b.eq    1b
        sub     x20, x20, 1
        adr     x0, rub_out
        bl      put_string
        b       5b
6:      mov     x0, KEY_BELL
        b       3b
7:      mov     x20, x19
        adr     x0, cancelled
        bl      put_string
8:      strb    wzr, [x20]
        mov     x0, '\n'
        bl      putchar
        ldr     x20, [sp, 16]
        ldp     x30, x19, [sp], 32
        ret

command_help:
        stp     x30, x19, [sp, -16]!
        adr     x19, commands
1:      ldr     w0, [x19, COMMAND_ENTRY]
        cbz     w0, 2f
        adr     x0, commands
        ldrsw   x1, [x19, COMMAND_NAME]
        add     x1, x1, x0
        ldrsw   x2, [x19, COMMAND_HELP]
        add     x2, x2, x0
        adr     x0, help_line
        bl      printf
        add     x19, x19, COMMAND_SIZE
        b       1b
2:      ldp     x30, x19, [sp], 16
        ret

command_uptime:
        mrs     x1, CNTVCT_EL0
        ldr     x0, boot_time
        sub     x1, x1, x0
        mrs     x0, CNTFRQ_EL0
        mov     x3, x1
        udiv    x1, x1, x0
        msub    x2, x1, x0, x3
        mov     x3, 10
        mul     x2, x2, x3
        udiv    x2, x2, x0
        ldr     x3, ticks
        adr     x0, uptime
        b       printf

command_mem:
        str     x30, [sp, -16]!
        ldr     x1, ram_size
        lsr     x1, x1, 12
        ldr     x2, page_free_count
        adr     x0, mem_pages
        bl      printf
        bl      page_self_test
        cmp     x0, 0
        adr     x0, mem_good
        adr     x1, mem_bad
        csel    x0, x0, x1, eq
        mov     x1, TEST_PAGES
        ldr     x30, [sp], 16
        b       printf

        // x0: the rest of the line
command_echo:
        mov     x1, x0
        adr     x0, echo_line
        b       printf

command_reboot:
        adr     x0, rebooting
        adr     x1, psci_system_reset
        b       1f
command_poweroff:
        adr     x0, powering_off
        adr     x1, psci_system_off
1:      stp     x30, x1, [sp, -16]!
        bl      printf
        ldr     x1, [sp, 8]
        blr     x1
        mov     x1, x0                  // only an error comes back
        adr     x0, reset_failed
        ldp     x30, x2, [sp], 16
        b       printf
`;
