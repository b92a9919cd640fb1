/* Console of a RISC-V guest, and what the compiler calls by itself: the SBI's legacy console (SBI 2.0, chapter 5). */
#include "bench.h"

static void put_char(char c)
{
    register long a0 __asm__("a0") = (unsigned char)c;
    register long a7 __asm__("a7") = 1;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7) : "memory", "a1");
}

void put_text(const char *text)
{
    while (*text != 0)
        put_char(*text++);
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
