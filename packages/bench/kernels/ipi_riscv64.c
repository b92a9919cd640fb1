/* Interrupts another hart, which is busy, through the firmware (SBI 2.0, chapter 7), and waits until it took notice. */
#include "bench.h"
#include "sbi_riscv64.h"

#define HSM 0x48534d

extern uint64_t boot_hart;
static volatile struct { uint64_t taken, ready, work; } other_state;

/* Says that it is ready, takes interrupts and counts them, and works on. It has no gp, but a1 = what the starter said. */
__attribute__((naked)) static void other_hart(void)
{
    __asm__ volatile(".option push\n"
                     ".option norelax\n"
                     "lla t0, 2f\n"
                     ".option pop\n"
                     "csrw stvec, t0\n"
                     "csrsi sie, 2\n" /* SSIE */
                     "csrsi sstatus, 2\n"
                     "li t1, 1\n"
                     "sd t1, 8(a1)\n"
                     "1: ld t2, 16(a1)\n"
                     "addi t2, t2, 1\n"
                     "sd t2, 16(a1)\n"
                     "j 1b\n"
                     ".balign 4\n"
                     "2: csrci sip, 2\n"
                     "amoadd.d zero, t1, (a1)\n"
                     "sret\n");
}

uint64_t kernel(void)
{
    long other = boot_hart == 0;
    sbi_call(HSM, 0, other, (long)other_hart, (long)&other_state);
    while (!other_state.ready)
        ;
    for (uint64_t i = 0; i < 5000ul * SCALE; i++) {
        sbi_call(0x735049, 0, 1, other, 0);
        while (other_state.taken == i)
            ;
    }
    return mix(0, other_state.taken);
}
