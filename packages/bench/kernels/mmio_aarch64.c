/* Reads a device register: the flags of the PL011 of the board `virt`, at 0x09000018. */
#include "bench.h"

uint64_t kernel(void)
{
    volatile uint32_t *const flags = (volatile uint32_t *)0x09000018;
    uint64_t count = 0;
    for (uint64_t i = 0; i < 200000ul * SCALE; i++)
        count += *flags != 0;
    return mix(0, count);
}
