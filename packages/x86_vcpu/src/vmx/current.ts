/** A VMCS that is made the current one when it is accessed (SDM vol. 3, 25.1), and its fields. */
import { VMFAIL_INVALID, VMSUCCEED, vmclear, vmptrld, vmptrst, vmread, vmreadLow, vmwrite, vmwriteLow } from '@axvisor/axvisor_api/arch/x86';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import { axError } from '@axvisor/axvisor_api/errors';

/** The one that was accessed last on this thread, which has one processor: every field of every exit asks. */
let current: CurrentVmcs | undefined;

/** VMX operation ended. */
export function noneIsCurrent(): void {
  current = undefined;
}

/** @throws {AxError} BadState for the result of a VMX instruction that failed */
export function succeed(instruction: string, result: number): void {
  if (result === VMSUCCEED) return;
  const error = result === VMFAIL_INVALID ? 'there is no current VMCS' : `VM-instruction error ${result}`;
  throw axError('BadState', `${instruction} failed: ${error}`);
}

export class CurrentVmcs {
  readonly address: HostPhysAddr;

  constructor(address: HostPhysAddr) {
    this.address = address;
  }

  use(): void {
    if (current === this) return;
    if (vmptrst() !== BigInt(this.address)) succeed('VMPTRLD', vmptrld(this.address));
    current = this;
  }

  /** Its data is in memory again, for any processor to take up. */
  clear(): void {
    if (current === this) current = undefined;
    succeed('VMCLEAR', vmclear(this.address));
  }

  read(field: number): bigint {
    this.use();
    return vmread(field);
  }

  /** All of a field of 16 or 32 bits, the low half of another. */
  low(field: number): number {
    this.use();
    return vmreadLow(field);
  }

  write(field: number, value: bigint | number): void {
    this.use();
    const result = vmwrite(field, BigInt(value));
    if (result !== VMSUCCEED) succeed(`VMWRITE 0x${field.toString(16)}`, result);
  }

  /** Writes the low half. */
  writeLow(field: number, value: number): void {
    this.use();
    succeed('VMWRITE', vmwriteLow(field, value));
  }
}
