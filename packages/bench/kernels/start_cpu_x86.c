/* Starts another CPU by INIT and SIPI (SDM volume 3, 9.4), which stops itself, again and again. */
#include "apic_x86.h"
#include "bench.h"

#define TRAMPOLINE 0x8000
#define STARTED (*(volatile uint32_t *)0x9000ul)

/* In real mode: counts at 0x9000 and stops. */
static const uint8_t trampoline[] = {
    0xfa,                                     /* cli */
    0x31, 0xc0, 0x8e, 0xd8,                   /* xor ax, ax; mov ds, ax */
    0xf0, 0x66, 0xff, 0x06, 0x00, 0x90,       /* lock inc dword [0x9000] */
    0xf4, 0xeb, 0xfd,                         /* hlt */
};

uint64_t kernel(void)
{
    for (unsigned i = 0; i < sizeof trampoline; i++)
        ((volatile uint8_t *)TRAMPOLINE)[i] = trampoline[i];
    STARTED = 0;
    for (uint32_t i = 0; i < 500u * SCALE; i++) {
        apic_send(1, 0x4500);
        apic_send(1, 0x4600 | TRAMPOLINE >> 12);
        while (STARTED == i)
            ;
    }
    return mix(0, STARTED);
}
