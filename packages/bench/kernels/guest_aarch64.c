/* Console of an AArch64 guest, and what the compiler calls by itself: the PL011 of QEMU's `virt`. */
#include "bench.h"

#define UARTDR (*(volatile uint32_t *)0x09000000)

void put_text(const char *text)
{
    while (*text != 0)
        UARTDR = (unsigned char)*text++;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    while (n-- > 0)
        *t++ = *f++;
    return to;
}

void *memset(void *to, int value, size_t n)
{
    unsigned char *t = to;
    while (n-- > 0)
        *t++ = (unsigned char)value;
    return to;
}
