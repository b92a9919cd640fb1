/** The architectures' code, each loaded only when it is wanted. */
import type { Architecture } from '@axvisor/axvisor_api/processor';
import type { GuestCode } from './guest_code.ts';

export type { GuestCode, QemuTarget } from './guest_code.ts';

const CODES: Readonly<Partial<Record<Architecture, () => Promise<GuestCode>>>> = {
  riscv64: async () => (await import('./riscv64.ts')).riscv64Code,
  aarch64: async () => (await import('./aarch64.ts')).aarch64Code,
};

/** The code of guests of `arch`. @throws {RangeError} for an architecture that there is no hypervisor for */
export async function guestCode(arch: Architecture): Promise<GuestCode> {
  const load = CODES[arch];
  if (load === undefined) throw new RangeError(`no guests of ${arch}`);
  return await load();
}
