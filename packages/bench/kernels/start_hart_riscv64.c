/* Starts another hart, which stops itself (SBI 2.0, chapter 9), again and again. */
#include "bench.h"
#include "sbi_riscv64.h"

#define HSM 0x48534d
#define STOPPED 1

extern uint64_t boot_hart;
static volatile uint64_t started;

/* A hart starts with a0 = its id and a1 = what the starter said: here the address to count at. */
__attribute__((naked)) static void other_hart(void)
{
    __asm__ volatile("li t0, 1\n"
                     "amoadd.d zero, t0, (a1)\n"
                     "li a7, 0x48534d\n"
                     "li a6, 1\n"
                     "ecall\n"
                     "1: j 1b\n");
}

uint64_t kernel(void)
{
    long other = boot_hart == 0;
    for (uint64_t i = 0; i < 2000ul * SCALE; i++) {
        sbi_call(HSM, 0, other, (long)other_hart, (long)&started);
        while (sbi_call(HSM, 2, other, 0, 0).value != STOPPED || started == i)
            ;
    }
    return mix(0, started);
}
