/* Calls and returns: Fibonacci's numbers and Takeuchi's function. */
#include "bench.h"

__attribute__((noinline)) static uint64_t fibonacci(uint32_t n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__attribute__((noinline)) static int takeuchi(int x, int y, int z)
{
    return y >= x ? z : takeuchi(takeuchi(x - 1, y, z), takeuchi(y - 1, z, x), takeuchi(z - 1, x, y));
}

uint64_t kernel(void)
{
    uint64_t sum = 0;
    for (uint32_t round = 0; round < SCALE; round++) {
        sum = mix(sum, fibonacci(34));
        for (int i = 0; i < 25; i++)
            sum = mix(sum, (uint64_t)takeuchi(18, 12, 6 - (i & 1)));
    }
    return sum;
}
