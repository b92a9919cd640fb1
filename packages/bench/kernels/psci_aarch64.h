/* Calls of the firmware (PSCI, DEN0022, by the SMC calling convention, DEN0028). */
#ifndef PSCI_AARCH64_H
#define PSCI_AARCH64_H

#include <stdint.h>

static inline long psci_call(uint32_t function, long arg1, long arg2, long arg3)
{
    register long x0 __asm__("x0") = function;
    register long x1 __asm__("x1") = arg1;
    register long x2 __asm__("x2") = arg2;
    register long x3 __asm__("x3") = arg3;
    __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
    return x0;
}

#endif
