/* Calls the firmware: PSCI_FEATURES about PSCI_VERSION (DEN0022, 5.1.15). */
#include "psci_aarch64.h"
#include "bench.h"

uint64_t kernel(void)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < 200000ul * SCALE; i++)
        count += psci_call(0x8400000a, 0x84000000, 0, 0) == 0;
    return mix(0, count);
}
