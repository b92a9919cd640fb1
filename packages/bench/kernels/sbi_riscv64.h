/* Calls of the supervisor binary interface (SBI 2.0, chapter 3). */
#ifndef SBI_RISCV64_H
#define SBI_RISCV64_H

#include <stdint.h>

struct sbi_result {
    long error;
    long value;
};

static inline struct sbi_result sbi_call(long extension, long function, long arg0, long arg1, long arg2)
{
    register long a0 __asm__("a0") = arg0;
    register long a1 __asm__("a1") = arg1;
    register long a2 __asm__("a2") = arg2;
    register long a6 __asm__("a6") = function;
    register long a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){ a0, a1 };
}

#endif
