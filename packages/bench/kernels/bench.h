/* What a kernel and its surroundings have in common. The same sources are compiled for the guest and for this machine. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* How many times over the work is done. */
#ifndef SCALE
#define SCALE 1
#endif

/* One kernel: does its work SCALE times and returns a checksum of all of it. */
uint64_t kernel(void);

/* Mixes a value into a checksum (splitmix64). */
static inline uint64_t mix(uint64_t sum, uint64_t value)
{
    uint64_t z = (sum ^ value) + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Pseudo-random numbers (xorshift64). */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

/* Writes text to the console or to standard output. */
void put_text(const char *text);

#endif
