/* CRC-32 (IEEE 802.3) by a table: one load depends on the other. */
#include "bench.h"

#define SIZE (1u << 18)
static uint32_t table[256];
static uint8_t data[SIZE];

uint64_t kernel(void)
{
    uint64_t state = 5, sum = 0;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        table[i] = c;
    }
    for (uint32_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)next_random(&state);
    for (uint32_t round = 0; round < 180u * SCALE; round++) {
        uint32_t crc = ~round;
        for (uint32_t i = 0; i < SIZE; i++)
            crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
        sum = mix(sum, ~crc);
    }
    return sum;
}
