/** The local vector table: which entries there are, and what their bits mean (SDM vol. 3, 11.5.1). */

/** Local vector table entries, in the order of their registers from 0x320. */
export const Lvt = { timer: 0, thermal: 1, performance: 2, lint0: 3, lint1: 4, error: 5 } as const;
export const LVT_ENTRIES = 6;
export const LVT_MASKED = 0x1_0000;
export const LVT_LEVEL = 0x8000;
export const LVT_REMOTE_IRR = 0x4000;
/** Bits that can be written, by entry; delivery status and remote IRR are read-only. */
export const LVT_WRITABLE: readonly number[] = [0x7_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff];
