/* Asks the hypervisor: CPUID, which always leaves a guest under VMX. */
#include "bench.h"

uint64_t kernel(void)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < 50000ul * SCALE; i++) {
        uint32_t a = 0, b, c = 0, d;
        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        count += b != 0;
    }
    return mix(0, count);
}
