/* Follows pointers at random, and looks keys up in a hash table with open addressing. */
#include "bench.h"

#define NODES (1u << 18)
#define SLOTS (1u << 17)

struct node {
    struct node *next;
    uint64_t value;
};

static struct node nodes[NODES];
static uint32_t order[NODES];
static uint64_t keys[SLOTS], counts[SLOTS];

static uint64_t *count_of(uint64_t key)
{
    uint32_t slot = (uint32_t)(mix(0, key) & (SLOTS - 1));
    while (keys[slot] != 0 && keys[slot] != key)
        slot = (slot + 1) & (SLOTS - 1);
    keys[slot] = key;
    return &counts[slot];
}

uint64_t kernel(void)
{
    uint64_t state = 1234567, sum = 0;
    for (uint32_t i = 0; i < NODES; i++)
        order[i] = i;
    for (uint32_t i = NODES - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(next_random(&state) % (i + 1)), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (uint32_t i = 0; i < NODES; i++) {
        nodes[order[i]].next = &nodes[order[(i + 1) & (NODES - 1)]];
        nodes[order[i]].value = i;
    }
    const struct node *at = &nodes[0];
    for (uint32_t i = 0; i < 10000000u * SCALE; i++) {
        sum += at->value ^ i;
        at = at->next;
    }
    for (uint32_t i = 0; i < 6000000u * SCALE; i++)
        (*count_of(1 + next_random(&state) % 60000))++;
    for (uint32_t i = 0; i < SLOTS; i++)
        sum = mix(sum, keys[i] * counts[i]);
    return sum;
}
