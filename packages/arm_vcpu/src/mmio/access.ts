/** What one instruction does to a device: the transfers of its elements, and the base register that it writes back. */
import type { AccessWidth } from '@axvisor/axvisor_api/device';

/** Where a load puts a value. */
export type LoadTarget =
  /** x0 … x30, 31 nowhere: extended to `regWidth` bytes, zero above. */
  | { readonly kind: 'x'; readonly reg: number; readonly signed: boolean; readonly regWidth: 4 | 8 }
  /** The bytes from `byte` on of v`reg`; `clear`: the register is zeroed first. */
  | { readonly kind: 'v'; readonly reg: number; readonly byte: number; readonly clear: boolean }
  /** Every element of the low `bytes` bytes of v`reg`, zero above. */
  | { readonly kind: 'replicate'; readonly reg: number; readonly bytes: 8 | 16 };

/** One transfer, `offset` bytes behind the start of the access. */
export type Transfer =
  | { readonly kind: 'load'; readonly offset: number; readonly width: AccessWidth; readonly target: LoadTarget }
  | { readonly kind: 'store'; readonly offset: number; readonly width: AccessWidth; readonly source: { readonly kind: 'x' | 'v'; readonly reg: number; readonly byte: number } };

/** A decoded instruction. */
export interface DeviceAccess {
  readonly isLoad: boolean;
  readonly transfers: readonly Transfer[];
  /** Its address as it computes it; `undefined`: the faulting address is the start. */
  readonly address: bigint | undefined;
  /** The base register (31: SP) and what it becomes. */
  readonly writeback: { readonly reg: number; readonly value: bigint } | undefined;
}

/** Bytes from the first transfer to the end of the last. */
export const accessSize = ({ transfers }: DeviceAccess): number => transfers.reduce((size, { offset, width }) => Math.max(size, offset + width), 0);

/** The registers that addresses are made from. */
export interface AddressRegisters {
  /** 31 is SP. */
  xOrSp(reg: number): bigint;
  /** 31 is zero. */
  x(reg: number): bigint;
  readonly pc: bigint;
}

export const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
