/** Guests of the software hart: RAM at 0x8000_0000, a device page at 0x1000_0000. */
import { resolve } from '@axvisor/axvisor_api';
import type { AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent as createHost } from '@axvisor/axhost';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { component as softcpu } from '@axvisor/softcpu_riscv';
import { assemble } from '@axvisor/softcpu_riscv/asm';
import { GuestVm as SmallVm, guestVmm, type GuestBoard, type GuestOptions } from '@axvisor/tooling/guest_vm';
import { component as riscvVcpu } from '../../src/index.ts';

export const RAM_BASE = 0x8000_0000n;
export const DEVICE_BASE = 0x1000_0000n;
/** V, R, W, X, U, A, D. */
const PTE_RAM = 0xdfn;
const BOARD: GuestBoard = {
  ramBase: RAM_BASE, deviceBase: DEVICE_BASE, assemble,
  // Sv39x4.
  nested: { format: 'sv39x4', rootPages: 4, tableEntry: (frame) => (frame >> 2n) | 1n, tableOf: (entry) => (entry >> 10n) << 12n, pageEntry: (frame) => (frame >> 2n) | PTE_RAM },
};

export class GuestVm extends SmallVm {
  constructor(source: string, options?: GuestOptions) {
    super(BOARD, source, options);
  }
}

/** Runs `body` in a fresh composition with a virtual clock: every run is the same. */
export function withMachine(body: () => void): void {
  resolve([axerrno, memoryAddr, createHost({ memory: 64 << 20, clock: 'virtual' }), softcpu, riscvVcpu, guestVmm]).run(body);
}

/** Assembles `source`, runs it until it ends, and hands over what happened. */
export function runGuest(source: string, check: (vm: GuestVm, end: AxVCpuExitReason) => void, options?: GuestOptions): void {
  withMachine(() => {
    const guest = new GuestVm(source, options);
    check(guest, guest.run());
  });
}

/** SBI call: sets a7 and a6 and executes ECALL. */
export const sbi = (eid: number, fid: number): string => `li a7, 0x${eid.toString(16)}\nli a6, ${fid}\necall\n`;
/** Ends the guest. */
export const SHUTDOWN: string = `li a0, 0\nli a1, 0\n${sbi(0x53525354, 0)}`;
