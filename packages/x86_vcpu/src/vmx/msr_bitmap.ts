/** The MSR bitmap: low and high MSRs, reads and then writes, 1 KiB each (SDM vol. 3, 25.6.9). */
import { physMemory } from '@axvisor/axvisor_api/memory';

const HIGH_FIRST = 0xc000_0000;
const COUNT = 0x2000;
const SIZE = 4096;
const WRITES = 2048;

export class MsrBitmap {
  readonly #at: number;

  /** @param at - its frame in host memory. */
  constructor(at: number) {
    this.#at = at;
  }

  interceptAll(): void {
    physMemory().bytes.fill(0xff, this.#at, this.#at + SIZE);
  }

  /** Reads and writes of an MSR. Those in neither range always leave the guest. */
  set(msr: number, intercept: boolean): void {
    const high = msr >= HIGH_FIRST;
    const index = high ? msr - HIGH_FIRST : msr;
    if (index >= COUNT) return;
    const { bytes } = physMemory();
    for (const half of [0, WRITES]) {
      const byte = this.#at + half + (high ? 1024 : 0) + (index >>> 3);
      const bit = 1 << (index & 7);
      bytes[byte] = intercept ? (bytes[byte] as number) | bit : (bytes[byte] as number) & ~bit;
    }
  }
}
