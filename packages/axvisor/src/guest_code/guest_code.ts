/** What tools that look at guest code have to know of an architecture: profiles, reports, and the comparison with QEMU. */
import type { VmPlan } from '../commands/run_options.ts';

export interface GuestCode {
  /** Bytes of the instruction whose first two are `half`. */
  length(half: number): 2 | 4;
  /** The instruction in the assembler's language. */
  text(bits: number, pc: bigint): string;
  /** The register that tells the address spaces of user code apart. */
  readonly addressSpace: string;
  readonly qemu: QemuTarget;
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
