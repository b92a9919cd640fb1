/** What is loaded where and how the first CPU starts; made once, used at every power-on. */
import type { X86Start } from '@axvisor/axvisor_api/vcpu';
import type { LoadPiece } from './kernel.ts';
import type { Placed } from './placement.ts';

export interface BootPlan {
  /** Address of the first instruction. */
  readonly entry: bigint;
  /** More about the start than an address, where the architecture's boot protocols want that. */
  readonly start?: X86Start;
  readonly dtbAddress: bigint | undefined;
  readonly initrd: { readonly start: bigint; readonly end: bigint } | undefined;
  readonly pieces: readonly LoadPiece[];
  /** What is placed already, for the device tree to avoid. */
  readonly placed: readonly Placed[];
  /** Memory that is there besides RAM: firmware's. */
  readonly rom?: readonly { readonly address: bigint; readonly size: bigint }[];
}
