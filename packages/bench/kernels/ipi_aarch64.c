/* Interrupts another CPU, which is busy, through the GICv3, and waits until it took notice. */
#include "bench.h"
#include "gic_aarch64.h"
#include "psci_aarch64.h"

#define CPU_ON 0xc4000003

volatile uint64_t taken;
volatile uint64_t ready;

/* Takes interrupts, and counts in `ready` meanwhile. It starts with its MMU off. */
__attribute__((naked)) static void other_cpu(void)
{
    __asm__ volatile("ldr x0, =0x40280000\n" /* for the handler, behind all of this program */
                     "mov sp, x0\n"
                     "ldr x0, =vectors\n"
                     "msr vbar_el1, x0\n" GIC_CPU_INTERFACE
                     "adrp x0, ready\n"
                     "msr daifclr, #2\n"
                     "add x0, x0, #:lo12:ready\n"
                     "1: ldr x2, [x0]\n"
                     "add x2, x2, #1\n"
                     "str x2, [x0]\n"
                     "b 1b\n"
                     ".ltorg\n");
}

uint64_t kernel(void)
{
    gic_distributor();
    gic_redistributor(1);
    __asm__ volatile(GIC_CPU_INTERFACE : : : "x0");
    psci_call(CPU_ON, 1, (long)other_cpu, 0);
    while (!ready)
        ;
    for (uint64_t i = 0; i < 5000ul * SCALE; i++) {
        WRITE(ICC_SGI1R_EL1, 2); /* SGI 0 to CPU 1 of the first cluster */
        while (taken == i)
            ;
    }
    return mix(0, taken);
}
