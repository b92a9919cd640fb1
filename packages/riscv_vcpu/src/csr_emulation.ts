/**
 * Virtual-instruction exceptions: instructions that are legal in HS-mode but not in a guest (privileged specification 1.13,
 * section "Trap Cause Codes"). Few are meant for guests; all others look illegal to them.
 */
import { CSR, csrRead } from '@axvisor/axvisor_api/arch/riscv';
import { ALL_ONES } from './fields.ts';
import type { GuestCounters } from './counters.ts';

/** What the instruction is to the guest. */
export type VirtualInstruction = { readonly kind: 'wfi' } | { readonly kind: 'read'; readonly rd: number; readonly value: bigint } | { readonly kind: 'illegal' };

/** The guest's mode and counters. */
export interface GuestView {
  /** It was in VS-mode, not VU-mode. */
  readonly supervisor: boolean;
  readonly scounteren: bigint;
  readonly timeDelta: bigint;
  readonly counters: GuestCounters;
}

const WFI = 0x1050_0073;
const SYSTEM = 0x73;
const ILLEGAL: VirtualInstruction = { kind: 'illegal' };
const LAST_COUNTER = 0xc1f;

/** The value of a user-level counter that the hart does not let the guest read itself. */
function counterValue(csr: number, { timeDelta, counters }: GuestView): bigint {
  if (csr === CSR.time) return BigInt.asUintN(64, csrRead(CSR.time) + timeDelta);
  // Guests have no programmable counters: read-only zero.
  return counters.byCsr(csr)?.value ?? 0n;
}

export function decodeVirtualInstruction(bits: number, guest: GuestView): VirtualInstruction {
  if (bits === WFI) return guest.supervisor ? { kind: 'wfi' } : ILLEGAL;
  const funct3 = (bits >>> 12) & 7;
  const source = (bits >>> 15) & 31;
  const csr = bits >>> 20;
  // CSRRS, CSRRC and their immediate forms with source 0 only read.
  const reads = (bits & 0x7f) === SYSTEM && (funct3 & 3) >= 2 && source === 0;
  if (!reads || csr < CSR.cycle || csr > LAST_COUNTER) return ILLEGAL;
  const enabled = guest.supervisor || ((guest.scounteren >> BigInt(csr - CSR.cycle)) & 1n) === 1n;
  return enabled ? { kind: 'read', rd: (bits >>> 7) & 31, value: counterValue(csr, guest) & ALL_ONES } : ILLEGAL;
}
