/** The embedded guest for Arm: a small kernel at EL1, assembled from its source on first use. */

import { assemble } from '@axvisor/softcpu_arm/asm';
import { shellTexts } from './embedded/commands.ts';
import * as boot from './embedded_aarch64/boot.ts';
import * as console from './embedded_aarch64/console.ts';
import * as fdt from './embedded_aarch64/fdt.ts';
import * as gic from './embedded_aarch64/gic.ts';
import { bss, constants } from './embedded_aarch64/layout.ts';
import * as pages from './embedded_aarch64/pages.ts';
import * as paging from './embedded_aarch64/paging.ts';
import * as shell from './embedded_aarch64/shell.ts';
import * as smp from './embedded_aarch64/smp.ts';
import * as strings from './embedded_aarch64/strings.ts';
import * as trap from './embedded_aarch64/trap.ts';
import * as trapCommand from './embedded_aarch64/trap_command.ts';

const code = [boot, strings, fdt, pages, paging, gic, trap, console, shell, trapCommand, smp].map(({ text }) => text);
const data = [...[boot, fdt, pages, trap, console, trapCommand, smp].map(({ rodata }) => rodata), shellTexts];

/** The kernel's assembly source: one section in GNU syntax, position-independent. */
export const embeddedAarch64Source: string = [constants, ...code, '        .balign 4096\nrodata_start:', ...data, bss].join('\n');

/** Where the boot protocol puts the kernel on the default board: 2 MiB into RAM. */
export const EMBEDDED_AARCH64_BASE: bigint = 0x4020_0000n;

let image: Uint8Array | undefined;

/**
 * The kernel as an arm64 Linux boot image: 64-byte header, entered at its first byte at EL1 with the physical address of the device tree in x0.
 * It needs PSCI 0.2, a GICv3 or GICv2, the generic timer and a PL011.
 *
 * @returns the same bytes at every call; callers copy before they change them
 */
export function embeddedAarch64(): Uint8Array {
  image ??= assemble(embeddedAarch64Source, { base: EMBEDDED_AARCH64_BASE }).bytes;
  return image;
}
