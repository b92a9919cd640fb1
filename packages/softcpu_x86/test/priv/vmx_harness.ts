/** A hypervisor for tests: VMX on, a VMCS whose guest is in 64-bit mode and passes every check, and memory mapped to itself. */
import { Msr, VmcsField } from '@axvisor/axvisor_api/arch/x86';
import type { HostPhysAddr } from '@axvisor/axvisor_api/addr';
import type { PrivilegedOptions } from '../../src/priv/index.ts';
import { GDT, Harness, IDT, SEL, TSS, flatTables } from './harness.ts';

export const F: typeof VmcsField = VmcsField;
export const VMXON_REGION = 0xe_0000n;
export const VMCS = 0xe_1000n;
export const IO_A = 0xe_2000;
export const IO_B = 0xe_3000;
export const MSR_BITMAP = 0xe_4000;
export const VAPIC = 0xe_5000;
export const CONTEXT = 0xe_6000;
export const EPT = 0xe_8000;
export const EPTP: bigint = BigInt(EPT) | 0x1en;
const REVISION = 0x4158;

/** Controls with all that must be 1, and bits more. */
export const PIN = 0x16;
export const PROC = 0x0400_6172;
export const EXIT = 0x0003_6fff;
export const ENTRY = 0x0000_11ff;

/** The reasons of all exits that a test file looked at. */
export const REASONS_SEEN: Set<number> = new Set();

export class VmxHarness extends Harness {
  constructor(options: Partial<PrivilegedOptions> = {}) {
    super({ hosted: true, ...options });
    const { lp } = this;
    this.write32(Number(VMXON_REGION), REVISION);
    this.write32(Number(VMCS), REVISION);
    lp.native.wrmsr(Msr.IA32_FEATURE_CONTROL, 5n);
    lp.native.writeCr(4, lp.native.readCr(4) | 0x2000n);
    const { vmx } = this;
    if (vmx.vmxon(VMXON_REGION as HostPhysAddr) !== 0 || vmx.vmclear(VMCS) !== 0 || vmx.vmptrld(VMCS) !== 0) throw new Error('no VMX');
    this.setUp();
  }

  get vmx(): NonNullable<Harness['lp']['vmx']> {
    return this.lp.vmx as NonNullable<Harness['lp']['vmx']>;
  }

  w(field: number, value: bigint | number): void {
    const result = this.vmx.vmwrite(field, BigInt.asUintN(64, BigInt(value)));
    if (result !== 0) throw new Error(`VMWRITE ${field.toString(16)}: ${result}`);
  }

  r(field: number): bigint {
    const result = this.vmx.vmread(field);
    if ('failure' in result) throw new Error(`VMREAD ${field.toString(16)}: ${result.failure}`);
    return result.value;
  }

  n(field: number): number {
    return Number(this.r(field));
  }

  /** Writes every field anew. */
  setUp(): void {
    const { native } = this.lp;
    flatTables(this);
    // The guest's paging: 1 GiB mapped to itself by one leaf, for users too.
    this.write64(0xf_0000, 0xf_1007n);
    this.write64(0xf_1000, 0x87n);
    // EPT: 1 GiB mapped to itself.
    this.write64(EPT, BigInt(EPT + 0x1000) | 7n);
    this.write64(EPT + 0x1000, 0xb7n);
    this.vmx.vmclear(VMCS);
    this.vmx.vmptrld(VMCS);
    for (const field of Object.values(F)) this.vmx.vmwrite(field, 0n);
    this.w(F.pinBasedControls, PIN);
    this.w(F.primaryProcessorBasedControls, PROC);
    this.w(F.exitControls, EXIT);
    this.w(F.entryControls, ENTRY | 0x200);
    this.w(F.ioBitmapA, IO_A);
    this.w(F.ioBitmapB, IO_B);
    this.w(F.msrBitmaps, MSR_BITMAP);
    this.w(F.virtualApicAddress, VAPIC);
    this.w(F.eptPointer, EPTP);
    this.w(F.vmcsLinkPointer, -1n);
    const host = native.hostSegments();
    this.w(F.hostCsSelector, host.cs);
    this.w(F.hostSsSelector, host.ss);
    this.w(F.hostTrSelector, host.tr);
    this.w(F.hostCr0, native.readCr(0));
    this.w(F.hostCr4, native.readCr(4));
    this.w(F.guestCr0, 0x8000_0031n);
    this.w(F.guestCr3, 0xf_0000);
    this.w(F.guestCr4, 0x2020);
    this.w(F.guestDr7, 0x400);
    this.w(F.guestRip, 0x5000);
    this.w(F.guestRsp, 0x9000);
    this.w(F.guestRflags, 2);
    for (const name of ['Es', 'Ss', 'Ds', 'Fs', 'Gs'] as const) {
      this.w(F[`guest${name}Selector`], SEL.data0);
      this.w(F[`guest${name}Limit`], 0xffff_ffff);
      this.w(F[`guest${name}AccessRights`], 0xc093);
    }
    this.w(F.guestCsSelector, SEL.code64);
    this.w(F.guestCsLimit, 0xffff_ffff);
    this.w(F.guestCsAccessRights, 0xa09b);
    this.w(F.guestTrSelector, SEL.tss);
    this.w(F.guestTrBase, TSS);
    this.w(F.guestTrLimit, 0x67);
    this.w(F.guestTrAccessRights, 0x8b);
    this.w(F.guestLdtrAccessRights, 0x1_0000);
    this.w(F.guestGdtrBase, GDT);
    this.w(F.guestGdtrLimit, 0xff);
    this.w(F.guestIdtrBase, IDT);
    this.w(F.guestIdtrLimit, 0xfff);
  }

  /** Sets bits of a control word; secondary ones are activated. */
  enable(field: number, bits: number): void {
    this.w(field, this.r(field) | BigInt(bits >>> 0));
    if (field === F.secondaryProcessorBasedControls) this.enable(F.primaryProcessorBasedControls, 0x8000_0000);
  }

  /** VMLAUNCH, or VMRESUME. */
  enter(launch = true): number {
    return this.lp.vmEnter(launch, CONTEXT);
  }

  /** Enters, whatever was done before, and expects the guest to run. */
  start(): void {
    this.vmx.vmclear(VMCS);
    this.vmx.vmptrld(VMCS);
    const result = this.enter();
    if (result !== 0 || this.lp.exited) throw new Error(`the guest does not run: ${result} ${this.vmx.refused?.name ?? ''} ${this.lp.exited ? this.n(F.exitReason).toString(16) : ''}`);
  }

  /** What the exit said. */
  get exit(): { readonly reason: number; readonly qualification: bigint; readonly length: number } {
    REASONS_SEEN.add(this.n(F.exitReason));
    return { reason: this.n(F.exitReason), qualification: this.r(F.exitQualification), length: this.n(F.exitInstructionLength) };
  }
}
