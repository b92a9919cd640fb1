/** Random bytes from which a system seeds its generator, as boot loaders hand them over. */
import { guestRandomBytes } from '@axvisor/axvisor_api/entropy';

/** What a generator of 256 bits needs. */
const SIZE = 32;

/** Without them Linux gathers entropy from the jitter of its clock: a tenth to a fifth of what it executes before its first process. */
export function rngSeed(): Uint8Array {
  const seed = new Uint8Array(SIZE);
  guestRandomBytes(seed);
  return seed;
}
