/* A loop of register arithmetic: shifts, multiplications, divisions now and then. */
#include "bench.h"

uint64_t kernel(void)
{
    uint64_t sum = 1, state = 88172645463325252u;
    for (uint32_t i = 0; i < 60000000u * SCALE; i++) {
        uint64_t x = next_random(&state);
        sum += (x >> 11) * 5 ^ (sum << 3);
        if ((i & 63) == 0)
            sum ^= x / (i + 1);
    }
    return mix(sum, state);
}
