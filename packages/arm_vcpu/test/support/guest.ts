/** Guests of the software processing element: RAM at 0x4000_0000, a device page at 0x0900_0000. */
import { resolve } from '@axvisor/axvisor_api';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent as createHost } from '@axvisor/axhost';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { createComponent as createSoftcpu, type ComponentOptions } from '@axvisor/softcpu_arm';
import { assemble } from '@axvisor/softcpu_arm/asm';
import { GuestVm as SmallVm, guestVmm, type GuestBoard, type GuestOptions } from '@axvisor/tooling/guest_vm';
import { component as armVcpu } from '../../src/index.ts';

export const RAM_BASE = 0x4000_0000n;
export const DEVICE_BASE = 0x0900_0000n;
/** Page, Normal write-back memory, read and write, Inner Shareable, accessed. */
const PTE_RAM = 0x7ffn;
/** Stage 2 with a start level of two tables. */
const BOARD: GuestBoard = {
  ramBase: RAM_BASE, deviceBase: DEVICE_BASE, assemble,
  nested: { format: 'arm-s2', rootPages: 2, tableEntry: (frame) => frame | 3n, tableOf: (entry) => entry & ~0xfffn, pageEntry: (frame) => frame | PTE_RAM },
};

export class GuestVm extends SmallVm {
  constructor(source: string, options?: GuestOptions) {
    super(BOARD, source, options);
  }
}

/** Runs `body` in a fresh composition with a virtual clock: every run is the same. */
export function withMachine(body: () => void, options: ComponentOptions = {}): void {
  resolve([axerrno, memoryAddr, createHost({ memory: 64 << 20, clock: 'virtual' }), createSoftcpu(options), armVcpu, guestVmm]).run(body);
}

/** Assembles `source`, runs it until it ends, and hands over what happened; the same on both tiers. */
export function runGuest(source: string, check: (vm: GuestVm, end: AxVCpuExitReason) => void, options?: GuestOptions): void {
  for (const engine of ['interpreter', 'translator'] as const) {
    withMachine(() => {
      const guest = new GuestVm(source, options);
      check(guest, guest.run());
    }, { engine });
  }
}

/** Calls PSCI by HVC; the function's number goes to x0. */
export const psci = (number: number): string => `movz w0, #${number & 0xffff}\nmovk w0, #0x${(number >>> 16).toString(16)}, lsl #16\nhvc #0\n`;
/** Ends the guest. */
export const SHUTDOWN: string = psci(0x8400_0008);
