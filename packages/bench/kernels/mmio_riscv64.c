/* Reads a device register: the line status of the ns16550a of the board `virt`, at 0x10000005. */
#include "bench.h"

uint64_t kernel(void)
{
    volatile uint8_t *const lsr = (volatile uint8_t *)0x10000005;
    uint64_t count = 0;
    for (uint64_t i = 0; i < 200000ul * SCALE; i++)
        count += *lsr != 0;
    return mix(0, count);
}
