/** The command `trap` of the embedded kernel for PCs: provokes exceptions, each with a place to go on, and reports what was pushed. */

/** Code that must trap, before the label at which the kernel goes on; the vector is that of the SDM, vol. 3, table 6-1. */
const provocations: readonly (readonly [label: string, name: string, vector: number, code: string])[] = [
  ['undefined', 'invalid opcode', 6, 'ud2'],
  ['breakpoint', 'breakpoint', 3, 'int3'],
  ['load_fault', 'load from nowhere', 14, 'mov     rax, 0x10000000000\n        mov     rax, [rax + 8]'],
  ['store_fault', 'store to a constant', 14, 'mov     dword ptr [rip + rodata_start], 0'],
  ['fetch_fault', 'jump to data', 14, 'lea     rax, [rip + bss_start]\n        jmp     rax'],
];

export const text: string = String.raw`
command_trap:
${provocations
  .map(
    ([label, , vector, code]) => `        lea     rax, [rip + after_${label}]
        mov     [r15 + CPU_RESUME], rax
        ${code}
after_${label}:
        lea     rsi, [rip + name_of_${label}]
        mov     edi, ${vector}
        call    report_trap`,
  )
  .join('\n')}
        ret

        # rsi: name, edi: the vector there should have been
report_trap:
        mov     edx, edi
        mov     rcx, [r15 + CPU_ERROR]
        mov     r8, [r15 + CPU_RIP]
        mov     r9, [r15 + CPU_CR2]
        lea     rdi, [rip + trap_missed]
        cmp     qword ptr [r15 + CPU_RESUME], 0        # still set if nothing was taken
        mov     qword ptr [r15 + CPU_RESUME], 0
        jne     .Lreport
        cmp     rdx, [r15 + CPU_VECTOR]
        jne     .Lreport
        lea     rdi, [rip + trap_recovered]
.Lreport:
        mov     rdx, [r15 + CPU_VECTOR]
        mov     qword ptr [r15 + CPU_VECTOR], 0
        jmp     printf
`;

export const rodata: string = String.raw`
${provocations.map(([label, name]) => `name_of_${label}:\n        .asciz  "${name}"`).join('\n')}
trap_recovered:
        .asciz  "%s: vector %u error 0x%x RIP 0x%x CR2 0x%x, recovered\n"
trap_missed:
        .asciz  "%s: not taken as it should be: vector %u error 0x%x RIP 0x%x CR2 0x%x\n"
`;
