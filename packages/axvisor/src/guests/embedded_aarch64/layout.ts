/** Constants, the record of a CPU and the uninitialised data of the embedded Arm kernel. */
import { bssSource } from '../embedded/layout.ts';

/** Puts a number into a register, 16 bits at a time. */
export const load = (register: string, value: bigint): string =>
  [0n, 16n, 32n, 48n]
    .map((shift) => ({ shift, part: (value >> shift) & 0xffffn }))
    .filter(({ part, shift }) => part !== 0n || shift === 0n)
    .map(({ shift, part }, i) => `        ${i === 0 ? 'movz' : 'movk'}    ${register}, 0x${part.toString(16)}, lsl ${shift}`)
    .join('\n');

export const constants: string = String.raw`
        .equ    PAGE_SIZE, 4096
        .equ    STACK_SIZE, 4096
        .equ    MAX_CPUS, 32

        // The record of a CPU, to which x28 points while it runs.
        .equ    CPU_ID, 0               // affinity, as MPIDR_EL1 and the device tree count
        .equ    CPU_GIC_MASK, 8         // GICv2: its bit in target lists
        .equ    CPU_ONLINE, 16
        .equ    CPU_PINGS, 24           // interprocessor interrupts taken
        .equ    CPU_STOP, 32            // set to ask the CPU to stop itself
        .equ    CPU_RESUME, 40          // where to go on after an exception; 0: it is unexpected
        .equ    CPU_ESR, 48             // syndrome, address and place of the last expected exception
        .equ    CPU_FAR, 56
        .equ    CPU_ELR, 64
        .equ    CPU_SHIFT, 7
        .equ    CPU_SIZE, 1 << CPU_SHIFT

        .equ    DAIF_I, 2               // of DAIFSet and DAIFClr
`;

const variables: readonly (readonly [name: string, bytes: string])[] = [
  ['boot_time', '8'], ['first_cpu', '8'], ['ticks', '8'], ['tick_interval', '8'],
  ['fdt_start', '8'], ['fdt_size', '8'], ['ram_base', '8'], ['ram_size', '8'], ['cpu_count', '8'], ['psci_smc', '8'],
  ['uart_base', '8'], ['uart_irq', '8'], ['gic_version', '8'], ['gic_base', '8'], ['gic_size', '8'], ['gic_cpu_base', '8'], ['gic_cpu_size', '8'], ['timer_irq', '8'],
  ['initrd_start', '8'], ['initrd_end', '8'], ['fdt_node_props', 'NODE_PROPS * 16'],
  ['lower_table', '8'], ['upper_table', '8'], ['page_next', '8'], ['page_limit', '8'], ['page_list', '8'], ['page_free_count', '8'], ['page_reserved', '32'],
  ['console_lock', '8'], ['console_polled', '8'], ['ring_head', '8'], ['ring_tail', '8'], ['ring', 'RING_SIZE'], ['last_key', '8'], ['line', 'LINE_SIZE'],
  ['pongs', '8'], ['cpus', 'CPU_SIZE * MAX_CPUS'],
];

export const bss: string = bssSource(variables, 'MAX_CPUS');
