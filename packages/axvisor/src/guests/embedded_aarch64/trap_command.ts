/** The command `trap` of the embedded Arm kernel: provokes exceptions, each with a place to go on, and reports what the registers said. */

/** Code that must trap, before the label at which the kernel goes on; the exception class is that of the Arm ARM, D24.2.40. */
const provocations: readonly (readonly [label: string, name: string, exceptionClass: number, code: string])[] = [
  ['undefined', 'undefined instruction', 0x00, '.word   0'],
  ['breakpoint', 'breakpoint', 0x3c, 'brk     7'],
  ['load_abort', 'load from nowhere', 0x25, 'mov     x0, 0x1000000000\n        ldr     x0, [x0, 8]'],
  ['store_abort', 'store to a constant', 0x25, 'adr     x0, rodata_start\n        str     xzr, [x0]'],
  ['fetch_abort', 'jump to data', 0x21, 'adr     x0, bss_start\n        br      x0'],
];

export const text: string = String.raw`
command_trap:
        str     x30, [sp, -16]!
${provocations
  .map(
    ([label, , exceptionClass, code]) => `        adr     x0, after_${label}
        str     x0, [x28, CPU_RESUME]
        ${code}
after_${label}:
        adr     x0, name_of_${label}
        mov     x1, ${exceptionClass}
        bl      report_trap`,
  )
  .join('\n')}
        ldr     x30, [sp], 16
        ret

        // x0: name, x1: the exception class there should have been
report_trap:
        mov     x5, x1
        mov     x1, x0
        ldr     x2, [x28, CPU_ESR]
        ldr     x3, [x28, CPU_ELR]
        ldr     x4, [x28, CPU_FAR]
        adr     x0, trap_recovered
        ldr     x6, [x28, CPU_RESUME]   // still set if nothing was taken
        str     xzr, [x28, CPU_RESUME]
        str     xzr, [x28, CPU_ESR]
        cbnz    x6, 1f
        cmp     x5, x2, lsr 26
        b.eq    printf
1:      adr     x0, trap_missed
        b       printf
`;

export const rodata: string = String.raw`
${provocations.map(([label, name]) => `name_of_${label}:\n        .asciz  "${name}"`).join('\n')}
trap_recovered:
        .asciz  "%s: ESR 0x%x ELR 0x%x FAR 0x%x, recovered\n"
trap_missed:
        .asciz  "%s: not taken as it should be: ESR 0x%x ELR 0x%x FAR 0x%x\n"
`;
