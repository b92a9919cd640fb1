/* Sends itself an interrupt through the GICv3 of the board `virt` and waits until it was taken. */
#include "bench.h"
#include "gic_aarch64.h"

volatile uint64_t taken;

uint64_t kernel(void)
{
    gic_distributor();
    gic_redistributor(0);
    WRITE("vbar_el1", vectors);
    __asm__ volatile(GIC_CPU_INTERFACE "msr daifclr, #2" : : : "x0");
    for (uint64_t i = 0; i < 100000ul * SCALE; i++) {
        WRITE(ICC_SGI1R_EL1, 1); /* SGI 0 to CPU 0 of the first cluster */
        while (taken == i)
            ;
    }
    return mix(0, taken);
}
