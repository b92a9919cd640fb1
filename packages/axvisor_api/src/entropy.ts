/** Random bytes for guests. Every runtime has a source, so nobody need provide it; a recorder of runs does. */
import { apiDef, type AxApiDef } from './registry/api.ts';
import { currentTicks, isVirtualClock } from './time.ts';

/** The functions of the `entropy` API. */
export interface Entropy {
  /** Fills `into`, 64 KiB at most, with unpredictable bytes. */
  randomBytes(into: Uint8Array): void;
}

/** The part of the runtime's global object that is used. Node loads its Web Crypto API when this is first read. */
const runtime = globalThis as unknown as { readonly crypto: { getRandomValues(into: Uint8Array): Uint8Array } };

export let randomBytes: Entropy['randomBytes'];

export const entropy: AxApiDef<'entropy', Entropy, 'randomBytes'> = apiDef({
  name: 'entropy',
  functions: { randomBytes: (into: Uint8Array) => void runtime.crypto.getRandomValues(into) },
  bind: (f: Entropy) => ({ randomBytes } = f),
  providers: ['@axvisor/axvisor'],
});

/** splitmix64, from virtual time on. */
function reproducible(into: Uint8Array): void {
  let state = currentTicks();
  for (let i = 0; i < into.length; i += 8) {
    state = BigInt.asUintN(64, state + 0x9e37_79b9_7f4a_7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
    z ^= z >> 31n;
    for (let j = i; j < Math.min(i + 8, into.length); j++, z >>= 8n) into[j] = Number(z & 0xffn);
  }
}

/** Fills `into`, 64 KiB at most, for a guest: with unpredictable bytes, but under a virtual clock, where runs are reproducible, with those of a generator. */
export function guestRandomBytes(into: Uint8Array): void {
  if (isVirtualClock()) reproducible(into);
  else randomBytes(into);
}
