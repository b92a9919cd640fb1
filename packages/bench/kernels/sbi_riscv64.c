/* Calls the firmware: sbi_probe_extension of the base extension, about itself (SBI 2.0, chapter 4). */
#include "bench.h"
#include "sbi_riscv64.h"

uint64_t kernel(void)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < 200000ul * SCALE; i++)
        count += (uint64_t)sbi_call(0x10, 3, 0x10, 0, 0).value;
    return mix(0, count);
}
