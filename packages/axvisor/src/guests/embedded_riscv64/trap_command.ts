/** The command `trap` of the embedded RISC-V kernel: provokes exceptions, each with a place to go on, and reports what the CSRs said. */

/** Code that must trap, before the label at which the kernel goes on; the name is what the manual calls the cause. */
const provocations: readonly (readonly [label: string, name: string, cause: number, code: string])[] = [
  ['illegal', 'illegal instruction', 2, '.word   0xffffffff'],
  ['breakpoint', 'breakpoint', 3, 'ebreak'],
  ['load_fault', 'load page fault', 13, 'li      a0, 0x1000000008\n        ld      a0, (a0)'],
  ['store_fault', 'store/AMO page fault', 15, 'la      a0, rodata_start\n        sd      zero, (a0)'],
  ['fetch_fault', 'instruction page fault', 12, 'la      a0, bss_start\n        jr      a0'],
];

export const text: string = String.raw`
command_trap:
        addi    sp, sp, -16
        sd      ra, 8(sp)
${provocations
  .map(
    ([label, , cause, code]) => `        la      t0, after_${label}
        sd      t0, HART_RESUME(tp)
        ${code}
after_${label}:
        la      a0, name_of_${label}
        li      a1, ${cause}
        call    report_trap`,
  )
  .join('\n')}
        ld      ra, 8(sp)
        addi    sp, sp, 16
        ret

        # a0: name, a1: the cause there should have been
report_trap:
        mv      t0, a1
        mv      a1, a0
        ld      a2, HART_CAUSE(tp)
        ld      a3, HART_EPC(tp)
        ld      a4, HART_TVAL(tp)
        la      a0, trap_recovered
        ld      t1, HART_RESUME(tp)     # still set if nothing was taken
        sd      zero, HART_RESUME(tp)
        bnez    t1, 1f
        beq     a2, t0, 2f
1:      la      a0, trap_missed
2:      sd      zero, HART_CAUSE(tp)
        j       printf
`;

export const rodata: string = String.raw`
${provocations.map(([label, name]) => `name_of_${label}:\n        .asciz  "${name}"`).join('\n')}
trap_recovered:
        .asciz  "%s: scause %u sepc 0x%x stval 0x%x, recovered\n"
trap_missed:
        .asciz  "%s: not taken as it should be: scause %u sepc 0x%x stval 0x%x\n"
`;
