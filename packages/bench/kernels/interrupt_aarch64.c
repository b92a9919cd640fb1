/* Sends itself an interrupt through the GICv3 (IHI0069) of the board `virt` and waits until it was taken. */
#include "bench.h"

#define GICD_CTLR (*(volatile uint32_t *)0x08000000)
#define GICR_WAKER (*(volatile uint32_t *)0x080a0014)
#define GICR_IGROUPR0 (*(volatile uint32_t *)0x080b0080)
#define GICR_ISENABLER0 (*(volatile uint32_t *)0x080b0100)
#define PROCESSOR_SLEEP 2u
#define CHILDREN_ASLEEP 4u

#define ICC_PMR_EL1 "S3_0_C4_C6_0"
#define ICC_SRE_EL1 "S3_0_C12_C12_5"
#define ICC_IGRPEN1_EL1 "S3_0_C12_C12_7"
#define ICC_IAR1_EL1 "S3_0_C12_C12_0"
#define ICC_EOIR1_EL1 "S3_0_C12_C12_1"
#define ICC_SGI1R_EL1 "S3_0_C12_C11_5"

#define WRITE(name, value) __asm__ volatile("msr " name ", %0" : : "r"((uint64_t)(value)))

volatile uint64_t taken;

/* At the place of an IRQ from the current exception level; no other exception comes. */
__attribute__((naked, aligned(2048))) static void vectors(void)
{
    __asm__ volatile(".space 0x280\n"
                     "stp x0, x1, [sp, #-16]!\n"
                     "mrs x0, " ICC_IAR1_EL1 "\n"
                     "msr " ICC_EOIR1_EL1 ", x0\n"
                     "adrp x0, taken\n"
                     "ldr x1, [x0, #:lo12:taken]\n"
                     "add x1, x1, #1\n"
                     "str x1, [x0, #:lo12:taken]\n"
                     "ldp x0, x1, [sp], #16\n"
                     "eret\n");
}

uint64_t kernel(void)
{
    WRITE("vbar_el1", vectors);
    WRITE(ICC_SRE_EL1, 1);
    __asm__ volatile("isb");
    GICD_CTLR = 0x12; /* ARE_NS, EnableGrp1NS: one security state is seen */
    GICR_WAKER &= ~PROCESSOR_SLEEP;
    while (GICR_WAKER & CHILDREN_ASLEEP)
        ;
    GICR_IGROUPR0 = 0xffffffff;
    GICR_ISENABLER0 = 1;
    WRITE(ICC_PMR_EL1, 0xff);
    WRITE(ICC_IGRPEN1_EL1, 1);
    __asm__ volatile("isb\nmsr daifclr, #2");
    for (uint64_t i = 0; i < 100000ul * SCALE; i++) {
        WRITE(ICC_SGI1R_EL1, 1); /* SGI 0 to CPU 0 of the first cluster */
        while (taken == i)
            ;
    }
    return mix(0, taken);
}
