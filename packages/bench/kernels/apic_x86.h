/* The local APIC of the CPU (SDM volume 3, chapter 11). */
#ifndef APIC_X86_H
#define APIC_X86_H

#include <stdint.h>

#define APIC_ID 0x20
#define APIC_EOI 0xb0
#define APIC_SPURIOUS 0xf0
#define APIC_COMMAND 0x300
#define APIC_DESTINATION 0x310
#define APIC_BUSY 0x1000u

static volatile uint32_t *apic(uint32_t offset)
{
    return (volatile uint32_t *)(0xfee00000ul + offset);
}

static inline void apic_send(uint32_t cpu, uint32_t command)
{
    while (*apic(APIC_COMMAND) & APIC_BUSY)
        ;
    *apic(APIC_DESTINATION) = cpu << 24;
    *apic(APIC_COMMAND) = command;
}

#endif
