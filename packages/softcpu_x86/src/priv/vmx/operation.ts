/** The VMX instructions of a native hypervisor: VMXON to VMRESUME, VMREAD and VMWRITE, INVEPT and INVVPID (SDM vol. 3, chapter 31). */
import { InvvpidType, VMFAIL_INVALID, VMSUCCEED, VmInstructionError, type VmxResult } from '@axvisor/axvisor_api/arch/x86';
import { axError } from '@axvisor/axvisor_api/errors';
import { CR4 } from '../fields.ts';
import { storable } from '../linear.ts';
import { highWord, lowWord, slot, toNumber } from '../registers.ts';
import { FIXED, VMCS_REVISION } from './capabilities.ts';
import type { Rule } from './checks.ts';
import { Entries, ownerOf, type EntryParts, type GuestParts } from './entries.ts';
import type { VmxGuest } from './guest.ts';
import type { Residence } from './residence.ts';
import { Vmcs } from './vmcs.ts';

const E = VmInstructionError;

export class VmxOperation {
  readonly vmcs: Vmcs;
  private readonly p: EntryParts;
  private readonly entries: Entries;
  private readonly residence: Residence;
  private vmxonAddress = -1n;

  constructor(parts: EntryParts, guestParts: GuestParts) {
    this.p = parts;
    this.vmcs = new Vmcs(parts.regs);
    this.entries = new Entries(parts, guestParts, this.vmcs);
    this.residence = this.entries.residence;
  }

  get guest(): VmxGuest {
    return this.entries.guest;
  }

  /** The first rule that the last entry broke, for people. */
  get refused(): Rule | undefined {
    return this.entries.refused;
  }

  reset(): void {
    this.residence.end();
    this.vmxonAddress = -1n;
    this.vmcs.use();
  }

  get on(): boolean {
    return this.vmxonAddress >= 0n;
  }

  private need(): void {
    if (!this.on) throw axError('BadState', 'the processor is not in VMX operation');
  }

  /** Place of a 4 KiB region, -1 if the address is none. */
  private region(address: bigint): number {
    const lo = lowWord(address);
    if ((lo & 0xfff) !== 0 || (highWord(address) & this.p.paging.addressReservedHi) !== 0) return -1;
    return this.p.physical.place(toNumber(lo, highWord(address)), 4096);
  }

  vmxon(address: bigint): VmxResult {
    const { regs } = this.p;
    const { sys } = regs;
    if ((regs.cr4 & CR4.VMXE) === 0) throw axError('BadState', 'VMXON with CR4.VMXE clear raises #UD');
    if (this.on) return this.vmcs.fail(E.vmxonInRoot);
    const enabled = (sys[slot.featureControl]! & 5) === 5;
    if (!enabled || (regs.cr0 & FIXED.cr0Zero) !== FIXED.cr0Zero) throw axError('BadState', 'VMXON raises #GP: IA32_FEATURE_CONTROL or CR0');
    const place = this.region(address);
    if (place < 0 || regs.words[place >> 2] !== VMCS_REVISION) return VMFAIL_INVALID;
    this.vmxonAddress = address;
    this.vmcs.use();
    return VMSUCCEED;
  }

  /** Native software looks at registers that guests have, too. */
  evict(): void {
    this.residence.evict();
  }

  vmxoff(): VmxResult {
    this.need();
    this.evict();
    this.reset();
    return VMSUCCEED;
  }

  vmclear(address: bigint): VmxResult {
    this.need();
    this.evict();
    const place = this.region(address);
    if (place < 0) return this.vmcs.fail(E.vmclearInvalidAddress);
    if (address === this.vmxonAddress) return this.vmcs.fail(E.vmclearVmxonPointer);
    Vmcs.setLaunched(this.p.regs, place, false);
    if (address === this.vmcs.address) this.vmcs.use();
    return VMSUCCEED;
  }

  vmptrld(address: bigint): VmxResult {
    this.need();
    this.evict();
    const place = this.region(address);
    if (place < 0) return this.vmcs.fail(E.vmptrldInvalidAddress);
    if (address === this.vmxonAddress) return this.vmcs.fail(E.vmptrldVmxonPointer);
    if (this.p.regs.words[place >> 2] !== VMCS_REVISION) return this.vmcs.fail(E.vmptrldIncorrectRevision);
    this.vmcs.use(place, address);
    return VMSUCCEED;
  }

  vmptrst(): bigint {
    this.need();
    return BigInt.asUintN(64, this.vmcs.address);
  }

  /** The value, or how VMREAD failed. */
  vmread(field: number): { readonly value: bigint } | { readonly failure: VmxResult } {
    this.need();
    if (this.vmcs.place < 0) return { failure: VMFAIL_INVALID };
    if (!Vmcs.has(field)) return { failure: this.vmcs.fail(E.unsupportedVmcsComponent) };
    this.residence.reads(field);
    return { value: this.vmcs.read(field) };
  }

  /** Whether VMWRITE succeeds. */
  private writable(field: number): VmxResult {
    this.need();
    if (this.vmcs.place < 0) return VMFAIL_INVALID;
    if (!Vmcs.has(field)) return this.vmcs.fail(E.unsupportedVmcsComponent);
    if (Vmcs.readOnly(field)) return this.vmcs.fail(E.vmwriteReadOnlyComponent);
    this.residence.writes(field);
    return VMSUCCEED;
  }

  vmwrite(field: number, value: bigint): VmxResult {
    const result = this.writable(field);
    if (result === VMSUCCEED) this.vmcs.write(field, value);
    return result;
  }

  /** {@link vmread} of the low half, or how it failed, as a negative number. */
  vmreadLow(field: number): number {
    this.need();
    if (this.vmcs.place < 0) return VMFAIL_INVALID;
    if (!Vmcs.has(field)) return -this.vmcs.fail(E.unsupportedVmcsComponent);
    this.residence.reads(field);
    return this.vmcs.readLow(field);
  }

  vmwriteLow(field: number, value: number): VmxResult {
    const result = this.writable(field);
    if (result === VMSUCCEED) this.vmcs.writeLow(field, value);
    return result;
  }

  invept(type: number, eptp: bigint): VmxResult {
    this.need();
    const lo = lowWord(eptp);
    const memoryType = lo & 7;
    const valid = (memoryType === 0 || memoryType === 6) && ((lo >>> 3) & 7) === 3 && (lo & 0xf80) === 0 && (highWord(eptp) & this.p.paging.addressReservedHi) === 0;
    if ((type !== 1 && type !== 2) || (type === 1 && !valid)) return this.vmcs.fail(E.invalidOperandToInveptInvvpid);
    this.flush();
    return VMSUCCEED;
  }

  invvpid(type: number, vpid: number, linear: bigint): VmxResult {
    this.need();
    const bad = type < 0 || type > 3 || vpid < 0 || vpid > 0xffff || (type !== 2 && vpid === 0) || (type === 0 && !storable(highWord(linear)));
    if (bad) return this.vmcs.fail(E.invalidOperandToInveptInvvpid);
    const { regs } = this.p;
    const T = InvvpidType;
    if (type === T.allContexts) regs.translations.flush();
    else if (type === T.individualAddress) regs.translations.invalidate(lowWord(linear), highWord(linear));
    else regs.translations.flushOwner(ownerOf(vpid));
    return VMSUCCEED;
  }

  /** Drops all that depends on second-stage tables. */
  flush(): void {
    this.p.ept.flush();
    this.p.regs.translations.flush();
  }

  /** VMLAUNCH or VMRESUME. {@link VMSUCCEED}: the guest is to run, or was left already ({@link Registers.exited}). */
  enter(launch: boolean): VmxResult {
    this.need();
    return this.entries.enter(launch);
  }
}
