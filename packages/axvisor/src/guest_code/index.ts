/** The architectures' code, each loaded only when it is wanted. */
import type { Architecture } from '@axvisor/axvisor_api/processor';
import type { GuestCode } from './guest_code.ts';

export type { GuestCode, QemuTarget } from './guest_code.ts';

const CODES: Readonly<Record<Architecture, () => Promise<GuestCode>>> = {
  riscv64: async () => (await import('./riscv64.ts')).riscv64Code,
  aarch64: async () => (await import('./aarch64.ts')).aarch64Code,
  x86_64: async () => (await import('./x86_64.ts')).x86Code,
};

/** The code of guests of `arch`. */
export function guestCode(arch: Architecture): Promise<GuestCode> {
  return CODES[arch]();
}
