/* Sends itself an interrupt through the firmware (SBI 2.0, chapter 7) and waits until it was taken. */
#include "bench.h"
#include "sbi_riscv64.h"

static volatile uint64_t taken;

__attribute__((interrupt("supervisor"), aligned(4))) static void handler(void)
{
    __asm__ volatile("csrc sip, %0" : : "r"(2L)); /* SSIP */
    taken++;
}

extern uint64_t boot_hart;

uint64_t kernel(void)
{
    __asm__ volatile("csrw stvec, %0" : : "r"(handler));
    __asm__ volatile("csrs sie, %0" : : "r"(2L));
    __asm__ volatile("csrs sstatus, %0" : : "r"(2L));
    for (uint64_t i = 0; i < 100000ul * SCALE; i++) {
        sbi_call(0x735049, 0, 1, (long)boot_hart, 0);
        while (taken == i)
            ;
    }
    return mix(0, taken);
}
