/* What string libraries do: copy, fill, compare, measure, search. Plain loops over bytes, the same on every machine. */
#include "bench.h"

#define SIZE 65536u
static char text[SIZE + 1], copy[SIZE + 1];

__attribute__((noinline)) static size_t length(const char *s)
{
    size_t n = 0;
    while (s[n] != 0)
        n++;
    return n;
}

__attribute__((noinline)) static void move(char *to, const char *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
}

__attribute__((noinline)) static int compare(const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

__attribute__((noinline)) static uint32_t occurrences(const char *in, const char *of)
{
    uint32_t count = 0;
    for (; *in != 0; in++) {
        uint32_t i = 0;
        while (of[i] != 0 && in[i] == of[i])
            i++;
        count += of[i] == 0;
    }
    return count;
}

uint64_t kernel(void)
{
    uint64_t state = 99, sum = 0;
    for (uint32_t i = 0; i < SIZE; i++)
        text[i] = (char)('a' + next_random(&state) % 4);
    for (uint32_t round = 0; round < 500u * SCALE; round++) {
        uint32_t cut = (uint32_t)(next_random(&state) % SIZE);
        move(copy, text, SIZE);
        copy[cut] = '!';
        sum = mix(sum, (uint64_t)compare(text, copy));
        copy[cut] = 0;
        sum = mix(sum, length(copy));
        sum = mix(sum, occurrences(copy, "abca"));
    }
    return sum;
}
