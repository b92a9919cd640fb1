/* Reads a device register: the version of the I/O APIC. */
#include "bench.h"

uint64_t kernel(void)
{
    volatile uint32_t *const io_apic = (volatile uint32_t *)0xfec00000;
    uint64_t count = 0;
    io_apic[0] = 1;
    for (uint64_t i = 0; i < 50000ul * SCALE; i++)
        count += io_apic[4] != 0;
    return mix(0, count);
}
