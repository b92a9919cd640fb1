/* The GICv3 (IHI0069) of the board `virt`: SGI 0, which is counted in `taken`. */
#ifndef GIC_AARCH64_H
#define GIC_AARCH64_H

#include <stdint.h>

#define GICD_CTLR (*(volatile uint32_t *)0x08000000)
#define GICR(cpu, offset) (*(volatile uint32_t *)(0x080a0000 + 0x20000ul * (cpu) + (offset)))
#define GICR_WAKER 0x14
#define GICR_IGROUPR0 0x10080
#define GICR_ISENABLER0 0x10100
#define PROCESSOR_SLEEP 2u
#define CHILDREN_ASLEEP 4u

#define ICC_PMR_EL1 "S3_0_C4_C6_0"
#define ICC_SRE_EL1 "S3_0_C12_C12_5"
#define ICC_IGRPEN1_EL1 "S3_0_C12_C12_7"
#define ICC_IAR1_EL1 "S3_0_C12_C12_0"
#define ICC_EOIR1_EL1 "S3_0_C12_C12_1"
#define ICC_SGI1R_EL1 "S3_0_C12_C11_5"

#define WRITE(name, value) __asm__ volatile("msr " name ", %0" : : "r"((uint64_t)(value)))

/* The interface of a CPU, with x0: all priorities, group 1. */
#define GIC_CPU_INTERFACE                                                                                              \
    "mov x0, #1\nmsr " ICC_SRE_EL1 ", x0\nisb\n"                                                                       \
    "mov x0, #0xff\nmsr " ICC_PMR_EL1 ", x0\n"                                                                         \
    "mov x0, #1\nmsr " ICC_IGRPEN1_EL1 ", x0\nisb\n"

extern volatile uint64_t taken;

/* IRQs from the current exception level; no other exception comes. */
__attribute__((naked, aligned(2048), used)) static void vectors(void)
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

static inline void gic_distributor(void)
{
    GICD_CTLR = 0x12; /* ARE_NS, EnableGrp1NS: one security state is seen */
}

/* Lets SGI 0 through to a CPU. */
static inline void gic_redistributor(unsigned cpu)
{
    GICR(cpu, GICR_WAKER) &= ~PROCESSOR_SLEEP;
    while (GICR(cpu, GICR_WAKER) & CHILDREN_ASLEEP)
        ;
    GICR(cpu, GICR_IGROUPR0) = 0xffffffff;
    GICR(cpu, GICR_ISENABLER0) = 1;
}

#endif
