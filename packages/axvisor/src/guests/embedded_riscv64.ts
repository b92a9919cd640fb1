/** The embedded guest: a small supervisor-mode kernel for RISC-V, assembled from its source on first use. */

import { assemble } from '@axvisor/softcpu_riscv/asm';
import { shellTexts } from './embedded/commands.ts';
import * as boot from './embedded_riscv64/boot.ts';
import * as console from './embedded_riscv64/console.ts';
import * as fdt from './embedded_riscv64/fdt.ts';
import { bss, constants } from './embedded_riscv64/layout.ts';
import * as pages from './embedded_riscv64/pages.ts';
import * as paging from './embedded_riscv64/paging.ts';
import * as sbi from './embedded_riscv64/sbi.ts';
import * as shell from './embedded_riscv64/shell.ts';
import * as smp from './embedded_riscv64/smp.ts';
import * as strings from './embedded_riscv64/strings.ts';
import * as trap from './embedded_riscv64/trap.ts';
import * as trapCommand from './embedded_riscv64/trap_command.ts';

const code = [boot, sbi, strings, fdt, pages, paging, trap, console, shell, trapCommand, smp].map(({ text }) => text);
const data = [...[boot, fdt, pages, trap, console, trapCommand, smp].map(({ rodata }) => rodata), shellTexts];

/** The kernel's assembly source: one section in GNU syntax, position-independent. */
export const embeddedRiscv64Source: string = [constants, ...code, '        .balign 4096\nrodata_start:', ...data, bss].join('\n');

/** Where the boot protocol puts the kernel on the default board: 2 MiB into RAM. */
export const EMBEDDED_RISCV64_BASE: bigint = 0x8020_0000n;

let image: Uint8Array | undefined;

/**
 * The kernel as a RISC-V Linux boot image: 64-byte header, text_offset 0x200000, entered at its first byte in supervisor mode with the
 * hart ID in a0 and the physical address of the device tree in a1. It needs SBI TIME, IPI, RFENCE, HSM and SRST, Sv39, and an ns16550a
 * with a PLIC or, failing these, the SBI console.
 *
 * @returns the same bytes at every call; callers copy before they change them
 */
export function embeddedRiscv64(): Uint8Array {
  image ??= assemble(embeddedRiscv64Source, { base: EMBEDDED_RISCV64_BASE }).bytes;
  return image;
}
