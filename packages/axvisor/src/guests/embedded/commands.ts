/** The commands of the embedded kernels, whatever their architecture. A table of them is data that both assemblers take. */

/** Name and purpose of each command, in the order of `help`; its code is at `command_<name>`. */
const commands: readonly (readonly [name: string, help: string])[] = [
  ['help', 'list the commands'],
  ['uptime', 'seconds since the start, and timer ticks'],
  ['mem', 'count pages and test the page allocator'],
  ['trap', 'take exceptions on purpose and recover'],
  ['smp', 'start the other CPUs, exchange interrupts, stop them'],
  ['echo', 'repeat the rest of the line'],
  ['reboot', 'reset the machine'],
  ['poweroff', 'switch the machine off'],
];

/** Keys of the command line, and the columns of the table, relative to its start. */
export const shellConstants: string = String.raw`
        .equ    LINE_SIZE, 128
        .equ    KEY_CONTROL_C, 3
        .equ    KEY_BELL, 7
        .equ    KEY_BACKSPACE, 8
        .equ    KEY_CONTROL_U, 21
        .equ    KEY_DELETE, 127
        .equ    COMMAND_NAME, 0
        .equ    COMMAND_ENTRY, 4
        .equ    COMMAND_HELP, 8
        .equ    COMMAND_SIZE, 12
`;

/** The table, and what the shell and the commands without a file of their own print. */
export const shellTexts: string = String.raw`
        .balign 4, 0
commands:
${commands.map(([name]) => `        .long   name_of_${name} - commands, command_${name} - commands, help_of_${name} - commands`).join('\n')}
        .long   0, 0, 0
${commands.map(([name, help]) => `name_of_${name}:\n        .asciz  "${name}"\nhelp_of_${name}:\n        .asciz  "${help}"`).join('\n')}
prompt: .asciz  "axvisor> "
rub_out:
        .asciz  "\b \b"
cancelled:
        .asciz  "^C"
unknown_command:
        .asciz  "%s: unknown command, try help\n"
help_line:
        .asciz  "  %s: %s\n"
uptime: .asciz  "up %u.%u s, %u ticks\n"
mem_pages:
        .asciz  "%u pages of 4 KiB, %u free\n"
mem_good:
        .asciz  "self-test: %u pages written, read in both mappings and freed\n"
mem_bad:
        .asciz  "self-test failed\n"
echo_line:
        .asciz  "%s\n"
rebooting:
        .asciz  "rebooting\n"
powering_off:
        .asciz  "powering off\n"
reset_failed:
        .asciz  "system reset failed, error 0x%x\n"
`;
