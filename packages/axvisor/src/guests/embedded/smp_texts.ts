/** What the command `smp` of the embedded kernels prints, where processors are called CPUs. */

export const smpTexts: string = String.raw`
smp_online:
        .asciz  "CPU 0x%x online\n"
smp_not_started:
        .asciz  "CPU 0x%x does not start\n"
smp_alone:
        .asciz  "no other CPU\n"
smp_no_answer:
        .asciz  "CPU 0x%x does not answer\n"
smp_rounds:
        .asciz  "%u rounds with %u CPUs in %u us, %u interrupts came back\n"
smp_pings:
        .asciz  "CPU 0x%x took %u interrupts\n"
smp_stopped:
        .asciz  "CPU 0x%x stopped\n"
smp_not_stopped:
        .asciz  "CPU 0x%x does not stop\n"
`;
