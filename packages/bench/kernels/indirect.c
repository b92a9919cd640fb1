/* Indirect calls: a small stack machine whose instructions are functions in a table, over a program made at random. */
#include "bench.h"

#define LENGTH 4096u

struct machine {
    uint64_t a, b;
    uint32_t skip;
};

static void op_add(struct machine *m) { m->a += m->b; }
static void op_xor(struct machine *m) { m->a ^= m->b; }
static void op_swap(struct machine *m) { uint64_t t = m->a; m->a = m->b; m->b = t; }
static void op_shift(struct machine *m) { m->a = m->a << 5 | m->a >> 59; }
static void op_multiply(struct machine *m) { m->a *= m->b | 1; }
static void op_test(struct machine *m) { m->skip = m->a >> 63; }
static void op_increment(struct machine *m) { m->b++; }
static void op_not(struct machine *m) { m->b = ~m->b; }

static void (*const operations[8])(struct machine *) = {
    op_add, op_xor, op_swap, op_shift, op_multiply, op_test, op_increment, op_not,
};
static uint8_t program[LENGTH];

uint64_t kernel(void)
{
    uint64_t state = 42;
    struct machine m = { 1, 2, 0 };
    for (uint32_t i = 0; i < LENGTH; i++)
        program[i] = next_random(&state) & 7;
    for (uint32_t round = 0; round < 7000u * SCALE; round++) {
        for (uint32_t at = 0; at < LENGTH; at += 1 + m.skip) {
            m.skip = 0;
            operations[program[at]](&m);
        }
    }
    return mix(m.a, m.b);
}
