/**
 * Finds the instruction behind a guest page fault: in htinst, where the hart transformed it (privileged specification 1.13,
 * section "Transformed Instruction or Pseudoinstruction for mtinst or htinst"), or in guest memory.
 */
import { hlvx } from '@axvisor/axvisor_api/arch/riscv';
import { decodeAccess, type DeviceAccess } from './access.ts';
import { decodeCompressed } from './compressed.ts';

/** An instruction that accesses a device, and its length in bytes. */
export interface DeviceInstruction {
  readonly access: DeviceAccess;
  readonly length: 2 | 4;
}

/** The raw instruction at `pc`, fetched as the guest fetches, or `undefined` if it cannot be fetched any more. */
export function fetchInstruction(pc: bigint): { readonly bits: number; readonly length: 2 | 4 } | undefined {
  const low = hlvx(pc, 2);
  if (!('value' in low)) return undefined;
  const bits = Number(low.value);
  if ((bits & 3) !== 3) return { bits, length: 2 };
  const high = hlvx(BigInt.asUintN(64, pc + 2n), 2);
  return 'value' in high ? { bits: ((Number(high.value) << 16) | bits) >>> 0, length: 4 } : undefined;
}

/**
 * Decodes a transformed instruction. Bit 0 is set; bit 1 is clear if the instruction was a compressed one. In place of rs1 it
 * has the distance of the faulting address from the start of the access: nonzero for the second half of a misaligned one.
 */
function decodeTransformed(htinst: number): DeviceInstruction | undefined {
  if ((htinst & 1) === 0 || ((htinst >>> 15) & 31) !== 0) return undefined;
  const access = decodeAccess(htinst | 2);
  return access && { access, length: (htinst & 2) === 0 ? 2 : 4 };
}

/**
 * The access that faulted; `undefined` if it is none that a device can answer.
 *
 * @param pc - where it is; asked for if htinst does not tell
 */
export function faultingAccess(htinst: bigint, pc: () => bigint): DeviceInstruction | undefined {
  if (htinst !== 0n) return htinst > 0xffff_ffffn ? undefined : decodeTransformed(Number(htinst));
  const fetched = fetchInstruction(pc());
  if (fetched === undefined) return undefined;
  const { bits, length } = fetched;
  const access = length === 2 ? decodeCompressed(bits) : decodeAccess(bits);
  return access && { access, length };
}
