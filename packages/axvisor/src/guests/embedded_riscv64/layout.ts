/** Constants, the per-hart record and the uninitialised data of the embedded RISC-V kernel. */
import { bssSource } from '../embedded/layout.ts';

export const constants: string = String.raw`
        .equ    PAGE_SIZE, 4096
        .equ    MEGAPAGE, 1 << 21
        .equ    STACK_SIZE, 4096
        .equ    MAX_HARTS, 32

        # The record of a hart, to which tp points while it runs.
        .equ    HART_ID, 0              # hart ID as SBI and the device tree count
        .equ    HART_PHANDLE, 8         # of its interrupt controller node
        .equ    HART_ONLINE, 16
        .equ    HART_PINGS, 24          # interprocessor interrupts taken
        .equ    HART_STOP, 32           # set to ask the hart to stop itself
        .equ    HART_RESUME, 40         # where to go on after an exception; 0: it is unexpected
        .equ    HART_CAUSE, 48          # scause, stval and sepc of the last expected exception
        .equ    HART_TVAL, 56
        .equ    HART_EPC, 64
        .equ    HART_SIZE, 128

        .equ    SSTATUS_SIE, 1 << 1
        .equ    SIE_SSIE, 1 << 1
        .equ    SIE_STIE, 1 << 5
        .equ    SIE_SEIE, 1 << 9
`;

const variables: readonly (readonly [name: string, bytes: string])[] = [
  ['boot_time', '8'], ['first_hart', '8'], ['ticks', '8'], ['tick_interval', '8'],
  ['fdt_start', '8'], ['fdt_size', '8'], ['ram_base', '8'], ['ram_size', '8'], ['timebase', '8'], ['hart_count', '8'],
  ['uart_base', '8'], ['uart_irq', '8'], ['plic_base', '8'], ['plic_size', '8'], ['plic_extended', '16'], ['plic_context', '8'],
  ['initrd_start', '8'], ['initrd_end', '8'], ['fdt_node_props', 'NODE_PROPS * 16'],
  ['root_table', '8'], ['page_next', '8'], ['page_limit', '8'], ['page_list', '8'], ['page_free_count', '8'], ['page_reserved', '32'], ['page_lock', '8'],
  ['console_lock', '8'], ['console_polled', '8'], ['ring_head', '8'], ['ring_tail', '8'], ['ring', 'RING_SIZE'], ['last_key', '8'], ['line', 'LINE_SIZE'],
  ['pongs', '8'], ['harts', 'HART_SIZE * MAX_HARTS'],
];

export const bss: string = bssSource(variables, 'MAX_HARTS');
