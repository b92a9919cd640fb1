/** The stress guests by architecture. */
import { LOAD_ADDRESS, stressGuest, type StressOptions } from './guest.ts';
import { stressGuestArm } from './guest_arm.ts';
import { stressGuestX86 } from './guest_x86.ts';

export interface StressGuest {
  readonly make: (options: StressOptions) => Uint8Array;
  /** What `axvisor run` has to be told. */
  readonly args: readonly string[];
}

const GUESTS: Readonly<Record<string, StressGuest>> = {
  riscv64: { make: stressGuest, args: ['--load-addr', `0x${LOAD_ADDRESS.toString(16)}`] },
  aarch64: { make: stressGuestArm, args: ['--arch', 'aarch64'] },
  x86_64: { make: stressGuestX86, args: ['--arch', 'x86_64'] },
};

/** @throws {RangeError} */
export function stressGuestOf(arch: string): StressGuest {
  const guest = GUESTS[arch];
  if (guest === undefined) throw new RangeError(`there is no stress guest for ${arch}; there are ${Object.keys(GUESTS).join(', ')}`);
  return guest;
}
