/* Goes through arrays far larger than the caches: the four loops of STREAM, in integers. */
#include "bench.h"

/* No power of two: arrays at such distances would fall on the same entries of many a TLB. */
#define N 1000003u
static uint64_t a[N], b[N], c[N];

uint64_t kernel(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < N; i++) {
        a[i] = i;
        b[i] = 2 * i + 1;
        c[i] = 0;
    }
    for (uint32_t round = 0; round < 20u * SCALE; round++) {
        for (uint32_t i = 0; i < N; i++)
            c[i] = a[i];
        for (uint32_t i = 0; i < N; i++)
            b[i] = 3 * c[i] + round;
        for (uint32_t i = 0; i < N; i++)
            c[i] = a[i] + b[i];
        for (uint32_t i = 0; i < N; i++)
            a[i] = b[i] ^ (c[i] >> 3);
        sum = mix(sum, a[round * 7919u % N]);
    }
    return sum;
}
