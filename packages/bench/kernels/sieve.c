/* Eratosthenes' sieve, a byte a number: short loops of stores at growing distances. */
#include "bench.h"

#define LIMIT 4000000u
static uint8_t composite[LIMIT];

uint64_t kernel(void)
{
    uint64_t sum = 0;
    for (uint32_t round = 0; round < 5u * SCALE; round++) {
        uint32_t count = 0, last = 0;
        for (uint32_t i = 0; i < LIMIT; i++)
            composite[i] = 0;
        for (uint32_t i = 2; i < LIMIT; i++) {
            if (composite[i])
                continue;
            count++;
            last = i;
            for (uint64_t j = (uint64_t)i * i; j < LIMIT; j += i)
                composite[j] = 1;
        }
        sum = mix(sum, ((uint64_t)count << 32 | last) + round);
    }
    return sum;
}
