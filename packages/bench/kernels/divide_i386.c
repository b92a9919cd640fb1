/* Division of 64-bit numbers, which the compiler calls on 32-bit processors (its library is not installed everywhere): long division by bits, or by the instruction where it fits. */
#include <stdint.h>

static uint64_t divide(uint64_t n, uint64_t d, uint64_t *remainder)
{
    uint64_t quotient = 0;
    if (d >> 32 == 0) {
        uint32_t low = (uint32_t)d, high = (uint32_t)(n >> 32), rest = high % low, part;
        __asm__("divl %4" : "=a"(part), "=d"(rest) : "0"((uint32_t)n), "1"(rest), "r"(low) : "cc");
        *remainder = rest;
        return (uint64_t)(high / low) << 32 | part;
    }
    for (int shift = __builtin_clz((uint32_t)(d >> 32)); shift >= 0; shift--)
        if (n >= d << shift) {
            n -= d << shift;
            quotient |= (uint64_t)1 << shift;
        }
    *remainder = n;
    return quotient;
}

uint64_t __udivdi3(uint64_t n, uint64_t d)
{
    uint64_t remainder;
    return divide(n, d, &remainder);
}

uint64_t __umoddi3(uint64_t n, uint64_t d)
{
    uint64_t remainder;
    divide(n, d, &remainder);
    return remainder;
}
