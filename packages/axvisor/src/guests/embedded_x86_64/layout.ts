/** Constants, the record of a CPU and the uninitialised data of the embedded kernel for PCs. */
import { bssSource } from '../embedded/layout.ts';

export const constants: string = String.raw`
        .equ    PAGE_SIZE, 4096
        .equ    STACK_SIZE, 4096
        .equ    MAX_CPUS, 32
        .equ    UPPER_HALF, 0xffff800000000000  # where memory is mapped once more

        # The record of a CPU, to which r15 points while it runs.
        .equ    CPU_ID, 0               # of its local APIC
        .equ    CPU_ONLINE, 8
        .equ    CPU_PINGS, 16           # interprocessor interrupts taken
        .equ    CPU_STOP, 24            # set to ask the CPU to stop itself
        .equ    CPU_RESUME, 32          # where to go on after an exception; 0: it is unexpected
        .equ    CPU_VECTOR, 40          # vector, error code, place and CR2 of the last expected exception
        .equ    CPU_ERROR, 48
        .equ    CPU_RIP, 56
        .equ    CPU_CR2, 64
        .equ    CPU_SHIFT, 7
        .equ    CPU_SIZE, 1 << CPU_SHIFT

        .equ    SELECTOR_CODE32, 8      # in the GDT
        .equ    SELECTOR_DATA, 16
        .equ    SELECTOR_CODE64, 24

        .equ    VECTOR_TIMER, 32        # interrupts, behind the exceptions
        .equ    VECTOR_CONSOLE, 33
        .equ    VECTOR_PING, 34
        .equ    VECTOR_SPURIOUS, 47
        .equ    VECTORS, 48
`;

const variables: readonly (readonly [name: string, bytes: string])[] = [
  // Tables first, for they begin at a page.
  ['top_table', 'PAGE_SIZE'], ['pointer_table', 'PAGE_SIZE'], ['directories', '4 * PAGE_SIZE'], ['first_pages', 'PAGE_SIZE'], ['idt', '16 * VECTORS'], ['small_stack', '256'],
  ['multiboot_info', '8'], ['boot_time', '8'], ['first_cpu', '8'], ['ticks', '8'], ['tsc_hz', '8'], ['apic_timer_hz', '8'],
  ['ram_size', '8'], ['cpu_count', '8'], ['io_apic', '8'], ['pm_control', '8'], ['pm_timer', '8'], ['initrd_start', '8'], ['initrd_end', '8'],
  ['page_next', '8'], ['page_limit', '8'], ['page_list', '8'], ['page_free_count', '8'],
  ['console_lock', '8'], ['ring_head', '8'], ['ring_tail', '8'], ['ring', 'RING_SIZE'], ['last_key', '8'], ['input_line', 'LINE_SIZE'],
  ['pongs', '8'], ['cpus', 'CPU_SIZE * MAX_CPUS'],
];

export const bss: string = bssSource(variables, 'MAX_CPUS');
