/** The embedded guest for PCs: a small kernel in long mode, assembled from its source on first use. */

import { assemble } from '@axvisor/softcpu_x86/asm';
import { shellTexts } from './embedded/commands.ts';
import * as acpi from './embedded_x86_64/acpi.ts';
import * as apic from './embedded_x86_64/apic.ts';
import * as boot from './embedded_x86_64/boot.ts';
import * as console from './embedded_x86_64/console.ts';
import { bss, constants } from './embedded_x86_64/layout.ts';
import * as pages from './embedded_x86_64/pages.ts';
import * as shell from './embedded_x86_64/shell.ts';
import * as smp from './embedded_x86_64/smp.ts';
import * as strings from './embedded_x86_64/strings.ts';
import * as trap from './embedded_x86_64/trap.ts';
import * as trapCommand from './embedded_x86_64/trap_command.ts';

const code = [boot, acpi, strings, pages, apic, trap, console, shell, trapCommand, smp].map(({ text }) => text);
const data = [...[boot, acpi, trap, trapCommand, smp].map(({ rodata }) => rodata), shellTexts];

/** The kernel's assembly source: one section in Intel's syntax. */
export const embeddedX86_64Source: string = ['        .intel_syntax noprefix', constants, ...code, '        .balign 4096, 0\nrodata_start:', ...data, bss].join('\n');

/** Where its multiboot header says it goes. */
export const EMBEDDED_X86_64_BASE: bigint = 0x10_0000n;

let image: Uint8Array | undefined;

/**
 * The kernel as a multiboot image that gives its addresses itself. It needs ACPI's tables, local APICs, an I/O APIC and a UART at COM1.
 *
 * @returns the same bytes at every call; callers copy before they change them
 */
export function embeddedX86_64(): Uint8Array {
  image ??= assemble(embeddedX86_64Source, { base: EMBEDDED_X86_64_BASE }).bytes;
  return image;
}
