/** What tools that look at guest code have to know of an architecture: profiles, reports, and the comparison with QEMU. */
import type { VmPlan } from '../commands/run_options.ts';

/** An instruction: its bytes, as manuals print them, and what it says in the assembler's language. */
export interface Instruction {
  readonly length: number;
  readonly bytes: string;
  readonly text: string;
}

export interface GuestCode {
  /** The instruction at the beginning of `code`, which lies at `pc`; `undefined`: not all of it is there. */
  decode(code: Uint8Array, pc: bigint): Instruction | undefined;
  /** The register that tells the address spaces of user code apart. */
  readonly addressSpace: string;
  readonly qemu: QemuTarget;
}

/** Decodes little-endian instructions of 2 and 4 bytes. */
export function decodeHalves(code: Uint8Array, length: (half: number) => number, text: (bits: number) => string): Instruction | undefined {
  if (code.length < 2) return undefined;
  const view = new DataView(code.buffer, code.byteOffset, code.length);
  const half = view.getUint16(0, true);
  const bytes = length(half);
  if (code.length < bytes) return undefined;
  const bits = bytes === 4 ? view.getInt32(0, true) : half;
  return { length: bytes, bytes: (bits >>> 0).toString(16).padStart(2 * bytes, '0'), text: text(bits) };
}

/** QEMU as the other side of a lockstep. */
export interface QemuTarget {
  readonly program: string;
  readonly machine: readonly string[];
  /** How it is given the kernel, which is in the file `path`. */
  kernel(path: string, plan: VmPlan): readonly string[];
  /** The 64-bit registers of a packet of all registers, in its order; `undefined`: none of interest. `pc` is among them. */
  readonly registers: readonly (string | undefined)[];
  /** Below is firmware, which executes instructions there and none here. */
  readonly firmwareEnd: bigint;
  /** Registers whose values come from the machine around, after the instruction `bits`; `all`: from firmware, that is all of them. */
  fromOutside(bits: number): readonly string[] | 'all';
}
