/** Base extension (SBI 2.0, chapter 4). */
import { success, type SbiExtension, type SbiFunction } from './call.ts';

/** SBI 2.0: major in bits 30:24, minor in 23:0. */
export const SPEC_VERSION = 0x0200_0000n;
/** The implementation id of this project: "AxVi". It is not registered; registered ids are small. */
export const IMPLEMENTATION_ID = 0x4178_5669n;
/** Version of this implementation, in the encoding of the specification's version. */
export const IMPLEMENTATION_VERSION = 0x0001_0000n;

const constant = (name: string, value: bigint): SbiFunction => ({ name, call: () => success(value) });

/** @param isAvailable - whether there is an extension with this id */
export function baseExtension(isAvailable: (eid: bigint) => boolean): SbiExtension {
  return {
    eid: 0x10n,
    name: 'BASE',
    functions: [
      [0n, constant('get_spec_version', SPEC_VERSION)],
      [1n, constant('get_impl_id', IMPLEMENTATION_ID)],
      [2n, constant('get_impl_version', IMPLEMENTATION_VERSION)],
      [3n, { name: 'probe_extension', call: (_hart, [eid]) => success(isAvailable(eid) ? 1n : 0n) }],
      // Which hart runs the guest is not the guest's business; zero is legal for all three.
      [4n, constant('get_mvendorid', 0n)],
      [5n, constant('get_marchid', 0n)],
      [6n, constant('get_mimpid', 0n)],
    ],
  };
}
