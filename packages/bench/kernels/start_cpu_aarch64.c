/* Starts another CPU by CPU_ON, which stops itself by CPU_OFF (DEN0022, 5.4 and 5.5), again and again. */
#include "psci_aarch64.h"
#include "bench.h"

#define CPU_ON 0xc4000003
#define AFFINITY_INFO 0xc4000004
#define OFF 1

static volatile uint64_t started;

/* A CPU starts with its MMU off and x0 = what the starter said: here the address to count at. */
__attribute__((naked)) static void other_cpu(void)
{
    __asm__ volatile("ldr x1, [x0]\n"
                     "add x1, x1, #1\n"
                     "str x1, [x0]\n"
                     "ldr w0, =0x84000002\n"
                     "hvc #0\n"
                     "1: b 1b\n"
                     ".ltorg\n");
}

uint64_t kernel(void)
{
    for (uint64_t i = 0; i < 2000ul * SCALE; i++) {
        psci_call(CPU_ON, 1, (long)other_cpu, (long)&started);
        while (psci_call(AFFINITY_INFO, 1, 0, 0) != OFF || started == i)
            ;
    }
    return mix(0, started);
}
