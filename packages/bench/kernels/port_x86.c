/* Reads a port: the line status of the UART at COM1. */
#include "bench.h"

uint64_t kernel(void)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < 50000ul * SCALE; i++) {
        uint8_t status;
        __asm__ volatile("inb %w1, %b0" : "=a"(status) : "Nd"(0x3fd));
        count += status != 0;
    }
    return mix(0, count);
}
