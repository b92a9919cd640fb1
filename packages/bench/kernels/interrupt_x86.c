/* Sends itself an interrupt through the local APIC and waits until it was taken. */
#include "apic_x86.h"
#include "bench.h"

#define VECTOR 0x40

static volatile uint64_t taken;
static uint64_t gates[VECTOR + 1][2];

__attribute__((naked)) static void handler(void)
{
    __asm__ volatile("incq taken\n"
                     "push %rax\n"
                     "mov $0xfee000b0, %eax\n"
                     "movl $0, (%rax)\n"
                     "pop %rax\n"
                     "iretq\n");
}

uint64_t kernel(void)
{
    uint64_t at = (uint64_t)handler;
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) table = { sizeof gates - 1, (uint64_t)gates };
    gates[VECTOR][0] = (at & 0xffff) | (uint64_t)8 << 16 | (uint64_t)0x8e00 << 32 | (at >> 16 & 0xffff) << 48;
    gates[VECTOR][1] = at >> 32;
    __asm__ volatile("lidt %0" : : "m"(table));
    *apic(APIC_SPURIOUS) = 0x10f;
    /* Who waits for interrupts of the pair of 8259s does so with them masked. */
    __asm__ volatile("outb %b0, $0x21\noutb %b0, $0xa1\nsti" : : "a"(0xff));
    uint32_t self = *apic(APIC_ID) >> 24;
    for (uint64_t i = 0; i < 10000ul * SCALE; i++) {
        apic_send(self, 0x4000 | VECTOR);
        while (taken == i)
            ;
    }
    return mix(0, taken);
}
