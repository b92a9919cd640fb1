/** Random bytes for guests. Every runtime has a source, so nobody need provide it; a recorder of runs does. */
import { apiDef, type AxApiDef } from './registry/api.ts';

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
